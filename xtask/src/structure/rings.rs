//! The rings: a crate depends only on crates of lower rings, and the cores on nothing that is not deterministic.

use super::Finding;
use crate::workspace::{Dependency, Metadata, Package};

/// Every crate there may be, with its ring. Ring 4 is the project's own tools, on which nothing depends.
const RINGS: [(&str, u8); 21] = [
    ("squall-types", 0),
    ("squall-derive", 0),
    ("squall-proto", 0),
    ("squall-engine", 1),
    ("squall-control", 1),
    ("squall-daemon", 2),
    ("squall-raft", 2),
    ("squall-runtime", 2),
    ("squall-multilang", 2),
    ("squall-operators", 2),
    ("squall-connectors", 2),
    ("squall-flow", 2),
    ("squall-master", 2),
    ("squall-worker", 2),
    ("squall-dashboard", 2),
    ("squall", 3),
    ("squall-cli", 3),
    ("squall-benches", 4),
    ("squall-tests", 4),
    ("squall-sim", 4),
    ("xtask", 4),
];

/// Edges within one ring that the design has.
const SIDEWAYS: [(&str, &str); 6] = [
    // The conversions between wire types and the vocabulary live with the wire types.
    ("squall-proto", "squall-types"),
    // The master's daemon is what hosts its Raft.
    ("squall-master", "squall-raft"),
    // What daemons share: configuration, certificates, monitoring.
    ("squall-master", "squall-daemon"),
    ("squall-worker", "squall-daemon"),
    // The binary runs topologies through the SDK.
    ("squall-cli", "squall"),
    // Masters are measured as they are tested: as processes.
    ("squall-benches", "squall-tests"),
];

/// Edges that go down and are wrong all the same: wire types stay at the edges, so the cores never see them.
const BARRED: [(&str, &str); 2] = [("squall-engine", "squall-proto"), ("squall-control", "squall-proto")];

/// What does I/O, tells the time or rolls dice. A name covers the family `name-…` too.
const IMPURE: [&str; 20] = [
    "async-std",
    "chrono",
    "crossbeam",
    "fastrand",
    "getrandom",
    "hyper",
    "jiff",
    "mio",
    "parking_lot",
    "rand",
    "rand_core",
    "rayon",
    "redb",
    "reqwest",
    "smol",
    "socket2",
    "time",
    "tokio",
    "tonic",
    "uuid",
];

/// The ring of a crate, if it is known.
pub fn ring(name: &str) -> Option<u8> {
    RINGS.iter().find(|(known, _)| *known == name).map(|(_, ring)| *ring)
}

/// Whether this crate decides and does nothing else: rings 0 and 1.
pub fn is_core(name: &str) -> bool {
    ring(name).is_some_and(|ring| ring <= 1)
}

/// Checks every crate's place and its dependencies. Dev-dependencies are free: they build no product.
pub fn check(metadata: &Metadata) -> Vec<Finding> {
    metadata.packages.iter().flat_map(check_package).collect()
}

fn check_package(package: &Package) -> Vec<Finding> {
    let Some(own) = ring(&package.name) else {
        return vec![unknown(&package.name)];
    };
    let built_on = package.dependencies.iter().filter(|it| it.is_built_on());
    built_on.filter_map(|dependency| check_edge(package, own, dependency)).collect()
}

fn check_edge(package: &Package, own: u8, dependency: &Dependency) -> Option<Finding> {
    let (from, to) = (package.name.as_str(), dependency.name.as_str());
    match ring(to) {
        None if own <= 1 && is_impure(to) && !is_wire(from, to) => Some(impure(from, to)),
        None => None,
        Some(_) if BARRED.contains(&(from, to)) => Some(upward(from, to, "wire types stay at the edges")),
        Some(below) if below < own || SIDEWAYS.contains(&(from, to)) => None,
        Some(ring) => Some(upward(from, to, &format!("ring {own} may not use ring {ring}"))),
    }
}

