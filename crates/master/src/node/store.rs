//! A master's log on its disk: opened before anything else, and given to Raft's host once there is a cluster.

use std::sync::Arc;

use squall_control::{Outcome, State};
use squall_raft::store::{Batch, seed};
use squall_raft::{Contents, Dial, Disk, Identity, Member, Running, Settings, StopReason, StorageError};
use squall_types::cluster::{ClusterId, MasterName, RaftId};
use tonic::transport::Channel;

use crate::bootstrap::{Founder, Myself};
use crate::config::MasterConfig;
use crate::env::Env;
use crate::error::NodeError;
use crate::machine::Machine;
use squall_daemon::Peers;

/// A master's log.
pub(super) struct Store {
    disk: Box<dyn Disk>,
    contents: Contents,
    identity: Identity,
}

impl Store {
    /// Opens what the disk holds. A new disk is given a life of its own.
    pub(super) fn open(config: &MasterConfig, name: &MasterName, env: &Env) -> Result<Self, NodeError> {
        let (disk, contents) = env.disks.open(&config.log_file(), name).map_err(failed)?;
        if let Some(identity) = contents.identity.clone() {
            return Ok(Self { disk, contents, identity });
        }
        let id = RaftId::new(env.random.number() | 1).expect("an odd number isn't 0");
        #[cfg(feature = "simulation")]
        let id = crate::planted::used_id(env, name).unwrap_or(id);
        let identity = Identity { name: name.clone(), id, cluster: None };
        let mut store = Self { disk, contents, identity: identity.clone() };
        store.write(Batch { identity: Some(identity), ..Batch::default() })?;
        Ok(store)
    }

    /// The life of the disk.
    pub(super) fn id(&self) -> RaftId {
        self.identity.id
    }

    /// The cluster that the disk belongs to.
    pub(super) fn cluster(&self) -> Option<ClusterId> {
        self.identity.cluster
    }

    /// The disk belongs to a cluster from now on, and has all of its log to learn.
    pub(super) fn join(&mut self, cluster: ClusterId) -> Result<(), NodeError> {
        self.identity.cluster = Some(cluster);
        self.write(Batch { identity: Some(self.identity.clone()), ..Batch::default() })
    }

    /// The disk holds a new cluster's first state from now on.
    pub(super) fn seed(&mut self, cluster: ClusterId, founders: &[Founder], state: &State) -> Result<(), NodeError> {
        self.identity.cluster = Some(cluster);
        let voter = |it: &Founder| Member { id: it.id, name: it.name.clone(), address: it.address.clone() };
        self.write(seed(self.identity.clone(), founders.iter().map(voter).collect(), state.encode()))
    }

    fn write(&mut self, batch: Batch) -> Result<(), NodeError> {
        self.disk.write(&batch).map_err(failed)?;
        self.contents = Contents::of(batch);
        Ok(())
    }

    /// Hands it over to Raft's host.
    pub(super) fn start(
        self,
        me: &Myself,
        env: &Env,
        peers: Peers,
        machine: Machine,
    ) -> Result<Running<Outcome>, NodeError> {
        let settings = Settings {
            contents: self.contents,
            writer: env.disks.writer(self.disk),
            address: me.address.clone(),
            dial: Arc::new(Dialled(peers)),
            seed: env.random.number(),
            keeping: env.keeping,
            #[cfg(feature = "simulation")]
            planted: env.planted.and_then(|bug| match bug {
                crate::planted::Planted::Log(bug) => Some(bug),
                _ => None,
            }),
        };
        squall_raft::start(settings, machine).map_err(|reason| NodeError::Log(Arc::new(reason)))
    }
}

fn failed(error: StorageError) -> NodeError {
    NodeError::Log(Arc::new(StopReason::Storage(error)))
}

/// The channels to other masters, as Raft's host asks for them.
struct Dialled(Peers);

impl Dial for Dialled {
    fn channel(&self, address: &str) -> Channel {
        self.0.channel(address)
    }
}
