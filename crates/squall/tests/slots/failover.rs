//! Executors of a lost slot come up elsewhere, routes are switched under healthy slots, and nothing of these is restarted or refused.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use squall::{Bolt, BoltContext, Collector, Delivery, Next, Result, SpoutCollector, TaskId, TopologyBuilder, Tuple};
use squall_runtime::Applied;
use squall_types::cluster::SlotId;

use crate::cluster::*;
use crate::common::*;
use crate::replays::*;

/// Nothing may wait for this.
const TIMEOUT: Duration = Duration::from_secs(600);

/// Notes each preparation and each row.
struct Noted {
    prepared: Arc<Log<TaskId>>,
    taken: Arc<Log<(i64, TaskId)>>,
    task: Option<TaskId>,
}

impl Bolt for Noted {
    fn declare(&self, streams: &mut squall::Declarer) {
        streams.stream("default", ["n"]);
    }

    fn prepare(&mut self, context: &mut BoltContext<'_>) -> Result {
        self.prepared.push(context.task());
        self.task = Some(context.task());
        Ok(())
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        let n: i64 = tuple.get(0)?;
        self.taken.push((n, self.task.expect("prepared")));
        out.emit((n,));
        Ok(())
    }
}

#[derive(Default)]
struct Notes {
    told: Arc<Told>,
    apart: Arc<Told>,
    prepared: Arc<Log<TaskId>>,
    ends: Arc<Log<(i64, TaskId)>>,
}

const ROWS: i64 = 20_000;

/// Spouts `s` and `t`; `s` is passed on by `pass` ×2 to `end` ×2 by key, `t` by `own` alone.
fn topology(notes: &Notes) -> TopologyBuilder {
    let mut topology = TopologyBuilder::new("t");
    topology.message_timeout(TIMEOUT).max_spout_pending(500);
    let noted = |taken: &Arc<Log<(i64, TaskId)>>| {
        let (prepared, taken) = (notes.prepared.clone(), taken.clone());
        move || Noted { prepared: prepared.clone(), taken: taken.clone(), task: None }
    };
    topology.spout("s", replays(&notes.told, ROWS));
    topology.bolt("pass", noted(&Log::new())).parallelism(2).shuffle("s");
    topology.bolt("end", noted(&notes.ends)).parallelism(2).fields("pass", ["n"]);
    topology.spout("t", replays(&notes.apart, ROWS));
    topology.bolt("own", noted(&Log::new())).shuffle("t");
    topology
}

/// `s` in slot 0, `pass` in 1 and 2, `end` in 2 and 3, `t` in 1, `own` in 3; what slot 2 had goes to `heir`.
fn place(heir: usize) -> Place {
    Arc::new(move |component, executor| {
        Some(match (component, executor) {
            ("s", _) => 0,
            ("pass", 0) | ("t", _) => 1,
            ("end", 1) | ("own", _) => 3,
            _ => heir,
        })
    })
}

/// Kills slot 2 amid the work, and has its executors come up in another slot.
async fn fails_over_to(heir: usize) {
    let notes = Notes::default();
    let mut cluster = Cluster::start(topology(&notes), &two_cores(), 4, &place(2)).await;
    until("all work", || notes.told.acked.len() > 2_000 && notes.apart.acked.len() > 2_000).await;
    cluster.kill(2).await;
    if heir > 3 {
        cluster.next_placement(&place(heir));
        cluster.start_slot(heir, 1).await;
        cluster.apply_all().await;
    } else {
        cluster.place(&place(heir)).await;
    }
    until("all is made good", || notes.told.done() == ROWS as usize && notes.apart.done() == ROWS as usize).await;
    // Tasks 2 and 3 are `pass`, 4 and 5 `end`, 7 `own`; slot 2 had 3 and 4.
    let prepared = counted(notes.prepared.all().into_iter().map(TaskId::get));
    assert_eq!(prepared, [(2, 1), (3, 2), (4, 2), (5, 1), (7, 1)], "what was healthy was not restarted");
    let traffic: BTreeMap<usize, _> = cluster.slots.iter().map(|(number, slot)| (*number, slot.traffic())).collect();
    assert!(traffic.values().all(|slot| slot.refused == 0), "{traffic:?}");
    assert!(traffic.values().all(|slot| slot.slots_lost <= 1), "nobody was left but the lost one: {traffic:?}");
    assert_eq!(notes.apart.failed.len(), 0, "a spout whose rows can't come there goes on");
    assert_eq!((notes.told.opened.len(), notes.apart.opened.len()), (1, 1));
    let (books, _) = cluster.finish_in_doubt().await;
    assert_eq!((books.left, books.timed_out, books.failed), (0, 0, 0), "{books:?}");
    let arrived = numbers(&notes.ends);
    assert!(notes.told.acked.all().iter().all(|n| arrived.binary_search(n).is_ok()), "what was acked has arrived");
}

#[tokio::test]
async fn a_lost_slots_executors_come_up_in_a_new_slot() {
    fails_over_to(4).await;
}

#[tokio::test]
async fn a_lost_slots_executors_come_up_in_slots_that_run() {
    fails_over_to(0).await;
    fails_over_to(3).await;
}

