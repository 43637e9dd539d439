//! A program's topology as JSON.

use serde_json::json;
use squall_runtime::{Program, Slot};
use squall_types::topology::Checked;

/// The topology as JSON, as [`Checked::describe`] gives it, but that each input says of its chaining apart whether its author lets
/// it be chained and whether it is when the topology runs on this many cores: `"chaining": {"allowed": true, "chained": false}`.
pub fn describe(program: &Program, cores: usize) -> serde_json::Value {
    let topology: &Checked = program.topology();
    let mut description = topology.describe();
    let chained = Slot::chained(program, cores);
    for (index, component) in topology.components().iter().enumerate() {
        for (number, input) in component.inputs.iter().enumerate() {
            // What is chained has one input.
            let chaining = json!({ "allowed": input.chain, "chained": chained.contains(&component.id) });
            let described = &mut description["components"][index]["inputs"][number];
            described["chaining"] = chaining;
            described.as_object_mut().expect("an input is described as an object").remove("chain");
        }
    }
    description.sort_all_objects();
    description
}
