//! Median, least and greatest of a few rounds.

/// How a figure came out over the rounds.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Stats {
    /// The middle one; of an even number the mean of the middle two.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

impl Stats {
    /// Of these values; `None` of none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median =
            if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) };
        Some(Self { median, min, max })
    }
}

#[cfg(test)]
mod tests {
    use super::Stats;

    #[test]
    fn of_an_odd_number_the_median_is_the_middle_one() {
        assert_eq!(Stats::of(&[9.0, 1.0, 10.0, 2.0, 3.0]), Some(Stats { median: 3.0, min: 1.0, max: 10.0 }));
    }

    #[test]
    fn of_an_even_number_it_is_the_mean_of_the_middle_two() {
        assert_eq!(Stats::of(&[4.0, 1.0, 2.0, 40.0]), Some(Stats { median: 3.0, min: 1.0, max: 40.0 }));
    }

    #[test]
    fn one_value_is_all_three_and_none_are_none() {
        assert_eq!(Stats::of(&[7.0]), Some(Stats { median: 7.0, min: 7.0, max: 7.0 }));
        assert_eq!(Stats::of(&[]), None);
    }
}
