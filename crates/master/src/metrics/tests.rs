use super::*;

/// One of each, so that all families show.
fn filled() -> Metrics {
    let metrics = Metrics::new("1.2.3");
    for family in [&metrics.masters, &metrics.workers, &metrics.topologies, &metrics.executors] {
        family.get_or_create(&Kind { kind: "x" }).set(1);
    }
    for family in [&metrics.refused, &metrics.plans] {
        family.get_or_create(&Kind { kind: "x" }).inc();
    }
    metrics.requests.get_or_create(&Answer { method: "Cluster/Status", code: "OK" }).inc();
    metrics.request_seconds.get_or_create(&Method { method: "Cluster/Status" }).observe(0.003);
    metrics
}

#[test]
fn names_and_help_are_those_of_the_golden_file() {
    let text = filled().text();
    let described: String = text.lines().filter(|line| line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    assert_eq!(described, include_str!("golden.txt"));
}

#[test]
fn each_node_counts_for_itself() {
    let (one, other) = (Metrics::new("1"), Metrics::new("1"));
    one.stalls.inc();
    assert!(one.text().contains("squall_master_stalls_total 1\n"));
    assert!(other.text().contains("squall_master_stalls_total 0\n"));
}

#[test]
fn labels_and_units_stand_as_prometheus_wants_them() {
    let text = filled().text();
    assert!(text.contains("squall_master_requests_total{method=\"Cluster/Status\",code=\"OK\"} 1\n"), "{text}");
    assert!(text.contains("squall_build_info{version=\"1.2.3\"} 1\n"), "{text}");
    assert!(
        text.contains("squall_master_request_duration_seconds_bucket{le=\"0.005\",method=\"Cluster/Status\"} 1\n"),
        "{text}"
    );
    assert!(text.ends_with("# EOF\n"));
}
