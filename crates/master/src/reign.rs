//! Follows who leads, and while this master does, runs what a leader runs.

use std::sync::Arc;

use squall_control::Supported;
use squall_raft::{Health, Role, Status};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::core::{Core, Leader};
use crate::error::NodeError;
use crate::leading::{Leading, Settings, Term};

/// Publishes who leads. The only writer of both.
pub(crate) struct Reign {
    pub core: Arc<Core>,
    pub leader: watch::Sender<Leader>,
    pub leading: watch::Sender<Option<Arc<Leading>>>,
    pub settings: Settings,
    pub supported: Supported,
}

/// What a master's part in its cluster is at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Leads,
    Follows,
}

fn part(status: &Status) -> Part {
    if status.role == Role::Leader && status.established.is_some() { Part::Leads } else { Part::Follows }
}

impl Reign {
    /// Follows until the log stops.
    ///
    /// # Errors
    /// If the log stopped by itself, or a part of what a leader runs did.
    pub(crate) async fn run(self) -> Result<(), NodeError> {
        let mut status = self.core.log.status();
        loop {
            let now = status.borrow_and_update().clone();
            match &now.health {
                Health::Running => {}
                Health::Shutdown => return Ok(()),
                Health::Stopped(reason) => return Err(NodeError::Log(reason.clone())),
            }
            match part(&now) {
                Part::Leads => self.lead(&mut status).await?,
                Part::Follows => {
                    self.publish(self.leader_of(&now));
                    if status.changed().await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Runs what a leader runs, for as long as this one leads.
    async fn lead(&self, status: &mut watch::Receiver<Status>) -> Result<(), NodeError> {
        let term = status.borrow().term;
        tracing::info!("this master leads, in term {term}");
        let over = CancellationToken::new();
        let _over = over.clone().drop_guard();
        let Term { leading, watch, planner, recorder } = Term::begin(&self.core, self.settings, over);
        let mut parts = JoinSet::new();
        parts.spawn(watch.run());
        parts.spawn(planner.run());
        parts.spawn(recorder.run());
        parts.spawn(crate::leading::chores(self.core.clone(), self.supported));
        parts.spawn(crate::leading::roll_call(self.core.clone()));
        parts.spawn(crate::packages::chase(self.core.clone()));
        self.leading.send_replace(Some(leading));
        self.publish(Leader::Here);
        let lost = status
            .wait_for(|now| part(now) == Part::Follows || now.term != term || !matches!(now.health, Health::Running));
        let ended = tokio::select! {
            _ = lost => Ok(()),
            Some(ended) = parts.join_next() => Err(NodeError::part("the leader's work", ended)),
        };
        tracing::info!("this master leads no more");
        self.publish(Leader::Nobody);
        self.leading.send_replace(None);
        parts.shutdown().await;
        ended
    }

    fn leader_of(&self, status: &Status) -> Leader {
        let other = status.leader.filter(|id| *id != self.core.me.id);
        let member = other.and_then(|id| status.members.get(id));
        member.map_or(Leader::Nobody, |(member, _)| Leader::There { id: member.id, address: member.address.clone() })
    }

    fn publish(&self, leader: Leader) {
        self.leader.send_if_modified(|known| {
            let changed = *known != leader;
            *known = leader;
            changed
        });
    }
}
