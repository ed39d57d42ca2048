//! Processor time, from what the kernel keeps of this process.

use std::error::Error;
use std::time::Instant;

/// How many seconds a figure is measured at least in each of how many rounds.
const SECONDS: f64 = 0.3;
const ROUNDS: usize = 3;

/// Seconds of one run: the best of some rounds, since whatever else the machine does only adds.
pub fn best(mut run: impl FnMut()) -> Result<f64, Box<dyn Error>> {
    let mut least = f64::INFINITY;
    for _ in 0..ROUNDS {
        let (start, mut runs) = (of_this_thread()?, 0_u32);
        let mut time = 0.0;
        while time < SECONDS {
            // Asking the kernel takes some microseconds: not after each of many short runs.
            let begin = Instant::now();
            while begin.elapsed().as_millis() < 10 {
                run();
                runs += 1;
            }
            time = of_this_thread()? - start;
        }
        least = least.min(time / f64::from(runs));
    }
    Ok(least)
}

/// Seconds by `clock` of the fastest of some runs.
pub fn least(
    clock: fn() -> Result<f64, Box<dyn Error>>,
    mut run: impl FnMut() -> Result<(), Box<dyn Error>>,
) -> Result<f64, Box<dyn Error>> {
    let mut least = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = clock()?;
        run()?;
        least = least.min(clock()? - start);
    }
    Ok(least)
}

/// Seconds that this thread was on a processor.
fn of_this_thread() -> Result<f64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: f64 = text.split_whitespace().next().ok_or("no scheduler figures here")?.parse()?;
    Ok(nanoseconds / 1e9)
}

/// Seconds that the programs which this one started, and which have ended, were on processors.
pub fn of_children() -> Result<f64, Box<dyn Error>> {
    // Behind the name, which may hold anything, fields 16 and 17 in hundredths: times of children in user and kernel mode.
    let text = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3).ok_or("too few process figures here");
    let hundredths = field(16)?.parse::<f64>()? + field(17)?.parse::<f64>()?;
    Ok(hundredths / 100.0)
}
