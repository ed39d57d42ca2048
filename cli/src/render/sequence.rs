//! Pairing the elements of two sequences.

/// A step through two sequences: an element on both sides, or on one alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Index in the first sequence.
    pub before: Option<usize>,
    /// Index in the second sequence.
    pub after: Option<usize>,
}

impl Pair {
    fn both(before: usize, after: usize) -> Pair {
        Pair { before: Some(before), after: Some(after) }
    }
}

/// Pairs two sequences as Terraform's plans do: by index when they are equally long and not a mere reordering, else along
/// their longest common subsequence. Between common elements, elements for which `comparable` holds on both sides are
/// paired as changes of each other; the rest is removed or added.
pub fn pair<T: PartialEq>(before: &[T], after: &[T], comparable: impl Fn(&T) -> bool) -> Vec<Pair> {
    if before.len() == after.len() && !before.iter().all(|b| after.contains(b)) {
        return (0..before.len()).map(|i| Pair::both(i, i)).collect();
    }
    let common = longest_common_subsequence(before, after);
    let mut pairs = Vec::with_capacity(before.len().max(after.len()));
    let (mut b, mut a) = (0, 0);
    // What is common is found again from the front: of equal elements the first one is kept.
    for next in common.into_iter().map(Some).chain(std::iter::once(None)) {
        let stops = |element: Option<&T>| element.is_none_or(|element| next == Some(element));
        while !stops(before.get(b)) {
            let changed =
                before.get(b).is_some_and(&comparable) && !stops(after.get(a)) && after.get(a).is_some_and(&comparable);
            pairs.push(Pair { before: Some(b), after: changed.then_some(a) });
            b += 1;
            a += usize::from(changed);
        }
        while !stops(after.get(a)) {
            pairs.push(Pair { before: None, after: Some(a) });
            a += 1;
        }
        if next.is_some() {
            pairs.push(Pair::both(b, a));
            b += 1;
            a += 1;
        }
    }
    pairs
}

/// A longest common subsequence; of several, the one that Terraform shows.
fn longest_common_subsequence<'a, T: PartialEq>(before: &'a [T], after: &[T]) -> Vec<&'a T> {
    // table[r][c]: the length for the first r elements before and the first c after.
    let width = after.len() + 1;
    let mut table = vec![0u32; (before.len() + 1) * width];
    let at = |table: &[u32], r: usize, c: usize| table.get(r * width + c).copied().unwrap_or(0);
    for (r, old) in before.iter().enumerate() {
        for (c, new) in after.iter().enumerate() {
            let length = if old == new { at(&table, r, c) + 1 } else { at(&table, r, c + 1).max(at(&table, r + 1, c)) };
            if let Some(cell) = table.get_mut((r + 1) * width + c + 1) {
                *cell = length;
            }
        }
    }
    let mut common = Vec::new();
    let (mut r, mut c) = (before.len(), after.len());
    while let (Some(old), Some(new)) = (before.get(r.wrapping_sub(1)), after.get(c.wrapping_sub(1))) {
        if old == new {
            common.push(old);
            r -= 1;
            c -= 1;
        } else if at(&table, r - 1, c) > at(&table, r, c - 1) {
            r -= 1;
        } else {
            c -= 1;
        }
    }
    common.reverse();
    common
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(before: &str, after: &str) -> String {
        let (b, a): (Vec<char>, Vec<char>) = (before.chars().collect(), after.chars().collect());
        let step = |p: &Pair| match (p.before, p.after) {
            (Some(i), Some(j)) if b[i] == a[j] => format!(" {}", b[i]),
            (Some(i), Some(j)) => format!("~{}{}", b[i], a[j]),
            (Some(i), None) => format!("-{}", b[i]),
            (None, Some(j)) => format!("+{}", a[j]),
            (None, None) => String::new(),
        };
        pair(&b, &a, |_| false).iter().map(step).collect::<Vec<_>>().join(",")
    }

    #[test]
    fn pairs_as_terraform_does() {
        assert_eq!(show("abc", "xab"), "~ax,~ba,~cb");
        assert_eq!(show("ab", "ba"), "-a, b,+a");
        assert_eq!(show("abcd", "axd"), " a,-b,-c,+x, d");
        assert_eq!(show("aa", "ab"), " a,-a,+b");
        assert_eq!(show("aab", "bba"), "-a,-a, b,+b,+a");
        assert_eq!(show("abcd", "bcda"), "-a, b, c, d,+a");
        assert_eq!(show("", "ab"), "+a,+b");
        assert_eq!(show("abab", "cabxa"), "+c, a, b,+x, a,-b");
    }
}
