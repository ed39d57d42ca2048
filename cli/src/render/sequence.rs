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
    let ends = std::iter::once((before.len(), after.len()));
    for (next_b, next_a) in common.into_iter().chain(ends) {
        while b < next_b {
            let comparable_here = before.get(b).is_some_and(&comparable);
            if comparable_here && a < next_a && after.get(a).is_some_and(&comparable) {
                pairs.push(Pair::both(b, a));
                a += 1;
            } else {
                pairs.push(Pair { before: Some(b), after: None });
            }
            b += 1;
        }
        while a < next_a {
            pairs.push(Pair { before: None, after: Some(a) });
            a += 1;
        }
        if b < before.len() && a < after.len() {
            pairs.push(Pair::both(b, a));
            b += 1;
            a += 1;
        }
    }
    pairs
}

/// Index pairs of a longest common subsequence; of several, the one that Terraform shows.
fn longest_common_subsequence<T: PartialEq>(before: &[T], after: &[T]) -> Vec<(usize, usize)> {
    let (rows, columns) = (before.len(), after.len());
    let equal = |r: usize, c: usize| before.get(r).zip(after.get(c)).is_some_and(|(b, a)| b == a);
    // table[r][c]: the length for the first r and c elements.
    let width = columns + 1;
    let mut table = vec![0u32; (rows + 1) * width];
    let at = |table: &[u32], r: usize, c: usize| table.get(r * width + c).copied().unwrap_or(0);
    for r in 0..rows {
        for c in 0..columns {
            let length =
                if equal(r, c) { at(&table, r, c) + 1 } else { at(&table, r, c + 1).max(at(&table, r + 1, c)) };
            if let Some(cell) = table.get_mut((r + 1) * width + c + 1) {
                *cell = length;
            }
        }
    }
    let mut pairs = Vec::new();
    let (mut r, mut c) = (rows, columns);
    while r > 0 && c > 0 {
        let length = at(&table, r, c);
        if at(&table, r, c - 1) == length {
            c -= 1;
        } else if at(&table, r - 1, c) == length {
            r -= 1;
        } else {
            pairs.push((r - 1, c - 1));
            r -= 1;
            c -= 1;
        }
    }
    pairs.reverse();
    pairs
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
    }
}
