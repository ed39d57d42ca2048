//! How a block is written: stored, with the fixed codes, or with codes of its own, whichever is smallest.

use super::Symbol;
use super::bits::{BitWriter, Code};
use super::huffman::{canonical, codes, cost};

/// The symbol that ends a block.
const END: usize = 256;
/// Literals, the end, and 29 lengths.
const LITERALS: usize = 286;
const DISTANCES: usize = 30;
/// The longest block that can be stored.
const LONGEST_STORED: usize = 65_535;
/// The order in which the lengths of the codes for code lengths are written: those seldom used come last, to be left out.
const LENGTH_ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// A number that is written as a symbol and some more bits.
#[derive(Clone, Copy)]
struct Split {
    symbol: usize,
    extra: u32,
    extra_length: u32,
}

/// The symbol of a match's length, 3 to 258.
fn split_length(length: u16) -> Split {
    if length == 258 {
        // The longest has a symbol of its own, though the one before could say it.
        return Split { symbol: END + 29, extra: 0, extra_length: 0 };
    }
    let split = split(u32::from(length - 3), 4);
    Split { symbol: split.symbol + END + 1, ..split }
}

/// The symbol of a match's distance, 1 to 32768.
fn split_distance(distance: u16) -> Split {
    split(u32::from(distance) - 1, 2)
}

/// Symbols in groups of `group`, each group's standing for twice as many numbers as the one's before.
fn split(number: u32, group: u32) -> Split {
    let bits = group.trailing_zeros();
    let extra_length = (u32::BITS - number.leading_zeros()).saturating_sub(bits + 1);
    let symbol = (number >> extra_length) + extra_length * group;
    Split { symbol: symbol as usize, extra: number & ((1 << extra_length) - 1), extra_length }
}

/// The codes of a block.
struct Tables {
    literals: Vec<Code>,
    distances: Vec<Code>,
}

impl Tables {
    /// The codes that need not be written.
    fn fixed() -> Tables {
        let length = |symbol| match symbol {
            0..=143 => 8,
            144..=255 => 9,
            256..=279 => 7,
            _ => 8,
        };
        let lengths: Vec<u8> = (0..288).map(length).collect();
        Tables { literals: canonical(&lengths), distances: canonical(&[5; DISTANCES]) }
    }

    fn cost(&self, literals: &[u32], distances: &[u32]) -> usize {
        cost(&self.literals, literals) + cost(&self.distances, distances)
    }
}

/// Writes blocks.
pub(super) struct BlockWriter<'a> {
    bits: &'a mut BitWriter,
    fixed: Tables,
}

