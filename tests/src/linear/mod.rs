//! Is a recorded history linearizable? The search of Wing and Gong with Lowe's memory of where it has been.
//!
//! A history of one object is linearizable if its operations can be put in one order such that each takes effect at some moment between its
//! call and its return, and each answer is the one that the object would give. Objects are independent, so each topology is searched alone.

mod history;
mod register;
mod search;

pub use history::{Call, History, InFlight, Operation, Outcome, Recorder};
pub use register::{Answer, Register, Request, Seen};
pub use search::{Model, Verdict, search};

/// Searches the history of every topology.
///
/// # Errors
/// Shows the first that has no order, and where the search got stuck; or says that the search was given up after `limit` states.
pub fn check(history: &History, limit: usize) -> Result<(), String> {
    for (topology, operations) in history.by_topology() {
        match search::<Register>(&operations, limit) {
            Verdict::Linearizable => {}
            Verdict::Violated { done, stuck } => return Err(explain(&topology, &operations, &done, &stuck)),
            Verdict::Endless => return Err(format!("{topology}: no verdict within {limit} states")),
        }
    }
    Ok(())
}

fn explain(topology: &str, operations: &[Operation], done: &[usize], stuck: &[usize]) -> String {
    let line = |at: &usize| format!("    {}\n", operations[*at]);
    let tail = done.iter().rev().take(8).rev().map(line).collect::<String>();
    let next = stuck.iter().map(line).collect::<String>();
    format!(
        "the history of {topology} isn't linearizable: {} of {} operations can be ordered, the last of them\n{tail}  and none of \
         these can be next\n{next}",
        done.len(),
        operations.len()
    )
}

#[cfg(test)]
mod tests;
