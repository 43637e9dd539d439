//! What a master has for the leader to decide, which asks for it when it calls the roll: so nobody can push it into the log.

use std::path::PathBuf;
use std::sync::Arc;

use squall_proto::internal;

use crate::core::Core;
use crate::gate::denials::{Denial, Denials};
use crate::tokens::wanted::Wanted;

/// What waits for the leader.
#[derive(Clone)]
pub(crate) struct Matters {
    pub denials: Arc<Denials>,
    pub data_dir: PathBuf,
}

impl Matters {
    /// All of it that isn't on record yet.
    pub(crate) fn of(&self, core: &Core) -> (Vec<internal::Denial>, Option<internal::WantedToken>) {
        let now = core.own_time();
        let on_record = |request| matches!(core.read().answered(request, now), Ok(Some(_)) | Err(_));
        let denials = self.denials.waiting(now, on_record).into_iter().map(denial).collect();
        (denials, self.wanted(core))
    }

    /// The token that is asked for in the data directory, unless it is there.
    fn wanted(&self, core: &Core) -> Option<internal::WantedToken> {
        let wanted = match Wanted::read(&self.data_dir) {
            Ok(wanted) => wanted?,
            Err(error) => {
                let file = crate::tokens::wanted::file(&self.data_dir);
                tracing::warn!("the token that {} asks for is not made: {error}", file.display());
                return None;
            }
        };
        let there = core.read().tokens().any(|(id, _)| id == wanted.id);
        if there {
            match Wanted::is_there(&self.data_dir) {
                Ok(()) => tracing::info!("token {} of {} was asked for, and is there", wanted.id, wanted.user),
                Err(error) => tracing::warn!("what asked for a token can't be removed: {error}"),
            }
            return None;
        }
        let hash = wanted.hash.as_bytes().to_vec().into();
        Some(internal::WantedToken { id: wanted.id.get(), user: wanted.user.to_string(), hash })
    }
}

fn denial(denial: Denial) -> internal::Denial {
    internal::Denial {
        request_id: denial.request.to_string(),
        call: denial.call.to_string(),
        actor: denial.actor.map_or_else(String::new, |actor| actor.to_string()),
        origin: denial.origin.to_string(),
    }
}