impl<'a> BlockWriter<'a> {
    pub(super) fn new(bits: &'a mut BitWriter) -> BlockWriter<'a> {
        BlockWriter { bits, fixed: Tables::fixed() }
    }

    /// Writes a block of `symbols`; `data` is what they stand for, if it is still at hand.
    pub(super) fn write(&mut self, symbols: &[Symbol], data: Option<&[u8]>) {
        let mut literals = [0u32; LITERALS];
        let mut distances = [0u32; DISTANCES];
        let mut extra_bits = 0;
        count(&mut literals, END);
        for &symbol in symbols {
            match symbol {
                Symbol::Literal(byte) => count(&mut literals, usize::from(byte)),
                Symbol::Match { length, distance } => {
                    let (length, distance) = (split_length(length), split_distance(distance));
                    count(&mut literals, length.symbol);
                    count(&mut distances, distance.symbol);
                    extra_bits += (length.extra_length + distance.extra_length) as usize;
                }
            }
        }
        let used_literals = used(&literals);
        let used_distances = match used(&distances) {
            0 => {
                // A table must have a code, even if nothing uses it.
                count(&mut distances, 0);
                1
            }
            number => number,
        };
        let own = Tables { literals: codes(&literals, 15), distances: codes(&distances, 15) };
        let header = Header::new(
            own.literals.get(..used_literals).unwrap_or_default(),
            own.distances.get(..used_distances).unwrap_or_default(),
        );
        let fixed_cost = 3 + self.fixed.cost(&literals, &distances) + extra_bits;
        let own_cost = header.cost() + own.cost(&literals, &distances) + extra_bits;
        if let Some(data) = data.filter(|data| data.len() <= LONGEST_STORED)
            && (data.len() + 5) * 8 < fixed_cost.min(own_cost)
        {
            self.bits.stored(data, false);
        } else if own_cost < fixed_cost {
            header.write(self.bits);
            write_symbols(self.bits, symbols, &own);
        } else {
            self.bits.bits(2, 3);
            write_symbols(self.bits, symbols, &self.fixed);
        }
    }
}

fn write_symbols(bits: &mut BitWriter, symbols: &[Symbol], tables: &Tables) {
    for &symbol in symbols {
        match symbol {
            Symbol::Literal(byte) => bits.code(code(&tables.literals, usize::from(byte))),
            Symbol::Match { length, distance } => {
                for (split, table) in
                    [(split_length(length), &tables.literals), (split_distance(distance), &tables.distances)]
                {
                    bits.code(code(table, split.symbol));
                    bits.bits(split.extra, split.extra_length);
                }
            }
        }
    }
    bits.code(code(&tables.literals, END));
}

/// One item of the run-length coded list of code lengths.
#[derive(Clone, Copy)]
struct Run {
    symbol: u8,
    extra: u32,
}

impl Run {
    /// How many bits the repetition count takes.
    fn extra_length(self) -> u32 {
        match self.symbol {
            16 => 2,
            17 => 3,
            18 => 7,
            _ => 0,
        }
    }
}

/// What tells a block's own codes.
struct Header {
    literals: usize,
    distances: usize,
    runs: Vec<Run>,
    frequencies: [u32; 19],
    codes: Vec<Code>,
    /// How many of the code lengths' codes are written.
    written: usize,
}

impl Header {
    fn new(literals: &[Code], distances: &[Code]) -> Header {
        let lengths: Vec<u8> = literals.iter().chain(distances).map(|code| code.length).collect();
        let mut runs = Vec::new();
        for run in lengths.chunk_by(|a, b| a == b) {
            push_run(&mut runs, run.first().copied().unwrap_or_default(), run.len());
        }
        let mut frequencies = [0; 19];
        for run in &runs {
            count(&mut frequencies, usize::from(run.symbol));
        }
        let unused = LENGTH_ORDER.iter().rev().take_while(|symbol| frequencies.get(**symbol) == Some(&0)).count();
        let codes = codes(&frequencies, 7);
        let written = (LENGTH_ORDER.len() - unused).max(4);
        Header { literals: literals.len(), distances: distances.len(), runs, frequencies, codes, written }
    }

    fn cost(&self) -> usize {
        let extra: usize = self.runs.iter().map(|run| run.extra_length() as usize).sum();
        3 + 5 + 5 + 4 + 3 * self.written + cost(&self.codes, &self.frequencies) + extra
    }

    fn write(&self, bits: &mut BitWriter) {
        bits.bits(4, 3);
        bits.bits((self.literals - 257) as u32, 5);
        bits.bits((self.distances - 1) as u32, 5);
        bits.bits((self.written - 4) as u32, 4);
        for &symbol in LENGTH_ORDER.iter().take(self.written) {
            bits.bits(u32::from(code(&self.codes, symbol).length), 3);
        }
        for run in &self.runs {
            bits.code(code(&self.codes, usize::from(run.symbol)));
            bits.bits(run.extra, run.extra_length());
        }
    }
}

/// `times` times the code length `length`: zeros in runs of up to 138, others as the length and runs of up to 6 repetitions.
fn push_run(runs: &mut Vec<Run>, length: u8, times: usize) {
    let once = Run { symbol: length, extra: 0 };
    let mut left = times;
    let repetitions: &[(u8, usize, usize)] = if length == 0 { &[(18, 11, 138), (17, 3, 10)] } else { &[(16, 3, 6)] };
    if length != 0 {
        runs.push(once);
        left -= 1;
    }
    for &(symbol, least, most) in repetitions {
        while left >= least {
            let now = most.min(left);
            runs.push(Run { symbol, extra: (now - least) as u32 });
            left -= now;
        }
    }
    runs.extend(std::iter::repeat_n(once, left));
}

fn count(frequencies: &mut [u32], symbol: usize) {
    if let Some(times) = frequencies.get_mut(symbol) {
        *times += 1;
    }
}

fn code(table: &[Code], symbol: usize) -> Code {
    table.get(symbol).copied().unwrap_or_default()
}

/// How many symbols there are up to the last that occurs.
fn used(frequencies: &[u32]) -> usize {
    frequencies.iter().rposition(|times| *times > 0).map_or(0, |last| last + 1)
}
