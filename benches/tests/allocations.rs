//! Rows cost no heap allocations in steady state.

use std::collections::BTreeMap;
use std::process::Command;

#[test]
fn a_tuple_of_integers_or_short_texts_costs_next_to_no_allocation_in_either_mode() {
    let output = Command::new(env!("CARGO_BIN_EXE_squall-bench-allocations")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let figures: BTreeMap<String, f64> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(figures.len(), 4);
    for (what, per_tuple) in figures {
        assert!(per_tuple <= 0.02, "{what}: {per_tuple} allocations per tuple");
    }
}
