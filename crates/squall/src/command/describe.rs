//! A program's topology as JSON.

use serde_json::json;
use squall_runtime::{Program, Slot};
use squall_types::topology::Checked;

/// The topology as JSON, as [`Checked::describe`] gives it, so that it can be submitted. Each input says besides, in `chained`, whether it is
/// chained when the topology runs on this many cores; `chain` is only whether its author lets it be.
pub fn describe(program: &Program, cores: usize) -> serde_json::Value {
    let topology: &Checked = program.topology();
    let mut description = topology.describe();
    let chained = Slot::chained(program, cores);
    for (index, component) in topology.components().iter().enumerate() {
        // What is chained has one input.
        for number in 0..component.inputs.len() {
            description["components"][index]["inputs"][number]["chained"] = json!(chained.contains(&component.id));
        }
    }
    description.sort_all_objects();
    description
}
