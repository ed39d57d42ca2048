//! Finding repetitions.
//!
//! The search is the lazy one of level 6: positions with the same hash of four bytes are chained; at each position the chain is
//! followed for a while, and a match is taken only if the next position has no longer one. What decides the bytes is kept as Go has
//! it: a window of two halves which is filled and shifted as a whole, so that matches near its end are not found, and the bounds below.

use super::Symbol;

/// How far back a match may be.
const WINDOW: usize = 1 << 15;
const WINDOW_MASK: usize = WINDOW - 1;
/// Shorter ones are not looked for, though the format has matches of three bytes.
const SHORTEST: usize = 4;
const LONGEST: usize = 258;
/// A match of the shortest length costs more than its bytes if it is farther back than this.
const FARTHEST_SHORTEST: usize = 4096;
const HASH_BITS: u32 = 17;
const HASH_FACTOR: u32 = 0x1e35_a7bd;
/// No longer match is looked for after one of this length.
const LAZY: usize = 16;
/// The search ends with a match of this length.
const NICE: usize = 128;
/// How many positions of a chain are tried.
const TRIES: usize = 128;
/// How many symbols make a block.
const BLOCK: usize = 1 << 14;

/// Cuts `bytes` into blocks of symbols; each goes to `block` with the bytes that it stands for, unless they have left the window.
pub(super) fn find(bytes: &[u8], mut block: impl FnMut(&[Symbol], Option<&[u8]>)) {
    let mut finder = Finder::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        finder.run(false, &mut block);
        rest = finder.fill(rest);
    }
    finder.run(true, &mut block);
}

struct Finder {
    window: Vec<u8>,
    /// How much of the window is filled.
    end: usize,
    /// The position that is looked at.
    position: usize,
    /// Where the current block begins; nothing if that has left the window.
    block_start: Option<usize>,
    /// The last position of each hash and, by position modulo the window's size, the one before. A position is counted from one, over
    /// all of the input, so that shifting the window leaves the chains alone.
    head: Vec<u64>,
    previous: Vec<u64>,
    /// How much the window was shifted, plus one.
    shifted: u64,
    /// The best match at the position before, of `length` 3 if there is none.
    length: usize,
    distance: usize,
    /// The last position that was looked up in the chains.
    chain: u64,
    /// Whether the byte before the position is not in a symbol yet.
    byte_pending: bool,
    symbols: Vec<Symbol>,
}

impl Finder {
    fn new() -> Finder {
        Finder {
            window: vec![0; 2 * WINDOW],
            end: 0,
            position: 0,
            block_start: Some(0),
            head: vec![0; 1 << HASH_BITS],
            previous: vec![0; WINDOW],
            shifted: 1,
            length: SHORTEST - 1,
            distance: 0,
            chain: 0,
            byte_pending: false,
            symbols: Vec::with_capacity(BLOCK),
        }
    }

