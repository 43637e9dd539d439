//! A program's topology as JSON.

use squall_runtime::{Program, Slot};
use squall_types::topology::Checked;

/// The topology as JSON, as [`Checked::describe`] gives it, with `"chained": true` on the inputs that are chained when it runs
/// on this many cores.
pub fn describe(program: &Program, cores: usize) -> serde_json::Value {
    let topology: &Checked = program.topology();
    let mut description = topology.describe();
    for chained in Slot::chained(program, cores) {
        let index = topology.index_of(&chained).expect("a chained component is one of the topology's");
        description["components"][index]["inputs"][0]["chained"] = true.into();
    }
    description.sort_all_objects();
    description
}
