//! The `windlass` command: reads arguments and the environment, calls the planner, and prints.

#![forbid(unsafe_code)]

pub mod context;
pub mod json_views;
pub mod render;
pub mod style;
