//! Where packages are.

use std::collections::BTreeSet;

use squall_types::cluster::{BlobId, RaftId};

use super::Violation;

/// Who is said to have a package has it, whatever crashes. `keeps` tells it of a disk's life; none, if that disk is lost.
pub fn packages(
    said: &[(BlobId, BTreeSet<RaftId>)],
    keeps: impl Fn(RaftId, BlobId) -> Option<bool>,
) -> Result<(), Violation> {
    for (package, held_by) in said {
        if let Some(without) = held_by.iter().find(|id| keeps(**id, *package) == Some(false)) {
            return Err(format!("{without} is said to have package {}, and hasn't", package.short()));
        }
    }
    Ok(())
}
