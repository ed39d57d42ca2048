//! Trials of crashes: `kill -9` at a chosen point of an apply, then one more apply, after which nothing may be lost, doubled or
//! locked.

mod trial;

use std::fmt;

pub use trial::{Crashes, Verdict};

/// Where the state is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Store {
    /// A file.
    Local,
    /// A bucket of the emulator, with a lock file.
    S3,
    /// A database.
    Postgres,
}

/// What the killed run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Makes the stack.
    Create,
    /// Changes its objects in place.
    Update,
    /// Replaces most of them, the old one first or the new one first.
    Replace,
    /// Removes all.
    Destroy,
}

/// When it is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    /// Before the cloud sees a call.
    BeforeCall,
    /// After the cloud acted, before its answer.
    BeforeAnswer,
    /// Right after an answer, while others are awaited.
    AfterAnswer,
    /// While it reads what has become of a change.
    Waiting,
    /// While it writes to the journal.
    WritingJournal,
    /// While it writes the state.
    WritingState,
    /// While it gives the lock back.
    Unlocking,
    /// At any time.
    AnyTime,
}

impl Store {
    /// All of them.
    pub const ALL: [Store; 3] = [Store::Local, Store::S3, Store::Postgres];
}

impl Operation {
    /// All of them.
    pub const ALL: [Operation; 4] = [Operation::Create, Operation::Update, Operation::Replace, Operation::Destroy];
}

impl Point {
    /// All of them.
    pub const ALL: [Point; 8] = [
        Point::BeforeCall,
        Point::BeforeAnswer,
        Point::AfterAnswer,
        Point::Waiting,
        Point::WritingJournal,
        Point::WritingState,
        Point::Unlocking,
        Point::AnyTime,
    ];
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Store::Local => "local",
            Store::S3 => "s3",
            Store::Postgres => "pg",
        })
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Operation::Create => "create",
            Operation::Update => "update",
            Operation::Replace => "replace",
            Operation::Destroy => "destroy",
        })
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Point::BeforeCall => "before a call",
            Point::BeforeAnswer => "acted, before the answer",
            Point::AfterAnswer => "after the answer",
            Point::Waiting => "while waiting",
            Point::WritingJournal => "writing the journal",
            Point::WritingState => "writing the state",
            Point::Unlocking => "releasing the lock",
            Point::AnyTime => "at any time",
        })
    }
}

/// One crash.
#[derive(Debug, Clone, Copy)]
pub struct Trial {
    /// Its number in the series.
    pub number: u64,
    /// Where the state is.
    pub store: Store,
    /// What the killed run does.
    pub operation: Operation,
    /// When it is killed.
    pub point: Point,
    /// Chooses the rest: which call, which write, how much later.
    dice: Dice,
}

impl Trial {
    /// A trial of a series. Of 96 in a row each has another combination; 36 have every point, and every operation in every
    /// store.
    pub fn new(seed: u64, number: u64) -> Trial {
        let pick = |index: u64, count: usize| usize::try_from(index).unwrap_or_default() % count;
        Trial {
            number,
            store: Store::ALL[pick(number, 3)],
            operation: Operation::ALL[pick(number / 3, 4)],
            // twelve further it is one more than twelve: for each store and operation all points take their turns
            point: Point::ALL[pick(number + number / 12, 8)],
            dice: Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number),
        }
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "trial {}: {} on {}, {}", self.number, self.operation, self.store, self.point)
    }
}

/// Numbers that look random and are the same for the same seed (splitmix64).
#[derive(Debug, Clone, Copy)]
struct Dice(u64);

impl Dice {
    /// A number below `bound`.
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % (bound.max(1) as u64)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_series_has_every_combination() {
        let all: BTreeSet<_> = (0..96).map(|n| Trial::new(1, n)).map(|t| (t.store, t.operation, t.point)).collect();
        assert_eq!(all.len(), 96);
        let few: Vec<_> = (0..36).map(|number| Trial::new(1, number)).collect();
        assert_eq!(few.iter().map(|trial| trial.point).collect::<BTreeSet<_>>().len(), 8);
        assert_eq!(few.iter().map(|trial| (trial.store, trial.operation)).collect::<BTreeSet<_>>().len(), 12);
    }
}
