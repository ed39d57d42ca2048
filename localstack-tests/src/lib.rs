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
pub mod crash;
pub mod emulator;
pub mod error;
mod gate;
pub mod inventory;
pub mod postgres;
pub mod postgres_proxy;
pub mod proxy;
pub mod python;
pub mod readme;
pub mod state_server;
pub mod tool;
mod victim;
pub mod wall_clock;
mod wire;
pub mod workspace;

pub use account::Account;
pub use cloud_storage::CloudStorage;
pub use emulator::Emulator;
pub use error::HarnessError;
pub use gate::Gate;
pub use postgres::Postgres;
pub use postgres_proxy::PostgresProxy;
pub use proxy::{Call, Fault, Proxy, Rule};
pub use state_server::StateServer;
pub use tool::{Outcome, Tool};
pub use wall_clock::WallClock;
pub use workspace::Workspace;
