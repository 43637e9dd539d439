//! What happens in the simulation of one seed, decided before it begins.

use std::time::Duration;

use squall_tests::Rng;

/// How long clients work and faults happen.
pub const SPAN: Duration = Duration::from_secs(60);
/// The first faults may come while masters are still looking for each other.
const FIRST: Duration = Duration::from_millis(200);
/// The fewest faults of each lane: three lanes make at least nine.
const FEWEST: usize = 3;

/// What goes wrong. What is done about it is done at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Some masters and the others can't hear each other.
    Partition,
    /// One master isn't heard by another, but hears it.
    OneWay,
    /// What two masters send each other is late, and comes all at once.
    Hold,
    /// Connections break here and there.
    Loss,
    /// Messages take long.
    Slow,
    /// A master can be reached by no client, but by the others.
    CutOff,
    /// Two sides hear one master and not each other, and that one dies whenever it may have voted, and is back at once.
    Bridge,
    /// A master dies, with what it had not synced, and comes back.
    Crash,
    /// All masters die at once, and come back.
    CrashAll,
    /// Masters die again and again, and are back at once.
    Flicker,
    /// A master's disk takes long over each write; it may die with much of it undone.
    SlowDisk,
    /// A master dies and its disk is lost; it is replaced.
    Wipe,
    /// A master is removed from the cluster, and comes back with an empty disk.
    Remove,
    /// Leadership is handed over.
    Transfer,
    /// A worker dies, and comes back.
    WorkerCrash,
    /// A worker's daemon hangs; its slots work on.
    WorkerHang,
    /// A worker and the masters can't hear each other.
    WorkerCut,
    /// A worker and all others can't hear each other.
    WorkerGone,
    /// A master's clock is wrong by some seconds.
    Clock,
}

impl Kind {
    /// Those of the network between masters and clients.
    pub const NETWORK: [Self; 7] =
        [Self::Partition, Self::OneWay, Self::Hold, Self::Loss, Self::Slow, Self::CutOff, Self::Bridge];
    /// Those of masters' processes, disks and members.
    pub const PROCESS: [Self; 7] =
        [Self::Crash, Self::CrashAll, Self::Flicker, Self::SlowDisk, Self::Wipe, Self::Remove, Self::Transfer];
    /// Those of workers, and of what nobody sees.
    pub const WORKERS: [Self; 5] =
        [Self::WorkerCrash, Self::WorkerHang, Self::WorkerCut, Self::WorkerGone, Self::Clock];

    /// Its name in traces and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Partition => "partition",
            Self::OneWay => "one-way",
            Self::Hold => "hold",
            Self::Loss => "loss",
            Self::Slow => "slow",
            Self::CutOff => "cut-off",
            Self::Bridge => "bridge",
            Self::Crash => "crash",
            Self::CrashAll => "crash-all",
            Self::Flicker => "flicker",
            Self::SlowDisk => "slow-disk",
            Self::Wipe => "wipe",
            Self::Remove => "remove",
            Self::Transfer => "transfer",
            Self::WorkerCrash => "worker-crash",
            Self::WorkerHang => "worker-hang",
            Self::WorkerCut => "worker-cut",
            Self::WorkerGone => "worker-gone",
            Self::Clock => "clock",
        }
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::NETWORK.into_iter().chain(Self::PROCESS).chain(Self::WORKERS)
    }

    fn longest(self) -> Duration {
        match self {
            Self::CrashAll | Self::Flicker | Self::Loss => Duration::from_secs(3),
            // Longer than it takes until a worker is declared dead.
            kind if Self::WORKERS.contains(&kind) => Duration::from_secs(10),
            _ => Duration::from_secs(5),
        }
    }
}

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: Kind,
    /// When it begins.
    pub from: Duration,
    /// When it ends.
    pub to: Duration,
    /// Who is hit first: `None` is whoever leads then.
    pub victim: Option<usize>,
    /// For further choices while it is carried out.
    pub dice: u64,
}

