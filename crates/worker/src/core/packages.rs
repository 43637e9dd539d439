//! Which packages are there, on their way, or waited for.

use std::collections::BTreeMap;
use std::time::Duration;

use squall_types::cluster::BlobId;

/// The waits between attempts.
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(10);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Package {
    Fetching { attempts: u32 },
    There,
    Failed { attempts: u32, again_at: Duration, why: String },
}

/// The packages that slots want.
#[derive(Clone, Debug, Default)]
pub(super) struct Packages(BTreeMap<BlobId, Package>);

/// Whether a package can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// It is there.
    No,
    /// It has to be fetched now.
    Fetch,
    /// It is being fetched, or will be; why not before.
    Until(String),
}

impl Packages {
    /// Whether a package can be run, or has to be fetched.
    pub fn want(&mut self, package: BlobId, now: Duration) -> Wait {
        let attempts = match self.0.get(&package) {
            Some(Package::There) => return Wait::No,
            Some(Package::Fetching { .. }) => return Wait::Until("its package is being fetched".to_owned()),
            Some(Package::Failed { again_at, why, .. }) if now < *again_at => return Wait::Until(why.clone()),
            Some(Package::Failed { attempts, .. }) => *attempts,
            None => 0,
        };
        self.0.insert(package, Package::Fetching { attempts });
        Wait::Fetch
    }

    /// What is to be said of it while it isn't there.
    pub fn text(&self, package: BlobId) -> Option<&str> {
        match self.0.get(&package)? {
            Package::There => None,
            Package::Fetching { .. } => Some("its package is being fetched"),
            Package::Failed { why, .. } => Some(why),
        }
    }

    /// It was fetched, or not.
    pub fn fetched(&mut self, package: BlobId, result: Result<(), String>, now: Duration) {
        let attempts = match self.0.get(&package) {
            Some(Package::Fetching { attempts }) => *attempts,
            Some(Package::There | Package::Failed { .. }) | None => 0,
        };
        let state = match result {
            Ok(()) => Package::There,
            Err(why) => {
                let wait = FIRST.saturating_mul(2_u32.saturating_pow(attempts)).min(LONGEST);
                Package::Failed { attempts: attempts.saturating_add(1), again_at: now + wait, why }
            }
        };
        self.0.insert(package, state);
    }

    /// It isn't there after all: it is damaged, or somebody took it away.
    pub fn lost(&mut self, package: BlobId) {
        self.0.remove(&package);
    }

    /// Those that can't be had, and why.
    pub fn troubles(&self) -> impl Iterator<Item = (BlobId, &str)> {
        self.0.iter().filter_map(|(id, package)| match package {
            Package::Failed { why, .. } => Some((*id, why.as_str())),
            Package::Fetching { .. } | Package::There => None,
        })
    }

    /// Forgets those that nobody wants.
    pub fn retain(&mut self, wanted: impl Fn(&BlobId) -> bool) {
        self.0.retain(|id, package| wanted(id) || matches!(package, Package::Fetching { .. }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: BlobId = BlobId::from_bytes([1; 32]);

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_package_is_fetched_once_and_then_there() {
        let mut packages = Packages::default();
        assert_eq!(packages.want(ID, at(0)), Wait::Fetch);
        assert!(matches!(packages.want(ID, at(0)), Wait::Until(_)));
        packages.fetched(ID, Ok(()), at(1));
        assert_eq!((packages.want(ID, at(1)), packages.text(ID)), (Wait::No, None));
        packages.lost(ID);
        assert_eq!(packages.want(ID, at(2)), Wait::Fetch);
    }

    #[test]
    fn what_fails_is_tried_again_ever_later_and_says_why() {
        let mut packages = Packages::default();
        let (mut now, mut waits) = (at(0), Vec::new());
        for _ in 0..8 {
            assert_eq!(packages.want(ID, now), Wait::Fetch);
            packages.fetched(ID, Err("the disk is full".to_owned()), now);
            assert_eq!(packages.want(ID, now), Wait::Until("the disk is full".to_owned()));
            let Some(Package::Failed { again_at, .. }) = packages.0.get(&ID) else { panic!("it failed") };
            waits.push((*again_at - now).as_millis());
            now = *again_at;
        }
        assert_eq!(waits, [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
        assert_eq!(packages.troubles().collect::<Vec<_>>(), [(ID, "the disk is full")]);
    }
}
