//! Behaviour of plan, apply and recovery, against a simulated provider.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod checks;
mod cloud;
mod crash;
mod deferral;
mod ephemeral;
mod imports;
mod lifecycle;
mod moves;
mod provisioning;
mod run;
mod selection;
mod sequences;