/// All that a seed decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// The seed.
    pub seed: u64,
    /// How many masters there are.
    pub masters: usize,
    /// How many workers.
    pub workers: usize,
    /// How many clients.
    pub clients: usize,
    /// How many topologies they fight over.
    pub topologies: usize,
    /// The longest that a message takes while nothing is wrong.
    pub latency: Duration,
    /// What goes wrong, by when it begins.
    pub faults: Vec<Fault>,
}

impl Scenario {
    /// The one of this seed.
    pub fn of(seed: u64) -> Self {
        let mut rng = Rng::new(seed).fork(1);
        let masters = *rng.pick(&[3, 3, 5]);
        let mut faults = lane(&mut rng, &Kind::NETWORK, masters);
        faults.extend(lane(&mut rng, &Kind::PROCESS, masters));
        faults.extend(lane(&mut rng, &Kind::WORKERS, masters));
        faults.sort_by_key(|fault| fault.from);
        Self {
            seed,
            masters,
            workers: 3 + rng.below(2),
            clients: 3 + rng.below(3),
            topologies: 3 + rng.below(4),
            latency: Duration::from_millis(*rng.pick(&[2, 10, 30])),
            faults,
        }
    }
}

/// One fault after the other.
fn lane(rng: &mut Rng, kinds: &[Kind], masters: usize) -> Vec<Fault> {
    let wanted = FEWEST + rng.below(3);
    let share = (SPAN - FIRST) / u32::try_from(wanted).expect("a handful");
    let place = |at: usize| FIRST + share * u32::try_from(at).expect("a handful");
    let fault = |at: usize| {
        let kind = *rng.pick(kinds);
        let from = rng.between(place(at), place(at) + share / 4);
        let longest = kind.longest().min(share * 5 / 8);
        let to = from + rng.between(Duration::from_millis(300), longest);
        let victim = rng.percent(60).then(|| rng.below(masters));
        Fault { kind, from, to, victim, dice: rng.draw() }
    };
    (0..wanted).map(fault).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    impl Scenario {
        fn kinds(&self) -> BTreeSet<Kind> {
            self.faults.iter().map(|fault| fault.kind).collect()
        }
    }

    #[test]
    fn a_seed_decides_everything() {
        assert_eq!(Scenario::of(7), Scenario::of(7));
        assert_ne!(Scenario::of(7), Scenario::of(8));
    }

    #[test]
    fn there_are_at_least_nine_faults_of_several_kinds_that_end_in_time() {
        for scenario in (0..500).map(Scenario::of) {
            assert!(scenario.faults.len() >= 9 && scenario.kinds().len() >= 2, "{scenario:?}");
            assert!(
                scenario.faults.iter().all(|it| it.from >= FIRST && it.from < it.to && it.to <= SPAN),
                "{scenario:?}"
            );
        }
    }

    #[test]
    fn faults_of_one_lane_do_not_overlap() {
        for scenario in (0..500).map(Scenario::of) {
            for kinds in [&Kind::NETWORK[..], &Kind::PROCESS[..], &Kind::WORKERS[..]] {
                let lane: Vec<_> = scenario.faults.iter().filter(|it| kinds.contains(&it.kind)).collect();
                assert!(lane.windows(2).all(|pair| pair[0].to <= pair[1].from), "{scenario:?}");
            }
        }
    }

    #[test]
    fn a_hundred_seeds_have_every_kind_and_both_sizes() {
        let scenarios: Vec<_> = (0..100).map(Scenario::of).collect();
        let seen: BTreeSet<_> = scenarios.iter().flat_map(Scenario::kinds).collect();
        assert_eq!(seen, Kind::all().collect());
        assert!(scenarios.iter().any(|it| it.masters == 3) && scenarios.iter().any(|it| it.masters == 5));
    }
}
