//! The harness of the end-to-end tests: a pinned emulator, an account per test, a proxy that counts calls and injects
//! faults, and a hermetic way to run the built binary.
//!
//! `cargo xtask` uses the same emulator for the demo and the benchmark. The tests themselves are in `tests/e2e`.
//!
//! Unlike the product's libraries this crate reads environment variables:
//!
//! | variable | meaning |
//! |---|---|
//! | `LOCALSTACK_ENDPOINT` | run against this endpoint (LocalStack, or any other emulator) instead of our own |
//! | `WINDLASS_BIN` | the binary under test; by default `windlass` in the target folder that holds the test itself |
//! | `WINDLASS_CACHE` | where emulators are installed; by default `windlass` in `XDG_CACHE_HOME` or `~/.cache` |

#![forbid(unsafe_code)]

pub mod account;
pub mod cloud_storage;
pub mod emulator;
pub mod error;
pub mod inventory;
pub mod proxy;
pub mod readme;
pub mod tool;
mod wire;
pub mod workspace;

pub use account::Account;
pub use cloud_storage::CloudStorage;
pub use emulator::Emulator;
pub use error::HarnessError;
pub use proxy::{Call, Fault, Proxy, Rule};
pub use tool::{Outcome, Tool};
pub use workspace::Workspace;
