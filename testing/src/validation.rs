//! What test files say of the configuration under test, before anything is run: as `validate` and the runs look at it.

use config::module::Module;
use config::test_file::{Override, Run, TestFile};
use lang::addr_parse::Target;
use lang::{Diagnostic, Diagnostics};

use crate::expected::Expectation;

/// A warning for every override of the file, and of its mocks, whose target the configuration doesn't have.
pub fn validate_file(file: &TestFile, config: &Module) -> Diagnostics {
    let of_mocks = file.mocks.iter().flat_map(|mock| &mock.overrides);
    astray(of_mocks.chain(&file.overrides), config)
}

/// An error for everything that cannot be expected to fail, and warnings as [`validate_file`] has them. `config`: what the run tests.
pub fn validate_run(run: &Run, config: &Module) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    for traversal in &run.expected {
        diagnostics.extend(match Expectation::new(traversal) {
            Ok(expectation) => expectation.invalid(),
            Err(problem) => Some(problem),
        });
    }
    diagnostics.append(astray(&run.overrides, config));
    diagnostics
}

fn astray<'o>(overrides: impl IntoIterator<Item = &'o Override>, config: &Module) -> Diagnostics {
    let missing = overrides.into_iter().filter(|found| !is_configured(&found.target, config));
    let warning = |found: &Override| {
        let detail = format!(
            "The override target {} does not exist within the configuration under test. This could indicate a typo in the \
             target address or an unnecessary override.",
            found.target_text
        );
        Diagnostic::warning("Invalid override target", detail).at(found.target_range)
    };
    missing.map(warning).collect()
}

/// Whether there is a block for the target; which instances there are is not known yet.
fn is_configured(target: &Target, config: &Module) -> bool {
    let (module, resource) = match target {
        Target::Module(module) => (module, None),
        Target::Resource(target) => (&target.module, Some(&target.resource)),
        Target::Instance(target) => (&target.module, Some(&target.resource)),
    };
    let found = config.descendant(&module.path());
    found.is_some_and(|module| resource.is_none_or(|resource| module.resources.contains_key(resource)))
}