    /// Fills the window from `bytes`, and returns what did not fit.
    fn fill<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        if self.position >= 2 * WINDOW - (SHORTEST + LONGEST) {
            self.window.copy_within(WINDOW.., 0);
            self.position -= WINDOW;
            self.end -= WINDOW;
            self.block_start = self.block_start.and_then(|start| start.checked_sub(WINDOW));
            self.shifted += WINDOW as u64;
        }
        let (now, rest) = bytes.split_at(bytes.len().min(self.window.len() - self.end));
        if let Some(room) = self.window.get_mut(self.end..self.end + now.len()) {
            room.copy_from_slice(now);
        }
        self.end += now.len();
        rest
    }

    /// Goes through what the window holds; up to its very end only if it is the `last` of it.
    fn run(&mut self, last: bool, block: &mut impl FnMut(&[Symbol], Option<&[u8]>)) {
        let hashable = (self.end + 1).saturating_sub(SHORTEST);
        loop {
            let ahead = self.end - self.position;
            if ahead == 0 && last {
                if self.byte_pending {
                    self.literal(self.position - 1);
                    self.byte_pending = false;
                }
                if !self.symbols.is_empty() {
                    self.end_block(self.position, block);
                }
                return;
            }
            if ahead < SHORTEST + LONGEST && !last {
                return;
            }
            if self.position < hashable {
                self.chain = self.insert(self.position);
            }
            let (length, distance) = (self.length, self.distance);
            (self.length, self.distance) = (SHORTEST - 1, 0);
            if ahead > length
                && length < LAZY
                && let Some(candidate) = self.in_window(self.chain, self.position)
                && let Some((length, distance)) = self.longest(candidate, ahead)
            {
                (self.length, self.distance) = (length, distance);
            }
            if length >= SHORTEST && self.length <= length {
                self.symbols.push(Symbol::Match { length: length as u16, distance: distance as u16 });
                // The position, and the one before where the match begins, are in the chains already.
                let next = self.position + length - 1;
                for position in self.position + 1..next.min(hashable) {
                    self.insert(position);
                }
                self.position = next;
                self.byte_pending = false;
                self.length = SHORTEST - 1;
                if self.symbols.len() == BLOCK {
                    self.end_block(self.position, block);
                }
            } else {
                if self.byte_pending {
                    self.literal(self.position - 1);
                    if self.symbols.len() == BLOCK {
                        self.end_block(self.position, block);
                    }
                }
                self.position += 1;
                self.byte_pending = true;
            }
        }
    }

    fn literal(&mut self, position: usize) {
        self.symbols.extend(self.window.get(position).copied().map(Symbol::Literal));
    }

    /// Ends the block before `end`.
    fn end_block(&mut self, end: usize, block: &mut impl FnMut(&[Symbol], Option<&[u8]>)) {
        let data = self.block_start.and_then(|start| self.window.get(start..end));
        block(&self.symbols, data);
        self.block_start = Some(end);
        self.symbols.clear();
    }

    /// Puts a position into its chain, and returns the one that was the last there.
    fn insert(&mut self, position: usize) -> u64 {
        let bytes = self.window.get(position..).and_then(|rest| rest.first_chunk::<SHORTEST>());
        let hash =
            u32::from_be_bytes(bytes.copied().unwrap_or_default()).wrapping_mul(HASH_FACTOR) >> (u32::BITS - HASH_BITS);
        let Some(head) = self.head.get_mut(hash as usize) else { return 0 };
        let before = std::mem::replace(head, position as u64 + self.shifted);
        if let Some(previous) = self.previous.get_mut(position & WINDOW_MASK) {
            *previous = before;
        }
        before
    }

    /// The place in the window of a chained position, if a match at `position` may reach it.
    fn in_window(&self, chained: u64, position: usize) -> Option<usize> {
        let place = usize::try_from(chained.checked_sub(self.shifted)?).ok()?;
        (place + WINDOW >= position).then_some(place)
    }

    /// The longest match for what is at the position, with its distance, among the chain that begins at `candidate`.
    fn longest(&self, candidate: usize, ahead: usize) -> Option<(usize, usize)> {
        let most = ahead.min(LONGEST);
        let wanted = self.window.get(self.position..self.position + most)?;
        let mut best = None;
        let mut length = SHORTEST - 1;
        let mut place = candidate;
        for _ in 0..TRIES {
            // Comparing the byte that would make it longer spares most comparisons.
            if self.window.get(place + length) == wanted.get(length) {
                let there = self.window.get(place..)?;
                let equal = there.iter().zip(wanted).take_while(|(a, b)| a == b).count();
                let distance = self.position - place;
                if equal > length && (equal > SHORTEST || distance <= FARTHEST_SHORTEST) {
                    (length, best) = (equal, Some((equal, distance)));
                    if equal >= NICE.min(most) {
                        break;
                    }
                }
            }
            if place + WINDOW == self.position {
                break;
            }
            let before = self.previous.get(place & WINDOW_MASK).copied().unwrap_or_default();
            let Some(next) = self.in_window(before, self.position) else { break };
            place = next;
        }
        best
    }
}
