//! Characters and letters as the functions count and change them.

use unicode_segmentation::UnicodeSegmentation;

/// The grapheme clusters of a text by the rules of Unicode 15.0: an Indic consonant begins a cluster of its own, also
/// behind a virama (rule GB9c came later and would make `length` differ from Terraform's).
pub(super) fn graphemes(text: &str) -> impl Iterator<Item = &str> {
    text.graphemes(true).flat_map(|cluster| {
        let mut starts = vec![0];
        if !cluster.is_ascii() {
            let mut previous = None;
            for (index, c) in cluster.char_indices() {
                if index > 0 && is_indic_consonant(c) && previous.is_some_and(joins_consonants) {
                    starts.push(index);
                }
                previous = Some(c);
            }
        }
        let ends = starts.iter().copied().skip(1).chain([cluster.len()]).collect::<Vec<_>>();
        starts.into_iter().zip(ends).filter_map(move |(start, end)| cluster.get(start..end)).collect::<Vec<_>>()
    })
}

fn is_indic_consonant(c: char) -> bool {
    let code = c as u32;
    if !(0x0900..0x0D80).contains(&code) {
        return false;
    }
    // The blocks of the scripts have the same layout: Devanagari, Bengali, (Gurmukhi,) Gujarati, Oriya, (Tamil,) Telugu,
    // (Kannada,) Malayalam.
    let consonant = matches!(code % 0x80, 0x15..=0x39 | 0x58..=0x5F | 0x70..=0x7F);
    consonant && !matches!(code / 0x80 * 0x80, 0x0A00 | 0x0B80 | 0x0C80)
}

fn joins_consonants(c: char) -> bool {
    // Prepended characters (U+0D4E) join by a rule that Unicode 15.0 has too.
    !matches!(c as u32, 0x0D4E)
}

/// How many grapheme clusters a text has.
pub(super) fn grapheme_count(text: &str) -> usize {
    if text.is_ascii() && !text.contains('\r') { text.len() } else { graphemes(text).count() }
}

/// The single upper-case character of a character; those that have only several (`ß`) stay as they are.
pub(super) fn upper(c: char) -> char {
    match c as u32 {
        0x1F80..=0x1F87 | 0x1F90..=0x1F97 | 0x1FA0..=0x1FA7 => char::from_u32(c as u32 + 8).unwrap_or(c),
        0x1FB3 | 0x1FC3 | 0x1FF3 => char::from_u32(c as u32 + 9).unwrap_or(c),
        _ => single(c, c.to_uppercase()),
    }
}

/// The single lower-case character of a character.
pub(super) fn lower(c: char) -> char {
    if c == '\u{130}' { 'i' } else { single(c, c.to_lowercase()) }
}

/// The single title-case character: the upper-case one but for digraphs and Georgian.
pub(super) fn title(c: char) -> char {
    match c as u32 {
        0x01C4..=0x01C6 => '\u{1C5}',
        0x01C7..=0x01C9 => '\u{1C8}',
        0x01CA..=0x01CC => '\u{1CB}',
        0x01F1..=0x01F3 => '\u{1F2}',
        0x10D0..=0x10FF => c,
        0x1F88..=0x1F8F | 0x1F98..=0x1F9F | 0x1FA8..=0x1FAF | 0x1FBC | 0x1FCC | 0x1FFC => c,
        _ => upper(c),
    }
}

fn single(c: char, mut mapped: impl Iterator<Item = char>) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(mapped), None) => mapped,
        _ => c,
    }
}
