//! Directories of `.tf` and `.tf.json` files to a typed module tree; the module installer; version constraints; the lock
//! file.
//!
//! Expressions stay syntax trees here: nothing is evaluated but what Terraform wants constant.

pub mod module;
