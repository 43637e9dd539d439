//! The name that was meant, for one that was mistyped.

/// Longer names than this aren't compared: the time grows with the product of the lengths.
const LONGEST: usize = 256;

/// The candidate most like `name`, if one is like enough to be what was meant: up to a third of it mistyped, case aside.
/// Of equals, the first.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = fold(name)?;
    candidates
        .into_iter()
        .filter_map(|candidate| Some((closeness(&name, &fold(candidate)?)?, candidate)))
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

fn fold(name: &str) -> Option<Vec<char>> {
    (name.len() <= LONGEST).then(|| name.chars().flat_map(char::to_lowercase).collect())
}

/// The distance, unless it is too far for a typing error.
fn closeness(a: &[char], b: &[char]) -> Option<usize> {
    let longer = a.len().max(b.len());
    let limit = (longer.max(3) / 3).min(longer.saturating_sub(1));
    if a.len().abs_diff(b.len()) > limit {
        return None;
    }
    Some(distance(a, b)).filter(|&distance| distance <= limit)
}

/// Insertions, deletions, replacements, and swaps of neighbours, that make `b` of `a` (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let mut cost = (above[j] + usize::from(x != y)).min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && x == b[j - 1] && a[i - 1] == y {
                let swapped: &Vec<usize> = &before;
                cost = cost.min(swapped[j - 1] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn apart(a: &str, b: &str) -> usize {
        distance(&a.chars().collect::<Vec<_>>(), &b.chars().collect::<Vec<_>>())
    }

    #[test]
    fn distances_are_the_known_ones() {
        let known = [
            ("", "", 0),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("flaw", "lawn", 2),
            ("sentences", "sentnces", 1),
            ("count", "cuont", 1),
            ("abcd", "acbd", 1),
            ("ca", "abc", 3),
        ];
        for (a, b, expected) in known {
            assert_eq!(apart(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn the_nearest_of_several_wins_and_of_equals_the_first() {
        assert_eq!(nearest("sentense", ["words", "sentences", "sentence"]), Some("sentence"));
        assert_eq!(nearest("bolt-0", ["bolt-1", "bolt-2"]), Some("bolt-1"));
    }

    #[test]
    fn case_is_no_difference() {
        assert_eq!(nearest("SENTENCES", ["words", "sentences"]), Some("sentences"));
        assert_eq!(nearest("A", ["b", "a"]), Some("a"));
    }

    #[test]
    fn what_is_too_far_is_not_offered() {
        assert_eq!(nearest("a", ["b", "c"]), None);
        assert_eq!(nearest("split", ["count"]), None);
        assert_eq!(nearest("", ["ab"]), None);
        assert_eq!(nearest("abcdef", ["abcxyz"]), None);
        assert_eq!(nearest("x", []), None);
    }

    #[test]
    fn a_third_of_a_name_may_be_mistyped() {
        assert_eq!(nearest("abcdxy", ["abcdef"]), Some("abcdef"));
        assert_eq!(nearest("ab", ["ac"]), Some("ac"));
    }

    #[test]
    fn names_of_absurd_length_are_left_out() {
        let long = "a".repeat(LONGEST + 1);
        assert_eq!(nearest(&long, [long.as_str()]), None);
        assert_eq!(nearest("a", [long.as_str()]), None);
    }

    #[test]
    fn letters_count_not_bytes() {
        assert_eq!(apart("é", "e"), 1);
        assert_eq!(nearest("größe", ["grösse", "große"]), Some("große"));
        assert_eq!(nearest("ÉTÉ", ["été"]), Some("été"));
    }

    #[test]
    fn the_longest_name_that_is_compared_is_found() {
        let name = "a".repeat(LONGEST);
        let slipped = format!("{}b", &name[1..]);
        assert_eq!(nearest(&slipped, [name.as_str()]), Some(name.as_str()));
    }

    proptest! {
        #[test]
        fn no_candidate_is_nearer_than_the_one_that_is_offered(name in "[ab]{1,6}", others in proptest::collection::vec("[ab]{1,6}", 0..6)) {
            let meant = nearest(&name, others.iter().map(String::as_str));
            if let Some(meant) = meant {
                prop_assert!(others.iter().all(|other| apart(&name, meant) <= apart(&name, other)));
                prop_assert!(apart(&name, meant) <= name.len().max(meant.len()).max(3) / 3);
            }
            prop_assert!(!others.contains(&name) || meant == Some(name.as_str()));
        }

        #[test]
        fn a_distance_is_symmetric_zero_for_equals_and_at_most_the_longer(a in "[abc]{0,8}", b in "[abc]{0,8}") {
            prop_assert_eq!(apart(&a, &b), apart(&b, &a));
            prop_assert_eq!(apart(&a, &b) == 0, a == b);
            prop_assert!(apart(&a, &b) <= a.len().max(b.len()));
            prop_assert!(apart(&a, &b) >= a.len().abs_diff(b.len()));
        }

        #[test]
        fn one_slip_in_a_name_is_always_found(name in "[a-z]{3,12}", at in 0usize..12, other in "[a-z]") {
            let at = at % name.len();
            let slipped = format!("{}{}{}", &name[..at], other, &name[at + 1..]);
            prop_assert_eq!(nearest(&slipped, [name.as_str()]), Some(name.as_str()));
        }
    }
}
