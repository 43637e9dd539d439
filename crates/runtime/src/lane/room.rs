//! How many rows a spout is asked for at a time.

use super::outputs::{BATCH, BATCH_BYTES};

/// The rows that a batch may have: a full one while rows are small, fewer once their bytes would go over the bound.
#[derive(Clone, Copy, Debug)]
pub struct Room(usize);

impl Default for Room {
    /// Few rows, until their size is known.
    fn default() -> Self {
        Self(16)
    }
}

impl Room {
    /// The rows to ask for.
    pub fn rows(self) -> usize {
        self.0
    }

    /// A call made so many rows of so many bytes together.
    pub fn learn(&mut self, rows: usize, bytes: usize) {
        if rows > 0 {
            let fit = rows.saturating_mul(BATCH_BYTES).checked_div(bytes).unwrap_or(BATCH);
            self.0 = fit.clamp(1, (2 * self.0).min(BATCH));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_grows_to_a_batch_while_rows_are_small_and_shrinks_at_once_for_large_ones() {
        let mut room = Room::default();
        for rows in [32, 64, 128, 256, 512, 512] {
            room.learn(16, 16 * 100);
            assert_eq!(room.rows(), rows);
        }
        room.learn(256, 256 << 20);
        assert_eq!(room.rows(), 1, "rows of 1 MiB go one by one");
        room.learn(1, BATCH_BYTES / 10);
        assert_eq!(room.rows(), 2, "and grow again step by step");
        room.learn(0, 0);
        assert_eq!(room.rows(), 2, "a call without rows says nothing");
    }
}
