//! Feature levels: how masters of two releases live in one cluster while it is upgraded.

use squall_types::cluster::FeatureLevel;

use crate::Command;

/// The commands that a build understands, and from level 3 on who changes the members ([`Author`](crate::Author)). The newest, unless it is asked to behave as an older build does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Supported(FeatureLevel);

impl Supported {
    /// The first level there was.
    pub const OLDEST: FeatureLevel = FeatureLevel::new(1);
    /// This build's own level.
    pub const NEWEST: FeatureLevel = FeatureLevel::new(3);

    /// From this level of the cluster on, a leader's stamp counts only as far as the request's own time vouches for it.
    pub const TWO_CLOCKS: FeatureLevel = FeatureLevel::new(3);

    /// What this build understands.
    pub const fn newest() -> Self {
        Self(Self::NEWEST)
    }

    /// What a build of this level understands; at most what this one does.
    pub fn level(level: FeatureLevel) -> Self {
        Self(level.clamp(Self::OLDEST, Self::NEWEST))
    }

    /// The level.
    pub const fn get(self) -> FeatureLevel {
        self.0
    }
}

impl Command {
    /// The level that this command came with.
    pub const fn level(&self) -> FeatureLevel {
        match self {
            Self::Submit(_)
            | Self::Activate(_)
            | Self::Deactivate(_)
            | Self::Rebalance(_)
            | Self::Kill { .. }
            | Self::FinishKill(_)
            | Self::Rollback { .. }
            | Self::Assign(_)
            | Self::RegisterWorker { .. }
            | Self::Drain(_)
            | Self::Undrain(_)
            | Self::ForgetWorker(_)
            | Self::RecordWorkers(_)
            | Self::ReportMember { .. }
            | Self::StoreBlob { .. }
            | Self::CollectBlobs(_)
            | Self::CreateToken(_)
            | Self::RevokeToken(_)
            | Self::RaiseLevel(_)
            | Self::BeginEpoch(_)
            | Self::Audit(_) => FeatureLevel::new(1),
            Self::Quarantine { .. } => FeatureLevel::new(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_claims_no_level_that_it_does_not_understand() {
        assert_eq!(Supported::level(FeatureLevel::new(99)), Supported::newest());
        assert_eq!(Supported::level(FeatureLevel::new(1)).get(), FeatureLevel::new(1));
        assert_eq!(Supported::level(FeatureLevel::ZERO).get(), Supported::OLDEST);
    }
}
