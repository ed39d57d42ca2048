//! Runs test files (`*.tftest.hcl`): plans and applies configurations against states of their own, checks assertions, and
//! destroys what was made.
//!
//! A run is an ordinary plan and apply of the planner. What tests add to them is put into the configuration and the registry
//! of providers beforehand: variables, provider blocks, and stand-ins for the providers of mocked and overridden objects.

mod expected;
mod files;
mod mock;
mod names;
mod overrides;
mod run;
mod store;
mod validation;
mod variables;

pub use files::{FileError, discover, load_modules};
pub use mock::{Mock, MockValues, MockedType};
pub use run::{FileOutcome, Reporter, RunOutcome, Shown, Status, Suite, run_file};
pub use validation::{validate_file, validate_run};
pub use variables::Globals;
