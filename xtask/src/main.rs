//! `cargo xtask`: what cargo itself can't do. `cargo xtask demo` and `cargo xtask test` are the two commands that a newcomer
//! needs.

#![forbid(unsafe_code)]

mod bench;
mod conformance;
mod crash;
mod demo;
mod emulators;
mod error;
mod fuzz;
mod memory;
mod order;
mod process;
mod ratchet;
mod readme;
mod stage;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tasks of the windlass repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Arguments),
    Test(test::Arguments),
    Bench(bench::Arguments),
    Fuzz(fuzz::Arguments),
    Crash(crash::Arguments),
    Emulators(emulators::Arguments),
    Conformance(conformance::Arguments),
    Readme(readme::Arguments),
    Order(order::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Fuzz(arguments) => fuzz::run(&arguments),
        Command::Crash(arguments) => crash::run(&arguments),
        Command::Emulators(arguments) => emulators::run(&arguments),
        Command::Conformance(arguments) => conformance::run(&arguments),
        Command::Readme(arguments) => readme::run(&arguments),
        Command::Order(arguments) => order::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", error.full());
            ExitCode::FAILURE
        }
    }
}
