//! Huffman codes of limited length.

use super::bits::Code;

/// The codes of an alphabet whose symbols occur `frequencies` times, none longer than `limit` bits.
pub(super) fn codes(frequencies: &[u32], limit: usize) -> Vec<Code> {
    let mut used: Vec<usize> = (0..frequencies.len()).filter(|&symbol| frequency(frequencies, symbol) > 0).collect();
    let mut lengths = vec![0u8; frequencies.len()];
    if used.len() <= 2 {
        // A lone symbol, too, takes a bit.
        for symbol in used {
            set(&mut lengths, symbol, 1);
        }
        return canonical(&lengths);
    }
    used.sort_by_key(|&symbol| (frequency(frequencies, symbol), symbol));
    let weights: Vec<u32> = used.iter().map(|&symbol| frequency(frequencies, symbol)).collect();
    // The rarest symbols take part in the most levels.
    for leaves in leaves_by_level(&weights, limit.min(used.len() - 1)) {
        for &symbol in used.iter().take(leaves) {
            if let Some(length) = lengths.get_mut(symbol) {
                *length += 1;
            }
        }
    }
    canonical(&lengths)
}

/// How many bits the symbols take if each is written as often as `frequencies` says.
pub(super) fn cost(codes: &[Code], frequencies: &[u32]) -> usize {
    codes.iter().zip(frequencies).map(|(code, &times)| usize::from(code.length) * times as usize).sum()
}

/// The codes that follow from their lengths: shorter ones first, symbols in order among equal lengths.
pub(super) fn canonical(lengths: &[u8]) -> Vec<Code> {
    let mut codes = vec![Code::default(); lengths.len()];
    let mut next = 0u16;
    for length in 1..=15u8 {
        next <<= 1;
        for (code, _) in codes.iter_mut().zip(lengths).filter(|(_, of_symbol)| **of_symbol == length) {
            *code = Code { bits: next.reverse_bits() >> (16 - length), length };
            next += 1;
        }
    }
    codes
}

/// The package-merge algorithm: of each of the levels, how many of the lightest symbols are in the optimal choice. A symbol's code is
/// as long as the number of levels that it is in. Of a symbol and a package of equal weight the package comes first, which is the
/// choice among optimal codes that makes the bytes Go's.
fn leaves_by_level(weights: &[u32], levels: usize) -> Vec<usize> {
    // Whether the n-th item of a level is a package (of two items of the level below).
    let mut is_package: Vec<Vec<bool>> = Vec::with_capacity(levels);
    let mut packages: Vec<u32> = Vec::new();
    for _ in 0..levels {
        let mut items = Vec::with_capacity(weights.len() + packages.len());
        let mut sums = Vec::with_capacity(items.capacity());
        let (mut leaves, mut pairs) = (weights.iter().peekable(), packages.iter().peekable());
        loop {
            let package = match (leaves.peek(), pairs.peek()) {
                (Some(leaf), Some(pair)) => pair <= leaf,
                (None, Some(_)) => true,
                (Some(_), None) => false,
                (None, None) => break,
            };
            items.push(package);
            sums.extend(if package { pairs.next() } else { leaves.next() });
        }
        packages = sums.chunks_exact(2).map(|pair| pair.iter().sum()).collect();
        is_package.push(items);
    }
    let mut wanted = 2 * weights.len() - 2;
    let mut counts = Vec::with_capacity(levels);
    for items in is_package.iter().rev() {
        let packages = items.iter().take(wanted).filter(|package| **package).count();
        counts.push(wanted - packages);
        wanted = 2 * packages;
    }
    counts
}

fn frequency(frequencies: &[u32], symbol: usize) -> u32 {
    frequencies.get(symbol).copied().unwrap_or_default()
}

fn set(lengths: &mut [u8], symbol: usize, length: u8) {
    if let Some(slot) = lengths.get_mut(symbol) {
        *slot = length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(frequencies: &[u32], limit: usize) -> Vec<u8> {
        codes(frequencies, limit).iter().map(|code| code.length).collect()
    }

    #[test]
    fn code_lengths_follow_frequency_and_limit() {
        assert_eq!(lengths(&[0, 0, 7, 0], 15), [0, 0, 1, 0]);
        assert_eq!(lengths(&[3, 0, 7, 0], 15), [1, 0, 1, 0]);
        assert_eq!(lengths(&[1, 2, 4, 8, 16], 15), [4, 4, 3, 2, 1]);
        assert_eq!(lengths(&[1, 2, 4, 8, 16], 3), [3, 3, 3, 3, 1]);
        assert_eq!(lengths(&[1; 6], 15), [3, 3, 3, 3, 2, 2]);
    }

    #[test]
    fn codes_are_written_from_their_highest_bit() {
        let codes = canonical(&[2, 1, 3, 3]);
        let bits: Vec<u16> = codes.iter().map(|code| code.bits).collect();
        assert_eq!(bits, [0b01, 0b0, 0b011, 0b111]);
    }
}