/// Generated services are written against tonic; no core may use the crate that holds them.
fn is_wire(from: &str, to: &str) -> bool {
    from == "squall-proto" && (to == "tonic" || to.starts_with("tonic-"))
}

fn is_impure(name: &str) -> bool {
    IMPURE.iter().any(|impure| name.strip_prefix(impure).is_some_and(|rest| rest.is_empty() || rest.starts_with('-')))
}

fn unknown(name: &str) -> Finding {
    let mend = "give it a ring in RINGS (xtask/src/structure/rings.rs) and a row in docs/architecture.md";
    Finding::new(name, "this crate has no ring", mend)
}

fn upward(from: &str, to: &str, why: &str) -> Finding {
    let mend = "move what both need to a lower ring; if the design has this edge, add it to SIDEWAYS with its reason";
    Finding::new(from, format!("depends on {to}: {why}"), mend)
}

fn impure(from: &str, to: &str) -> Finding {
    let mend = "let a crate of ring 2 do it and pass the result in; tests may have it as a dev-dependency";
    Finding::new(from, format!("depends on {to}, but a core does no I/O, tells no time and rolls no dice"), mend)
}

#[cfg(test)]
mod tests {
    use super::super::sample::{dependency, metadata};
    use super::*;

    fn found(crates: &[(&str, &[&str])]) -> Vec<String> {
        check(&metadata(crates)).into_iter().map(|it| format!("{}: {}", it.place, it.what)).collect()
    }

    #[test]
    fn downward_edges_and_those_of_the_design_pass() {
        let crates: [(&str, &[&str]); 6] = [
            ("squall-types", &["serde"]),
            ("squall-proto", &["squall-types", "tonic", "prost"]),
            ("squall-engine", &["squall-types", "hashbrown"]),
            ("squall-runtime", &["squall-engine", "squall-types", "tokio"]),
            ("squall", &["squall-runtime", "squall-derive"]),
            ("squall-cli", &["squall"]),
        ];
        assert_eq!(found(&crates), [""; 0]);
    }

    #[test]
    fn an_upward_edge_is_found() {
        assert_eq!(
            found(&[("squall-types", &["squall-engine"])]),
            ["squall-types: depends on squall-engine: ring 0 may not use ring 1"]
        );
        assert_eq!(found(&[("squall", &["squall-cli"])]), ["squall: depends on squall-cli: ring 3 may not use ring 3"]);
    }

    #[test]
    fn a_sideways_edge_is_found() {
        assert_eq!(
            found(&[("squall-worker", &["squall-master"])]),
            ["squall-worker: depends on squall-master: ring 2 may not use ring 2"]
        );
    }

    #[test]
    fn a_core_on_wire_types_is_found_though_it_points_down() {
        assert_eq!(found(&[("squall-control", &["squall-proto"])]).len(), 1);
    }

    #[test]
    fn an_unknown_crate_is_found() {
        assert_eq!(found(&[("squall-extras", &[])]), ["squall-extras: this crate has no ring"]);
    }

    #[test]
    fn a_core_that_does_io_or_rolls_dice_is_found() {
        for impure in ["tokio", "tokio-util", "tonic", "rand", "rand_core", "getrandom"] {
            assert_eq!(found(&[("squall-engine", &[impure])]).len(), 1, "{impure}");
            assert_eq!(found(&[("squall-runtime", &[impure])]).len(), 0, "{impure}");
        }
        assert_eq!(found(&[("squall-proto", &["tokio"])]).len(), 1);
        assert_eq!(found(&[("squall-engine", &["random-name", "timely"])]).len(), 0);
    }

    #[test]
    fn build_dependencies_count_and_dev_dependencies_do_not() {
        let mut metadata = metadata(&[("squall-engine", &[])]);
        metadata.packages[0].dependencies =
            vec![dependency("squall-runtime", Some("dev")), dependency("rand", Some("dev"))];
        assert_eq!(check(&metadata), []);
        metadata.packages[0].dependencies = vec![dependency("squall-runtime", Some("build"))];
        assert_eq!(check(&metadata).len(), 1);
    }
}