#[tokio::test]
async fn a_lost_spout_begins_anew_elsewhere_and_is_not_taken_for_its_former_life() {
    let notes = Notes::default();
    let mut cluster = Cluster::start(topology(&notes), &two_cores(), 4, &place(2)).await;
    until("all work", || notes.told.acked.len() > 2_000).await;
    cluster.kill(0).await;
    let place_of_s: Place =
        Arc::new(|component, executor| if component == "s" { Some(1) } else { place(2)(component, executor) });
    cluster.place(&place_of_s).await;
    until("it is all acked", || notes.told.done() == ROWS as usize && notes.apart.done() == ROWS as usize).await;
    assert_eq!(notes.told.opened.len(), 2);
    assert_eq!(counted(notes.prepared.all()).len(), notes.prepared.len(), "no bolt was restarted");
    assert!(cluster.traffic().iter().all(|slot| slot.refused == 0));
    let (books, _) = cluster.finish_in_doubt().await;
    assert_eq!((books.left, books.timed_out, books.failed), (0, 0, 0), "{books:?}");
}

/// A slot that was cut off runs on. Once it is back, others have its work, and it can neither send nor ack.
#[tokio::test]
async fn a_slot_that_comes_back_without_work_is_let_in_by_nobody() {
    let notes = Notes::default();
    let mut cluster = Cluster::start(topology(&notes), &two_cores(), 4, &place(2)).await;
    until("all work", || notes.told.acked.len() > 2_000).await;
    [0, 1, 3].into_iter().for_each(|other| cluster.network.cut(&address(2), &address(other)));
    let cut_off = cluster.slots.remove(&2).expect("it runs");
    cluster.place(&place(0)).await;
    until("all is made good", || notes.told.done() == ROWS as usize && notes.apart.done() == ROWS as usize).await;
    let before = notes.ends.len();
    [0, 1, 3].into_iter().for_each(|other| cluster.network.mend(&address(2), &address(other)));
    let refused = || cluster.traffic().iter().map(|slot| slot.refused).sum::<u64>();
    until("it is refused by each", || refused() >= 3).await;
    assert_eq!(notes.ends.len(), before);
    drop(cut_off);
    let (books, _) = cluster.finish_in_doubt().await;
    assert_eq!((books.left, books.timed_out, books.failed), (0, 0, 0), "{books:?}");
}

#[tokio::test]
async fn an_older_placement_is_not_taken_and_one_that_takes_executors_away_asks_for_a_new_start() {
    let notes = Notes::default();
    let mut cluster = Cluster::start(topology(&notes), &two_cores(), 4, &place(2)).await;
    let first = cluster.placement.clone();
    cluster.next_placement(&place(2));
    cluster.apply_all().await;
    let slot = cluster.slots.get_mut(&2).expect("it runs");
    assert_eq!(slot.apply(first).await.expect("nothing to prepare"), Applied::Older);
    cluster.next_placement(&place(0));
    let slot = cluster.slots.get_mut(&2).expect("it runs");
    assert_eq!(slot.apply(cluster.placement.clone()).await.expect("nothing to prepare"), Applied::StartAnew);
}

#[tokio::test]
async fn watermarks_go_on_once_a_lost_tasks_next_life_has_spoken() {
    let (fates, log) = (Fates::new(), Log::<i64>::new());
    let mut topology = TopologyBuilder::new("t");
    topology.delivery(Delivery::AtMostOnce);
    let said = Arc::new(AtomicU64::new(0));
    let says = said.clone();
    let endless = move |out: &mut SpoutCollector<'_, i64>| {
        says.fetch_add(1, SeqCst);
        let now =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_micros());
        out.watermark(squall::Timestamp::from_micros(now as i64));
        Ok(Next::WaitFor(Duration::from_millis(1)))
    };
    topology.spout("s", from(&fates, ONE, endless)).parallelism(3);
    let note = |here: &Here<'_, Log<i64>>, event: Event<'_>, _: &mut Collector<'_>| {
        if let Event::Watermark(to) = event {
            here.log.push(to.micros());
        }
        Ok(())
    };
    topology.bolt("b", each_event(&log, NONE, note)).all("s");
    let heir = |heir: usize| -> Place {
        Arc::new(move |component, executor| {
            Some(match (component, executor) {
                ("b", _) => 0,
                ("s", 2) => heir,
                (_, n) => n as usize,
            })
        })
    };
    let mut cluster = Cluster::start(topology, &two_cores(), 3, &heir(2)).await;
    until("it rises", || log.len() > 20).await;
    cluster.kill(2).await;
    // What the spouts that are left say from here on, each once a millisecond, is all behind the loss.
    let more = async |times: u64| {
        let from = said.load(SeqCst);
        until("the others speak on", || said.load(SeqCst) > from + times).await;
    };
    more(100).await;
    let held = log.len();
    more(100).await;
    assert_eq!(log.len(), held, "a task that is nowhere holds it");
    cluster.place(&heir(1)).await;
    until("it rises again", || log.len() > held + 20).await;
    assert!(log.all().windows(2).all(|pair| pair[0] < pair[1]));
    let gone: Option<SlotId> = cluster.placement.slots.keys().find(|slot| **slot == slot_id(2)).cloned();
    assert_eq!(gone, None);
    cluster.finish_in_doubt().await;
}
