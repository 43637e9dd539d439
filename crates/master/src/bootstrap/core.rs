//! Who forms a new cluster, and who doesn't: decided from what the listed masters answer, without doing anything.
//!
//! Why it is safe: a disk holds one cluster at most, for good; a seed names the life of each disk that may take it; and a majority of the
//! disks that a seed names has to hold it before anything can be decided in its cluster. So of two seeds one can't come to life, whatever
//! is lost, late or restarted. That only the first of the list writes one, and only if all others say that they are empty and have the same
//! list, keeps it from coming to two seeds at all.

use std::collections::BTreeMap;

use squall_types::cluster::{ClusterId, FeatureLevel, MasterName, RaftId};

/// A master that is to found a cluster, or has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Founder {
    /// The life of its disk.
    pub id: RaftId,
    /// What it is called.
    pub name: MasterName,
    /// Where the others reach it, as the list has it.
    pub address: String,
}

/// What a master says of itself when it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The life of its disk.
    pub id: RaftId,
    /// What it is called.
    pub name: MasterName,
    /// The cluster that its disk holds, if it holds one.
    pub cluster: Option<ClusterId>,
    /// Whether the one who asked is a member of that cluster.
    pub knows_asker: bool,
    /// The member that its cluster has where the one who asked listens.
    pub member_there: Option<MasterName>,
    /// The list that it was given.
    pub listed: Vec<String>,
    /// The commands that it understands.
    pub level: FeatureLevel,
}

/// What the founders of a cluster start from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seed {
    /// The new cluster.
    pub cluster: ClusterId,
    /// All of them; each has a vote.
    pub founders: Vec<Founder>,
}

/// An empty master in search of its cluster.
///
/// The list it was given is kept without repetitions, in its order.
#[derive(Clone, Debug)]
pub(crate) struct Formation {
    me: RaftId,
    address: String,
    listed: Vec<String>,
    heard: BTreeMap<String, Identity>,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// This one founds the cluster, with these.
    Found(Vec<Founder>),
    /// There is a cluster, and this disk is a member of it.
    Join(ClusterId),
    /// Ask again in a while.
    Wait(Waiting),
}

/// What an empty master waits for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Waiting {
    /// Some haven't answered.
    #[error("{} of the listed masters did not answer: {}", .0.len(), .0.join(", "))]
    Silent(Vec<String>),
    /// All are empty; the first of the list is to form the cluster.
    #[error("{first} is the first of the list, and has to form the cluster")]
    First {
        /// Its address.
        first: String,
    },
    /// Another was given another list.
    #[error("{at} was given another list of masters: {}", listed.join(", "))]
    OtherList {
        /// Whose list differs.
        at: String,
        /// That list.
        listed: Vec<String>,
    },
    /// None of the listed is this one.
    #[error("none of the listed masters is this one, and none of them knows a cluster")]
    NotListed,
    /// Two of the listed are the same.
    #[error("{one} and {other} are the same master")]
    Twice {
        /// One of its addresses.
        one: String,
        /// The other.
        other: String,
    },
    /// Two of the listed have the same name.
    #[error("{one} and {other} are both called {name}")]
    Namesakes {
        /// One of them.
        one: String,
        /// The other.
        other: String,
        /// What both are called.
        name: MasterName,
    },
    /// There is a cluster, and this disk is no member of it: it is a new master, or one that has lost its disk.
    #[error("{at} knows the cluster {cluster}, and this master's disk is no member of it")]
    Stranger {
        /// Who knows it.
        at: String,
        /// The cluster.
        cluster: ClusterId,
        /// Where this one is reached.
        address: String,
        /// The member that is reached there: then this is that one, and has lost its disk.
        lost: Option<MasterName>,
    },
    /// The listed masters belong to different clusters.
    #[error("{one} and {other} belong to different clusters")]
    TwoClusters {
        /// One of them.
        one: String,
        /// Another.
        other: String,
    },
}

impl Waiting {
    /// What an operator can do about it.
    pub(crate) fn next_step(&self) -> String {
        match self {
            Self::Silent(_) => "start them, and see that they can be reached".to_owned(),
            Self::First { .. } => "wait; or look at that master's log for what it waits for".to_owned(),
            Self::OtherList { .. } => "give all masters the same list, in the same order".to_owned(),
            Self::NotListed => "list where this master is reached, the same on all masters".to_owned(),
            Self::Twice { .. } => "list each master once".to_owned(),
            Self::Namesakes { .. } => "give each master a name of its own".to_owned(),
            Self::Stranger { lost: Some(name), .. } => {
                format!("if this master has lost its disk: squall masters replace {name}")
            }
            Self::Stranger { address, lost: None, .. } => format!("to let it in: squall masters add {address}"),
            Self::TwoClusters { .. } => "list masters of one cluster only".to_owned(),
        }
    }
}

