use super::*;

fn bench(row: &str) -> Bench {
    let json = format!(r#"{{"name":"word-count","unit":"M/s","probe":"chain","rows":[{row}]}}"#);
    serde_json::from_str(&json).unwrap()
}

fn metrics(figures: &[(&str, f64)]) -> Metrics {
    figures.iter().map(|(name, figure)| ((*name).to_owned(), *figure)).collect()
}

fn good(figures: &[(&str, f64)], probe: Option<&[(&str, f64)]>) -> Round {
    let product = Outcome { ok: true, why: None, metrics: metrics(figures) };
    Round { product, probe: probe.map(|figures| Ok(metrics(figures))) }
}

fn judged(row: &str, rounds: &[Round]) -> Judged {
    let bench = bench(row);
    judge(&bench, &bench.rows[0], rounds)
}

const RATIO: &str = r#"{"metric":"x","must":{"ratio_max":1.6}}"#;

#[test]
fn the_ratio_is_taken_round_by_round_and_its_median_counts() {
    // The machine slowed down in the last two rounds: the medians alone (2 over 1) would miss.
    let rounds = [(1.0, 1.0), (1.2, 1.0), (2.0, 1.0), (6.0, 4.0), (6.0, 4.0)]
        .map(|(x, base)| good(&[("x", x)], Some(&[("x", base)])));
    let row = judged(RATIO, &rounds);
    assert_eq!(row.ratio, Some(Stats { median: 1.5, min: 1.0, max: 2.0 }));
    assert_eq!(row.value.unwrap().median, 2.0);
    assert_eq!(row.must, Some(Verdict::Met));
}

#[test]
fn a_bench_that_brings_its_own_comparison_is_compared_with_that() {
    let row = judged(RATIO, &[good(&[("x", 3.0), ("x_base", 2.0)], Some(&[("x", 1.0)]))]);
    assert_eq!(row.ratio.unwrap().median, 1.5);
    assert_eq!(judged(RATIO, &[good(&[("x", 3.0), ("x_base", 2.0)], None)]).must, Some(Verdict::Met));
}

#[test]
fn without_a_probe_a_ratio_is_open_and_an_absolute_bound_is_judged() {
    let rounds = [good(&[("x", 3.0)], None)];
    assert_eq!(judged(RATIO, &rounds).must, Some(Verdict::Open("no ratio".to_owned())));
    assert_eq!(judged(r#"{"metric":"x","must":{"max":3.0}}"#, &rounds).must, Some(Verdict::Met));
}

#[test]
fn one_round_with_wrong_books_makes_a_row_missed_and_says_why() {
    let wrong =
        Outcome { ok: false, why: Some("books wrong: 3 words lost".to_owned()), metrics: metrics(&[("x", 0.1)]) };
    let rounds = [good(&[("x", 1.0)], None), Round { product: wrong, probe: None }];
    for row in [r#"{"metric":"x","must":{"max":3.0}}"#, r#"{"metric":"x"}"#] {
        let judged = judged(row, &rounds);
        assert_eq!(judged.must, Some(Verdict::Missed("1 of 2 rounds failed: books wrong: 3 words lost".to_owned())));
        assert!(judged.is_missed());
        assert_eq!(judged.value.unwrap().min, 1.0, "a failed round's figures don't count");
    }
}

#[test]
fn a_figure_that_a_run_leaves_out_is_missed_and_not_open() {
    let row = judged(r#"{"metric":"x","must":{"max":3.0}}"#, &[good(&[("y", 1.0)], None)]);
    assert!(matches!(row.must, Some(Verdict::Missed(why)) if why.contains("no x")));
}

#[test]
fn a_probe_that_fails_or_has_nothing_to_compare_with_is_missed_where_a_ratio_counts() {
    let failed = || Round { probe: Some(Err("probe is gone".to_owned())), ..good(&[("x", 1.0)], None) };
    assert!(matches!(judged(RATIO, &[failed()]).must, Some(Verdict::Missed(why)) if why.contains("probe is gone")));
    assert_eq!(judged(r#"{"metric":"x","must":{"max":3.0}}"#, &[failed()]).must, Some(Verdict::Met));
    for probe in [&[("y", 1.0)], &[("x", 0.0)]] {
        assert!(judged(RATIO, &[good(&[("x", 1.0)], Some(probe))]).is_missed());
    }
}

#[test]
fn a_row_without_bounds_is_reported_and_not_judged() {
    let row = judged(r#"{"metric":"x","unit":"ms"}"#, &[good(&[("x", 1.0)], None)]);
    assert_eq!((row.must, row.aim, row.unit.as_str()), (None, None, "ms"));
}

#[test]
fn the_aim_is_judged_beside_what_must_be_met() {
    let row = judged(r#"{"metric":"x","must":{"max":3},"aim":{"max":2}}"#, &[good(&[("x", 2.5)], None)]);
    assert_eq!(row.must, Some(Verdict::Met));
    assert!(matches!(row.aim, Some(Verdict::Missed(_))));
    assert!(!row.is_missed());
    assert_eq!(row.unit, "M/s");
}
