//! Whether a bound is met.

use super::spec::Bound;

/// What comes of holding a figure against a bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is met.
    Met,
    /// It is not, and why.
    Missed(String),
    /// It can't be said, and why.
    Open(String),
}

/// Holds the median and the median ratio against a bound.
pub fn judge(bound: &Bound, value: Option<f64>, ratio: Option<f64>) -> Verdict {
    let parts = [
        at_most("ratio", ratio, bound.ratio_max),
        at_least("ratio", ratio, bound.ratio_min),
        at_most("value", value, bound.max),
        at_least("value", value, bound.min),
        any(&bound.or, value, ratio),
    ];
    parts.into_iter().fold(Verdict::Met, Verdict::and)
}

impl Verdict {
    /// Both: a miss outweighs what is open.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Missed(a), Self::Missed(b)) => Self::Missed(format!("{a}; {b}")),
            (missed @ Self::Missed(_), _) | (_, missed @ Self::Missed(_)) => missed,
            (open @ Self::Open(_), _) | (_, open @ Self::Open(_)) => open,
            (Self::Met, Self::Met) => Self::Met,
        }
    }

    /// Either: what is open outweighs a miss, for it may yet be met.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Met, _) | (_, Self::Met) => Self::Met,
            (open @ Self::Open(_), _) | (_, open @ Self::Open(_)) => open,
            (Self::Missed(a), Self::Missed(b)) => Self::Missed(format!("{a}, {b}")),
        }
    }
}

fn any(alternatives: &[Bound], value: Option<f64>, ratio: Option<f64>) -> Verdict {
    alternatives.iter().map(|it| judge(it, value, ratio)).reduce(Verdict::or).unwrap_or(Verdict::Met)
}

fn at_most(what: &str, figure: Option<f64>, limit: Option<f64>) -> Verdict {
    compare(what, figure, limit, ">", |figure, limit| figure <= limit)
}

fn at_least(what: &str, figure: Option<f64>, limit: Option<f64>) -> Verdict {
    compare(what, figure, limit, "<", |figure, limit| figure >= limit)
}

fn compare(what: &str, figure: Option<f64>, limit: Option<f64>, broken: &str, holds: fn(f64, f64) -> bool) -> Verdict {
    match (figure, limit) {
        (_, None) => Verdict::Met,
        (None, Some(_)) => Verdict::Open(format!("no {what}")),
        (Some(figure), Some(limit)) if holds(figure, limit) => Verdict::Met,
        (Some(figure), Some(limit)) => Verdict::Missed(format!("{what} {figure:.3} {broken} {limit}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(json: &str) -> Bound {
        serde_json::from_str(json).unwrap()
    }

    fn missed(why: &str) -> Verdict {
        Verdict::Missed(why.to_owned())
    }

    #[test]
    fn each_kind_of_bound_holds_at_its_limit_and_not_past_it() {
        let (at, past_up, past_down) = (Some(1.5), Some(1.501), Some(1.499));
        for (json, past) in [(r#"{"max":1.5}"#, past_up), (r#"{"min":1.5}"#, past_down)] {
            assert_eq!(judge(&bound(json), at, None), Verdict::Met, "{json}");
            assert!(matches!(judge(&bound(json), past, at), Verdict::Missed(_)), "{json}");
        }
        for (json, past) in [(r#"{"ratio_max":1.5}"#, past_up), (r#"{"ratio_min":1.5}"#, past_down)] {
            assert_eq!(judge(&bound(json), None, at), Verdict::Met, "{json}");
            assert!(matches!(judge(&bound(json), at, past), Verdict::Missed(_)), "{json}");
        }
    }

    #[test]
    fn all_parts_must_hold_and_all_that_do_not_are_named() {
        let both = bound(r#"{"max":2,"ratio_max":1.6}"#);
        assert_eq!(judge(&both, Some(2.0), Some(1.6)), Verdict::Met);
        assert_eq!(judge(&both, Some(3.0), Some(1.0)), missed("value 3.000 > 2"));
        assert_eq!(judge(&both, Some(3.0), Some(1.7)), missed("ratio 1.700 > 1.6; value 3.000 > 2"));
    }

    #[test]
    fn one_alternative_is_enough() {
        let either = bound(r#"{"or":[{"ratio_min":0.6},{"min":40}]}"#);
        assert_eq!(judge(&either, Some(10.0), Some(0.7)), Verdict::Met);
        assert_eq!(judge(&either, Some(41.0), None), Verdict::Met);
        assert_eq!(judge(&either, Some(10.0), Some(0.5)), missed("ratio 0.500 < 0.6, value 10.000 < 40"));
    }

    #[test]
    fn alternatives_do_not_excuse_the_other_parts() {
        let mixed = bound(r#"{"max":2,"or":[{"ratio_max":1},{"ratio_max":2}]}"#);
        assert_eq!(judge(&mixed, Some(3.0), Some(1.5)), missed("value 3.000 > 2"));
    }

    #[test]
    fn without_a_comparison_a_ratio_is_open_unless_something_else_decides() {
        let open = Verdict::Open("no ratio".to_owned());
        assert_eq!(judge(&bound(r#"{"ratio_max":1.6}"#), Some(1.0), None), open);
        assert_eq!(judge(&bound(r#"{"or":[{"ratio_max":1.6},{"max":1}]}"#), Some(2.0), None), open);
        assert_eq!(judge(&bound(r#"{"ratio_max":1.6,"max":1}"#), Some(2.0), None), missed("value 2.000 > 1"));
    }
}
