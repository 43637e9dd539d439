//! Edge ids: 64 pseudo-random bits a tuple, made without shared state.
//!
//! The ledger takes a tree for complete when its edges XOR to zero, so edges must not be related by XOR. A linear generator
//! (xorshift and its kin) seeded by task number is: tasks 4, 5, 6 and 7 that emit a row each would make four edges whose sum
//! is zero, and complete the root before any of these rows was seen. Splitmix64's finaliser multiplies, which is not linear.

use squall_types::EdgeId;

/// 2⁶⁴ divided by the golden ratio, odd: the counter visits every 64-bit number before it repeats.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Makes edge ids: no two alike within one generator, none of them [`EdgeId::ZERO`].
#[derive(Clone, Debug)]
pub struct EdgeIds {
    state: u64,
}

impl EdgeIds {
    /// A generator for one task's life. `key` should be random; generators of neighbouring keys are unrelated all the same.
    pub fn new(key: u64) -> Self {
        // Mixed first: keys that lie a multiple of `GOLDEN` apart would else give the same ids, shifted.
        Self { state: mix(key) }
    }

    /// The next edge.
    #[inline]
    #[expect(
        clippy::should_implement_trait,
        reason = "an endless source; `Iterator` would wrap each id in an `Option`"
    )]
    pub fn next(&mut self) -> EdgeId {
        loop {
            self.state = self.state.wrapping_add(GOLDEN);
            let bits = mix(self.state);
            if bits != 0 {
                return EdgeId::from_bits(bits);
            }
        }
    }
}

/// Splitmix64's finaliser: a permutation of the 64-bit numbers, not linear over XOR.
#[inline]
const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ bits >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ bits >> 31
}

/// The edges of a row's `copies` copies: together they XOR to `edge`, so the row's own record need not be touched.
///
/// A single copy keeps the edge itself. With no copies nothing carries the edge on, and the caller acks it at once.
#[inline]
pub fn split(edge: EdgeId, ids: &mut EdgeIds, copies: usize) -> Split<'_> {
    Split { rest: edge, ids, left: copies }
}

/// The iterator that [`split`] returns. To be run to its end, else the XOR doesn't add up and the root times out.
#[derive(Debug)]
#[must_use = "the copies' edges add up only if each goes with its copy"]
pub struct Split<'a> {
    rest: EdgeId,
    ids: &'a mut EdgeIds,
    left: usize,
}

impl Iterator for Split<'_> {
    type Item = EdgeId;

    #[inline]
    fn next(&mut self) -> Option<EdgeId> {
        self.left = self.left.checked_sub(1)?;
        if self.left == 0 {
            return Some(self.rest);
        }
        let edge = self.ids.next();
        self.rest ^= edge;
        Some(edge)
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Split<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEYS: u64 = 16;

    /// Whether some of the generators with keys `first..first + KEYS` make edges that cancel: walks all subsets in Gray-code
    /// order, so that each differs from the one before by one generator.
    fn some_cancel(first: u64, step: usize, nth: impl Fn(u64, usize) -> u64) -> bool {
        let edges: Vec<u64> = (0..KEYS).map(|i| nth(first + i, step)).collect();
        let mut sum = 0;
        (1u32..1 << KEYS).any(|subset| {
            sum ^= edges[subset.trailing_zeros() as usize];
            sum == 0
        })
    }

    fn nth_of_ours(key: u64, step: usize) -> u64 {
        let mut ids = EdgeIds::new(key);
        (0..=step).fold(EdgeId::ZERO, |_, _| ids.next()).to_bits()
    }

    fn nth_of_xorshift(key: u64, step: usize) -> u64 {
        (0..=step).fold(key, |mut x, _| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^ x << 17
        })
    }

    #[test]
    fn generators_with_neighbouring_keys_never_cancel() {
        for first in [1, 4, 1 << 32, u64::MAX - KEYS] {
            for step in [0, 1, 2, 100] {
                assert!(!some_cancel(first, step, nth_of_ours), "keys from {first}, step {step}");
            }
        }
    }

    #[test]
    fn the_check_for_cancelling_catches_an_xorshift() {
        assert!(some_cancel(4, 0, nth_of_xorshift));
        assert!(some_cancel(4, 100, nth_of_xorshift));
        let all_edge_onto_four_tasks = (4..8).fold(0, |sum, task| sum ^ nth_of_xorshift(task, 3));
        assert_eq!(all_edge_onto_four_tasks, 0, "the trap: the root would complete before its rows were seen");
    }

    #[test]
    fn keys_a_golden_ratio_apart_make_different_ids() {
        let (mut a, mut b) = (EdgeIds::new(7), EdgeIds::new(7u64.wrapping_add(GOLDEN)));
        a.next();
        assert_ne!(a.next(), b.next());
    }

    #[test]
    fn the_finaliser_is_splitmix64s() {
        // The first outputs of the published generator, seeded with 1234567.
        let mut ids = EdgeIds { state: 1_234_567 };
        assert_eq!(ids.next().to_bits(), 6_457_827_717_110_365_317);
        assert_eq!(ids.next().to_bits(), 3_203_168_211_198_807_973);
        assert_eq!(ids.next().to_bits(), 9_817_491_932_198_370_423);
    }

    #[test]
    fn zero_is_skipped() {
        let mut ids = EdgeIds { state: 0u64.wrapping_sub(GOLDEN) };
        assert_eq!(ids.next().to_bits(), mix(GOLDEN), "the state before would have mixed to zero");
    }

    proptest! {
        #[test]
        fn the_edges_of_copies_add_up_to_the_rows_edge(key: u64, edge in 1u64.., copies in 1usize..20) {
            let edge = EdgeId::from_bits(edge);
            let mut ids = EdgeIds::new(key);
            let edges: Vec<EdgeId> = split(edge, &mut ids, copies).collect();
            prop_assert_eq!(edges.len(), copies);
            prop_assert_eq!(edges.iter().fold(EdgeId::ZERO, |sum, &e| sum ^ e), edge);
            // No proper prefix adds up to nothing: none of the copies alone completes a root.
            let mut sum = edge;
            for (i, &e) in edges.iter().enumerate() {
                sum ^= e;
                prop_assert_eq!(sum.is_zero(), i + 1 == copies);
            }
        }

        #[test]
        fn a_row_without_copies_makes_no_edge(key: u64) {
            let mut ids = EdgeIds::new(key);
            prop_assert_eq!(split(EdgeId::from_bits(1), &mut ids, 0).count(), 0);
            prop_assert_eq!(ids.next(), EdgeIds::new(key).next());
        }

        #[test]
        fn one_generator_makes_no_id_twice(key: u64) {
            let mut ids = EdgeIds::new(key);
            let mut seen: Vec<u64> = (0..2_000).map(|_| ids.next().to_bits()).collect();
            seen.sort_unstable();
            seen.dedup();
            prop_assert_eq!(seen.len(), 2_000);
        }
    }
}
