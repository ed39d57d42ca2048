//! Graph, expansion, refresh, diff, plan and apply. Knows no cloud: it sees providers through [`sdk::Provider`].

pub mod hooks;
pub mod plan;
