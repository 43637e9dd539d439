use proptest::prelude::*;

use super::*;

const TIMING: Timing = Timing { heartbeat: Duration::from_millis(500), dead_after: Duration::from_secs(3) };

fn worker(number: usize) -> WorkerName {
    format!("w{number}").parse().unwrap()
}

fn ms(ms: u64) -> Duration {
    Detector::began(TIMING) + Duration::from_millis(ms)
}

/// A leader with so many workers that have just beaten.
fn open(count: usize) -> Detector {
    let mut detector = Detector::new(TIMING, []);
    for number in 0..count {
        detector.sign(ms(0), &worker(number), Sign::Beat);
    }
    detector
}

/// Ticks each heartbeat over `from..=to` milliseconds, with these workers beating and these answering when probed.
fn run(detector: &mut Detector, from: u64, to: u64, beat: &[usize], answer: &[usize]) -> Vec<Effect> {
    let mut all = Vec::new();
    for at in (from..=to).step_by(500) {
        beat.iter().for_each(|number| all.extend(detector.sign(ms(at), &worker(*number), Sign::Beat)));
        let effects = detector.tick(ms(at));
        for effect in &effects {
            if let Effect::Probe(name) = effect
                && answer.iter().any(|number| worker(*number) == *name)
            {
                detector.sign(ms(at), name, Sign::Answered);
            }
        }
        all.extend(effects);
    }
    all
}

fn standing(detector: &Detector, number: usize) -> Standing {
    detector.standing(&worker(number)).unwrap()
}

#[test]
fn a_worker_that_beats_is_open_and_never_probed() {
    let mut detector = open(1);
    assert_eq!(run(&mut detector, 500, 60_000, &[0], &[]), []);
}

#[test]
fn silence_is_asked_after_at_half_of_the_time_and_is_death_at_the_whole() {
    let mut detector = open(1);
    assert_eq!(run(&mut detector, 500, 1_000, &[], &[]), []);
    let asked = run(&mut detector, 1_500, 1_500, &[], &[]);
    assert_eq!(asked, [Effect::Stands(worker(0), Standing::Suspect), Effect::Probe(worker(0))]);
    let dead = run(&mut detector, 2_000, 3_000, &[], &[]);
    assert_eq!(dead.last(), Some(&Effect::Stands(worker(0), Standing::Dead)));
    assert_eq!(dead.len(), 3, "probed at 2 s and 2.5 s: {dead:?}");
}

#[test]
fn two_of_three_dead_are_both_found_and_the_third_stays() {
    let mut detector = open(3);
    run(&mut detector, 500, 3_000, &[2], &[]);
    assert_eq!([0, 1, 2].map(|number| standing(&detector, number)), [Standing::Dead, Standing::Dead, Standing::Open]);
}

#[test]
fn who_is_silent_and_answers_is_cut_off_until_it_beats_or_answers_no_more() {
    let mut detector = open(2);
    run(&mut detector, 500, 20_000, &[], &[0, 1]);
    assert_eq!([0, 1].map(|number| standing(&detector, number)), [Standing::CutOff; 2]);
    run(&mut detector, 20_500, 30_000, &[0], &[]);
    assert_eq!([0, 1].map(|number| standing(&detector, number)), [Standing::Open, Standing::Dead]);
}

#[test]
fn a_new_leader_gives_each_worker_a_lease_less_the_silence_that_was_witnessed() {
    let workers = [(worker(0), Duration::ZERO), (worker(1), Duration::from_secs(2))];
    let mut detector = Detector::new(TIMING, workers);
    run(&mut detector, 500, 500, &[], &[]);
    assert_eq!([0, 1].map(|number| standing(&detector, number)), [Standing::Unheard; 2]);
    run(&mut detector, 1_000, 1_500, &[], &[]);
    assert_eq!([0, 1].map(|number| standing(&detector, number)), [Standing::Unheard, Standing::Dead]);
    run(&mut detector, 2_000, 3_000, &[], &[]);
    assert_eq!(standing(&detector, 0), Standing::Dead);
}

#[test]
fn a_leader_that_was_held_up_distrusts_itself_first() {
    let mut detector = open(2);
    run(&mut detector, 500, 1_000, &[0, 1], &[]);
    // Ten seconds in which it listened to nobody.
    assert_eq!(detector.tick(ms(11_000)), []);
    run(&mut detector, 11_500, 12_000, &[0], &[]);
    assert_eq!([0, 1].map(|number| standing(&detector, number)), [Standing::Open, Standing::Suspect]);
    run(&mut detector, 12_500, 14_000, &[0], &[]);
    assert_eq!(standing(&detector, 1), Standing::Dead);
}

#[test]
fn who_leaves_is_no_failure_and_is_not_probed() {
    let mut detector = open(1);
    let left = detector.sign(ms(100), &worker(0), Sign::Goodbye);
    assert_eq!(left, [Effect::Stands(worker(0), Standing::Left)]);
    assert_eq!(run(&mut detector, 500, 10_000, &[], &[]), []);
    assert_eq!(detector.sign(ms(11_000), &worker(0), Sign::Beat), [Effect::Stands(worker(0), Standing::Open)]);
}

#[test]
fn who_comes_back_from_the_dead_is_quarantined_longer_each_time_until_it_has_held_out() {
    let mut detector = open(1);
    let mut delays = Vec::new();
    let mut die_and_return = |at: u64| {
        run(&mut detector, at, at + 4_000, &[], &[]);
        let back = detector.sign(ms(at + 5_000), &worker(0), Sign::Beat);
        if let Effect::Quarantine(_, delay) = &back[0] {
            delays.push(delay.as_secs());
        }
    };
    (0..8).for_each(|round| die_and_return(round * 6_000 + 500));
    die_and_return(2_000_000);
    assert_eq!(delays, [10, 20, 40, 80, 160, 320, 600, 600, 10]);
}

#[test]
fn a_forgotten_worker_is_not_watched_any_more() {
    let mut detector = open(1);
    detector.forgotten(&worker(0));
    assert_eq!(run(&mut detector, 500, 10_000, &[], &[]), []);
    assert_eq!(detector.standing(&worker(0)), None);
}

proptest! {
    #[test]
    fn nobody_who_beat_or_answered_within_the_time_is_declared_dead(steps in proptest::collection::vec((0_u64..1_500, 0_usize..4, 0_u8..4), 1..200)) {
        let mut detector = open(4);
        let (mut now, mut shown) = (0, [0_u64; 4]);
        for (passed, number, what) in steps {
            now += passed;
            match what {
                0 => { detector.sign(ms(now), &worker(number), Sign::Beat); shown[number] = now; }
                1 => { detector.sign(ms(now), &worker(number), Sign::Answered); shown[number] = now; }
                _ => {
                    for effect in detector.tick(ms(now)) {
                        if let Effect::Stands(name, Standing::Dead) = effect {
                            let number: usize = name.as_str()[1..].parse().unwrap();
                            prop_assert!(now - shown[number] >= 3_000, "{name} showed itself at {} and is dead at {now}", shown[number]);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_cut_between_masters_and_all_workers_moves_nothing(count in 1_usize..8, seconds in 3_u64..120) {
        let mut detector = open(count);
        let all: Vec<usize> = (0..count).collect();
        let effects = run(&mut detector, 500, seconds * 1_000, &[], &all);
        let dead = effects.iter().any(|effect| matches!(effect, Effect::Stands(_, Standing::Dead)));
        prop_assert!(!dead);
    }
}
