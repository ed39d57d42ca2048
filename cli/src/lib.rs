//! The `windlass` command: reads arguments and the environment, calls the planner, and prints.

#![forbid(unsafe_code)]

pub mod args;
pub mod backend;
mod ci;
pub mod cli_config;
pub mod command_line;
pub mod commands;
pub mod context;
pub mod credentials;
pub mod dispatch;
pub mod downloads;
pub mod encryption;
mod interrupts;
pub mod io;
pub mod json_views;
pub mod logging;
pub mod providers;
pub mod remote_states;
pub mod render;
pub mod requirements;
pub mod saved_plan;
pub mod secret_input;
pub mod session;
pub mod style;
pub mod targets;
pub mod ui;
pub mod variables;

pub use dispatch::run;
