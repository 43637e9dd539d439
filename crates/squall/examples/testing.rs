//! Testing with the kit: a topology that warns of failed logins, tried as a pure function.
//!
//! `cargo run --example testing` prints what each check saw; they would stand in `#[test]` functions just as they are.

use std::time::{Duration, Instant};

use squall::testing::{
    BoltHarness, CompleteOptions, Faults, Mock, RowFate, SpoutHarness, assert_same_rows, complete_topology,
};
use squall::{
    Bolt, BoltContext, Collector, Declarer, Next, Result, Spout, SpoutCollector, StateHandle, TopologyBuilder, Tuple,
};

#[derive(Tuple)]
struct Login<'a> {
    user: &'a str,
    ok: bool,
}

#[derive(Tuple, Debug, PartialEq)]
struct Warning<'a> {
    user: &'a str,
    failures: i64,
}

/// Would read a log. Here one login is all that there is.
#[derive(Default)]
struct Logins {
    done: bool,
}

impl Spout for Logins {
    type Id = u64;

    fn declare(&self, streams: &mut Declarer) {
        streams.emits::<Login>();
    }

    fn next(&mut self, out: &mut SpoutCollector<'_, u64>) -> Result<Next> {
        if std::mem::replace(&mut self.done, true) {
            return Ok(Next::Done);
        }
        out.emit_with(1, Login { user: "eve", ok: false });
        Ok(Next::WaitFor(Duration::from_secs(1)))
    }
}

/// Counts failed logins by user, warns at the third, and forgets every minute.
#[derive(Default)]
struct Warn {
    failures: Option<StateHandle<String, i64>>,
}

impl Warn {
    fn failures(&self) -> Result<StateHandle<String, i64>> {
        Ok(self.failures.ok_or("not prepared")?)
    }
}

impl Bolt for Warn {
    fn declare(&self, streams: &mut Declarer) {
        streams.emits::<Warning>();
    }

    fn prepare(&mut self, context: &mut BoltContext<'_>) -> Result {
        self.failures = Some(context.keyed_state("failures")?);
        Ok(())
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        let Login { user, ok } = tuple.read()?;
        if ok {
            return Ok(());
        }
        let failures = out.state(&self.failures()?).get_or_default(user);
        *failures += 1;
        let failures = *failures;
        if failures == 3 {
            out.emit(Warning { user, failures });
        }
        Ok(())
    }

    fn tick(&mut self, out: &mut Collector<'_>) -> Result {
        out.state_groups(&self.failures()?).for_each(|group| group.retain(|_, _| false));
        Ok(())
    }
}

const MINUTE: Duration = Duration::from_secs(60);

fn topology() -> TopologyBuilder {
    let mut topology = TopologyBuilder::new("logins");
    topology.spout("logins", Logins::default);
    topology.bolt("warn", Warn::default).parallelism(2).fields("logins", ["user"]).tick(MINUTE);
    topology
}

fn failed(user: &str) -> Login<'_> {
    Login { user, ok: false }
}

/// The whole topology: three failures within a minute warn, three in two minutes don't.
fn a_user_who_fails_three_times_within_a_minute_is_warned_of() -> Result {
    let logins = Mock::rows(["eve", "bob", "eve"].map(failed))
        .row(Login { user: "eve", ok: true })
        .row(failed("eve"))
        .wait(MINUTE)
        .row(failed("bob"))
        .row(failed("bob"));
    let began = Instant::now();
    let done = complete_topology(topology(), CompleteOptions::new().mock("logins", logins))?;
    assert_same_rows(done.rows("warn", "default"), [Warning { user: "eve", failures: 3 }]);
    done.assert_all_acked();
    println!("warnings: {:?}", done.read::<Warning>("warn"));
    println!("{:?} of simulated time took {:?}", done.elapsed(), began.elapsed());
    Ok(())
}

/// The bolt alone, with its state and its errors.
fn a_login_without_a_user_fails() {
    let mut bolt = BoltHarness::new(Warn::default).input(["user", "ok"]).keyed(["user"]);
    assert_eq!(bolt.execute(failed("eve")).fate, RowFate::Acked);
    let RowFate::Failed(Some(why)) = bolt.execute((None::<String>, false)).fate else { panic!("null is no user") };
    assert_eq!(bolt.state::<String, i64>("failures")["eve"], 1);
    bolt.advance(MINUTE);
    bolt.tick();
    assert!(bolt.state::<String, i64>("failures").is_empty());
    println!("a login without a user: {why}");
}

/// The spout alone.
fn the_log_is_read_to_its_end() -> Result {
    let mut spout = SpoutHarness::open(Logins::default())?;
    let first = spout.call()?;
    assert_eq!((first.ids.as_slice(), first.next), (&[Some(1)][..], Next::WaitFor(Duration::from_secs(1))));
    spout.ack(1);
    assert_eq!(spout.call()?.next, Next::Done);
    println!("the spout emitted {:?}", first.rows[0]);
    Ok(())
}

/// Failures, panics and a kill: replayed logins still all get through.
fn nothing_is_lost_under_faults() -> Result {
    let mut emitted = 0;
    for seed in 0..10 {
        let logins = Mock::rows((0..50).map(|_| failed("eve"))).every(Duration::from_millis(2)).replay(true);
        let faults =
            Faults::new(seed).fail("warn", 0.1).panic("warn", 0.05).kill_task("warn", Duration::from_millis(9));
        let options = CompleteOptions::new().mock("logins", logins).faults(faults).seed(seed);
        let done = complete_topology(topology(), options)?;
        done.assert_all_acked();
        assert_eq!(done.read::<Warning>("warn").len(), 1, "seed {seed}");
        emitted += done.books().emitted;
    }
    println!("under faults 500 logins took {emitted} emissions, and all were acked");
    Ok(())
}

fn main() -> Result {
    a_user_who_fails_three_times_within_a_minute_is_warned_of()?;
    a_login_without_a_user_fails();
    the_log_is_read_to_its_end()?;
    nothing_is_lost_under_faults()
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_check_of_the_example_holds() {
        super::main().expect("they hold");
    }
}
