//! Processor time, from what the kernel keeps of this process.

use std::error::Error;
use std::time::Instant;

/// How many seconds a figure is measured at least in each of how many rounds.
const SECONDS: f64 = 0.3;
const ROUNDS: usize = 3;

/// Seconds of one run.
pub struct Times {
    /// Until it returns.
    pub run: f64,
    /// For freeing what it returned.
    pub free: f64,
}

/// The best of some rounds, since whatever else the machine does only adds.
pub fn best<R>(mut run: impl FnMut() -> R) -> Result<Times, Box<dyn Error>> {
    let mut least = Times { run: f64::INFINITY, free: f64::INFINITY };
    let mut results = Vec::new();
    for _ in 0..ROUNDS {
        let (mut running, mut freeing, mut runs) = (0.0, 0.0, 0_u32);
        while running < SECONDS {
            // Asking the kernel takes some microseconds: not after each of many short runs.
            let (begin, start) = (Instant::now(), of_this_thread()?);
            while begin.elapsed().as_millis() < 10 {
                results.push(run());
                runs += 1;
            }
            let made = of_this_thread()?;
            results.clear();
            running += made - start;
            freeing += of_this_thread()? - made;
        }
        least.run = least.run.min(running / f64::from(runs));
        least.free = least.free.min(freeing / f64::from(runs));
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
