//! A topology as JSON.

use serde_json::Value;

use super::Checked;

impl Checked {
    /// The topology as JSON, as declared and with what follows from it: each component's `first_task`, and
    /// `closes_cycle` on inputs that do. Keys are sorted. A [`Topology`](super::Topology) can be read back from it.
    pub fn describe(&self) -> Value {
        let mut description =
            serde_json::to_value(self.topology()).expect("a topology's keys are text and its values are JSON");
        for (index, component) in self.components().iter().enumerate() {
            let place = &mut description["components"][index];
            place["first_task"] = self.tasks_of(index).first().get().into();
            for input in (0..component.inputs.len()).filter(|&input| self.closes_cycle(index, input)) {
                place["inputs"][input]["closes_cycle"] = true.into();
            }
        }
        // Some build of a dependency may have made objects keep the order of insertion.
        description.sort_all_objects();
        description
    }
}
