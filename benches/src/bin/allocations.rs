//! Counts heap allocations per tuple in steady state and prints them as JSON.
//!
//! A program of its own, for its allocator counts. It counts rows, not time, so the figures hardly depend on the machine.
#![allow(unsafe_code, reason = "a global allocator is an unsafe trait; it counts and passes on to the system's")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use squall::{
    Bolt, Collector, Declarer, Delivery, Next, Options, Result, Slot, Spout, SpoutCollector, TopologyBuilder, Tuple,
};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is passed on unchanged to the system's allocator, which keeps the trait's promises.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: `at` came from the system's allocator with this layout, for all memory does.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        // SAFETY: as for `dealloc`; the caller promises the size.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Roots before counting begins.
const WARM_UP: u64 = 200_000;
/// Roots that are counted.
const COUNTED: u64 = 1_000_000;

/// Emits rows of one kind, and notes the allocations when counting begins and ends.
struct Source {
    texts: bool,
    sent: u64,
    noted: Arc<Mutex<Vec<u64>>>,
}

#[derive(squall::Tuple)]
struct Integer {
    key: i64,
}

#[derive(squall::Tuple)]
struct Text<'a> {
    key: &'a str,
}

impl Spout for Source {
    type Id = u64;

    fn declare(&self, streams: &mut Declarer) {
        streams.emits::<Integer>();
    }

    fn next(&mut self, out: &mut SpoutCollector<'_, u64>) -> Result<Next> {
        const KEYS: [&str; 4] = ["north", "east", "south-west", "nowhere near here"];
        for _ in 0..out.room() {
            if self.sent == WARM_UP || self.sent == WARM_UP + COUNTED {
                self.noted.lock().unwrap_or_else(PoisonError::into_inner).push(ALLOCATIONS.load(Relaxed));
            }
            if self.sent > WARM_UP + COUNTED {
                return Ok(Next::Done);
            }
            if self.texts {
                out.emit_with(self.sent, Text { key: KEYS[self.sent as usize % KEYS.len()] });
            } else {
                out.emit_with(self.sent, Integer { key: self.sent as i64 });
            }
            self.sent += 1;
        }
        Ok(Next::More)
    }
}

/// Passes the first value on.
struct Hop;

impl Bolt for Hop {
    fn declare(&self, streams: &mut Declarer) {
        streams.emits::<Integer>();
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        out.emit(tuple.values());
        Ok(())
    }
}

struct Last;

impl Bolt for Last {
    fn execute(&mut self, tuple: &Tuple<'_>, _: &mut Collector<'_>) -> Result {
        std::hint::black_box(tuple.values());
        Ok(())
    }
}

/// Allocations per tuple: the spout's and the hop's rows, while the spout sends those that are counted.
async fn per_tuple(texts: bool, delivery: Delivery) -> Result<f64> {
    let noted = Arc::new(Mutex::new(Vec::with_capacity(2)));
    let notes = noted.clone();
    let mut topology = TopologyBuilder::new("allocations");
    topology.delivery(delivery);
    topology.spout("source", move || Source { texts, sent: 0, noted: notes.clone() });
    topology.bolt("hop", || Hop).parallelism(2).fields("source", ["key"]);
    topology.bolt("last", || Last).parallelism(2).fields("hop", ["key"]);
    let slot = Slot::start(&topology.build()?, &Options::default()).await?;
    slot.ended().await;
    slot.kill().await;
    let noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
    let [first, last] = noted[..] else { return Err("the spout didn't note two counts".into()) };
    Ok((last - first) as f64 / (2 * COUNTED) as f64)
}

fn main() -> ExitCode {
    let measure = async {
        println!(
            "{}",
            json!({
                "integers_at_most_once": per_tuple(false, Delivery::AtMostOnce).await?,
                "integers_at_least_once": per_tuple(false, Delivery::AtLeastOnce).await?,
                "texts_at_most_once": per_tuple(true, Delivery::AtMostOnce).await?,
                "texts_at_least_once": per_tuple(true, Delivery::AtLeastOnce).await?,
            })
        );
        Ok::<_, squall::Failure>(())
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map_err(squall::Failure::from).and_then(|runtime| runtime.block_on(measure)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{}", failure.chain());
            ExitCode::FAILURE
        }
    }
}
