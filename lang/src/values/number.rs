//! Numbers with Terraform's precision: 512 bits of mantissa.

/// A number.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Number(i64);