/// Why a master doesn't take a seed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SeedRefused {
    /// It names other disks.
    #[error("the seed does not name this disk's life {0}")]
    NotNamed(RaftId),
}

impl Formation {
    /// A master with an empty disk. An empty list means that it is alone.
    pub(crate) fn new(id: RaftId, address: String, listed: Vec<String>) -> Self {
        let mut each: Vec<String> = Vec::new();
        for at in if listed.is_empty() { vec![address.clone()] } else { listed } {
            if !each.contains(&at) {
                each.push(at);
            }
        }
        Self { me: id, address, listed: each, heard: BTreeMap::new() }
    }

    /// Whom to ask: all that are listed, itself too if it is.
    pub(crate) fn listed(&self) -> &[String] {
        &self.listed
    }

    /// A new round of questions begins. What was answered before is not taken for true any more.
    pub(crate) fn ask_anew(&mut self) {
        self.heard.clear();
    }

    /// One of the listed has answered.
    pub(crate) fn heard(&mut self, at: &str, identity: Identity) {
        if self.listed.iter().any(|listed| listed == at) {
            self.heard.insert(at.to_owned(), identity);
        }
    }

    /// The highest level that all who have answered understand.
    pub(crate) fn level(&self) -> FeatureLevel {
        self.heard.values().map(|it| it.level).min().unwrap_or(FeatureLevel::ZERO)
    }

    /// What follows from the answers of this round.
    pub(crate) fn decide(&self) -> Decision {
        self.cluster().or_else(|| self.obstacle().map(Decision::Wait)).unwrap_or_else(|| self.all_are_empty())
    }

    /// Whether a seed is for this master, as long as its disk is empty.
    ///
    /// # Errors
    /// If it names other disks.
    pub(crate) fn accept(&self, seed: &Seed) -> Result<(), SeedRefused> {
        let named = seed.founders.iter().any(|founder| founder.id == self.me);
        if named { Ok(()) } else { Err(SeedRefused::NotNamed(self.me)) }
    }

    /// What the clusters that were heard of mean for this one.
    fn cluster(&self) -> Option<Decision> {
        let mut known =
            self.heard.iter().filter_map(|(at, it)| it.cluster.map(|cluster| (at, cluster, it.knows_asker)));
        let (at, cluster, _) = known.clone().next()?;
        if let Some((other, ..)) = known.clone().find(|(_, its, _)| *its != cluster) {
            return Some(Decision::Wait(Waiting::TwoClusters { one: at.clone(), other: other.clone() }));
        }
        if known.any(|(_, _, knows_me)| knows_me) {
            return Some(Decision::Join(cluster));
        }
        Some(Decision::Wait(Waiting::Stranger {
            at: at.clone(),
            cluster,
            address: self.address.clone(),
            lost: self.heard.values().find_map(|it| it.member_there.clone()),
        }))
    }

    fn obstacle(&self) -> Option<Waiting> {
        let silent: Vec<_> = self.listed.iter().filter(|at| !self.heard.contains_key(*at)).cloned().collect();
        if !silent.is_empty() {
            return Some(Waiting::Silent(silent));
        }
        let mut ids = BTreeMap::new();
        let mut names = BTreeMap::new();
        for (at, it) in &self.heard {
            if it.id != self.me && it.listed != self.listed {
                return Some(Waiting::OtherList { at: at.clone(), listed: it.listed.clone() });
            }
            if let Some(one) = ids.insert(it.id, at) {
                return Some(Waiting::Twice { one: one.clone(), other: at.clone() });
            }
            if let Some(one) = names.insert(&it.name, at) {
                return Some(Waiting::Namesakes { one: one.clone(), other: at.clone(), name: it.name.clone() });
            }
        }
        (!ids.contains_key(&self.me)).then_some(Waiting::NotListed)
    }

    fn all_are_empty(&self) -> Decision {
        let founders: Vec<_> = self.listed.iter().filter_map(|at| self.founder(at)).collect();
        match founders.first() {
            Some(first) if first.id == self.me => Decision::Found(founders),
            Some(first) => Decision::Wait(Waiting::First { first: first.address.clone() }),
            None => Decision::Wait(Waiting::NotListed),
        }
    }

    fn founder(&self, at: &str) -> Option<Founder> {
        let it = self.heard.get(at)?;
        Some(Founder { id: it.id, name: it.name.clone(), address: at.to_owned() })
    }
}
