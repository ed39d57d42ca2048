//! `cargo xtask emulators`.

use localstack_tests::Emulator;
use localstack_tests::emulator::{AWS, CLOUD_STORAGE, Installation, cache_dir};

use crate::error::TaskError;

/// Install the emulators, and keep that of AWS running until Ctrl-C
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Port on 127.0.0.1; LocalStack's by default
    #[arg(long, default_value_t = 4566)]
    port: u16,
    /// Only install
    #[arg(long)]
    install: bool,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<(), TaskError> {
    Installation::ensure(&cache_dir(), &AWS)?;
    if arguments.install {
        Installation::ensure(&cache_dir(), &CLOUD_STORAGE)?;
        return Ok(());
    }
    let emulator = Emulator::start(&cache_dir(), Some(arguments.port))?;
    println!("# The emulator runs until Ctrl-C. In another terminal:");
    for (name, value) in emulator.account().environment() {
        println!("export {name}={value}");
    }
    println!("# The access key id names the account; any other twelve digits are another one, and empty.");
    emulator.wait()?;
    Ok(())
}
