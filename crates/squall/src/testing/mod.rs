//! The test kit: topologies, bolts and spouts as pure functions.
//!
//! # A whole topology
//!
//! [`complete_topology`] runs a topology until every spout is done and every tuple has been acked or has failed. A spout's place
//! is taken by the rows of a [`Mock`]; what comes back holds the rows of every stream and the fate of every root.
//!
//! ```
//! use squall::testing::{CompleteOptions, assert_same_rows, complete_topology};
//! use squall::{Bolt, Collector, Declarer, Next, Result, Spout, SpoutCollector, TopologyBuilder, Tuple};
//!
//! #[derive(Tuple, Debug, PartialEq)]
//! struct Word<'a> {
//!     word: &'a str,
//! }
//!
//! struct Sentences;
//!
//! impl Spout for Sentences {
//!     type Id = u64;
//!
//!     fn declare(&self, streams: &mut Declarer) {
//!         streams.stream("default", ["sentence"]);
//!     }
//!
//!     fn next(&mut self, out: &mut SpoutCollector<'_, u64>) -> Result<Next> {
//!         // Reads a socket, for ever: nothing for a test.
//! #       let _ = out;
//!         Ok(Next::Wait)
//!     }
//! }
//!
//! struct Split;
//!
//! impl Bolt for Split {
//!     fn declare(&self, streams: &mut Declarer) {
//!         streams.emits::<Word>();
//!     }
//!
//!     fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
//!         let sentence: &str = tuple.get(0)?;
//!         sentence.split(' ').for_each(|word| out.emit(Word { word }));
//!         Ok(())
//!     }
//! }
//!
//! // The function that makes the topology is the one that the program calls, too.
//! fn topology() -> TopologyBuilder {
//!     let mut topology = TopologyBuilder::new("words");
//!     topology.spout("sentences", || Sentences);
//!     topology.bolt("split", || Split).parallelism(4).shuffle("sentences");
//!     topology
//! }
//!
//! let options = CompleteOptions::new().mock("sentences", [("the cow",), ("the moon",)]);
//! let done = complete_topology(topology(), options)?;
//!
//! assert_same_rows(done.rows("split", "default"), [("cow",), ("moon",), ("the",), ("the",)]);
//! assert_eq!(done.read::<Word>("split").len(), 4);
//! done.assert_all_acked();
//! # Ok::<(), squall::testing::CompleteError>(())
//! ```
//!
//! Rows of several tasks come in no promised order, so [`assert_same_rows`] compares them as a multiset and lists what differs.
//! A spout that isn't mocked runs as it is; it must come to [`Next::Done`](crate::Next::Done). [`Completed::metrics`] has each
//! component's figures, [`Completed::books`] the sums over all roots.
//!
//! # Time
//!
//! A completed topology runs on one thread, under simulated time: when all components wait, the clock jumps to whatever is due
//! next, a tick, a [`Mock::wait`], a [`Next::WaitFor`](crate::Next::WaitFor), a sleep of an asynchronous bolt, a timeout. Work
//! itself takes no time. So a window of 60 s, or a retry after an hour, is tested in milliseconds:
//!
//! ```
//! # use squall::testing::{CompleteOptions, Mock, complete_topology};
//! # use squall::{Bolt, Collector, Declarer, Next, Result, Spout, SpoutCollector, TopologyBuilder, Tuple};
//! use std::time::Duration;
//! # struct Clicks;
//! # impl Spout for Clicks {
//! #     type Id = ();
//! #     fn declare(&self, streams: &mut Declarer) {
//! #         streams.stream("default", ["page"]);
//! #     }
//! #     fn next(&mut self, _: &mut SpoutCollector<'_, ()>) -> Result<Next> {
//! #         Ok(Next::Done)
//! #     }
//! # }
//!
//! /// Emits each minute how many clicks there were.
//! #[derive(Default)]
//! struct PerMinute {
//!     clicks: i64,
//! }
//!
//! impl Bolt for PerMinute {
//!     fn declare(&self, streams: &mut Declarer) {
//!         streams.stream("default", ["clicks"]);
//!     }
//!
//!     fn execute(&mut self, _: &Tuple<'_>, _: &mut Collector<'_>) -> Result {
//!         self.clicks += 1;
//!         Ok(())
//!     }
//!
//!     fn tick(&mut self, out: &mut Collector<'_>) -> Result {
//!         out.emit((std::mem::take(&mut self.clicks),));
//!         Ok(())
//!     }
//! }
//!
//! let minute = Duration::from_secs(60);
//! let mut topology = TopologyBuilder::new("clicks");
//! topology.spout("clicks", || Clicks);
//! topology.bolt("per-minute", PerMinute::default).global("clicks").tick(minute);
//!
//! let clicks = Mock::rows([("/",), ("/about",)]).wait(minute).row(("/",));
//! // Bolts that emit on a tick need time after the last row.
//! let done = complete_topology(topology, CompleteOptions::new().mock("clicks", clicks).linger(minute))?;
//! let counts: Vec<_> = done.rows("per-minute", "default").iter().map(|row| row.values()[0].clone()).collect();
//! assert_eq!(counts, [2.into(), 1.into()]);
//! # Ok::<(), squall::testing::CompleteError>(())
//! ```
//!
//! For this to hold, components take the time from where Squall gives it: `now()` of a context or a collector, or the clock of a
//! context. Asynchronous bolts may also use `tokio::time`. `std::time::Instant` and `SystemTime` show the machine's time.
//! Blocking components run inline, so one that really blocks blocks the test: mock it. A spout that always has more is called
//! once a millisecond. [`simulate`] gives any other test such time.
//!
//! The same [`seed`](CompleteOptions::seed) gives the same rows in the same order from the same tasks, however often it is run; a
//! test that fails under one can be run again under that one. Components spoil this with randomness of their own: the order of
//! a `std` hash map, or a `tokio::select!` that isn't `biased`.
//!
//! # One bolt, one spout
//!
//! A [`BoltHarness`] gives a bolt rows, ticks, watermarks and time one by one, on the code that runs it in a topology; it shows
//! what was emitted, whether the row was acked, failed (and why) or kept, and the keyed state. A [`SpoutHarness`] calls a spout
//! and shows rows, ids and watermark.
//!
//! ```
//! use squall::testing::{BoltHarness, RowFate};
//! use squall::{Bolt, BoltContext, Collector, Result, StateHandle, Tuple};
//!
//! #[derive(Default)]
//! struct Count {
//!     counts: Option<StateHandle<String, i64>>,
//! }
//!
//! impl Bolt for Count {
//!     fn prepare(&mut self, context: &mut BoltContext<'_>) -> Result {
//!         self.counts = Some(context.keyed_state("counts")?);
//!         Ok(())
//!     }
//!
//!     fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
//!         let word: &str = tuple.field("word")?;
//!         *out.state(self.counts.as_ref().ok_or("not prepared")?).get_or_default(word) += 1;
//!         Ok(())
//!     }
//! }
//!
//! let mut bolt = BoltHarness::new(Count::default).input(["word"]).keyed(["word"]);
//! assert_eq!(bolt.execute(("cow",)).fate, RowFate::Acked);
//! assert_eq!(bolt.execute((7,)).fate, RowFate::Failed(Some("field \"word\" is of type int, not string".to_owned())));
//! // A task that dies keeps its keyed state.
//! bolt.kill();
//! bolt.execute(("cow",));
//! assert_eq!(bolt.state::<String, i64>("counts")["cow"], 2);
//! ```
//!
//! # Faults
//!
//! [`Faults`] fail, delay and panic at a bolt's tuples with given probabilities, and kill tasks at given times, all from a seed.
//! A mock that [replays](Mock::replay) what failed shows that a topology comes through:
//!
//! ```
//! # use squall::testing::{CompleteOptions, Faults, Mock, complete_topology};
//! # use squall::{Bolt, Collector, Declarer, Next, Result, Spout, SpoutCollector, TopologyBuilder, Tuple};
//! # struct Numbers;
//! # impl Spout for Numbers {
//! #     type Id = ();
//! #     fn declare(&self, streams: &mut Declarer) {
//! #         streams.stream("default", ["n"]);
//! #     }
//! #     fn next(&mut self, _: &mut SpoutCollector<'_, ()>) -> Result<Next> {
//! #         Ok(Next::Done)
//! #     }
//! # }
//! # struct Store;
//! # impl Bolt for Store {
//! #     fn execute(&mut self, _: &Tuple<'_>, _: &mut Collector<'_>) -> Result {
//! #         Ok(())
//! #     }
//! # }
//! # fn topology() -> TopologyBuilder {
//! #     let mut topology = TopologyBuilder::new("store");
//! #     topology.spout("numbers", || Numbers);
//! #     topology.bolt("store", || Store).parallelism(2).shuffle("numbers");
//! #     topology
//! # }
//! use std::time::Duration;
//!
//! for seed in 0..20 {
//!     let faults = Faults::new(seed)
//!         .fail("store", 0.1)
//!         .panic("store", 0.02)
//!         .kill_task("store", Duration::from_millis(30));
//!     let numbers = Mock::rows((0..100).map(|n| (n,))).every(Duration::from_millis(1)).replay(true);
//!     let done = complete_topology(topology(), CompleteOptions::new().mock("numbers", numbers).faults(faults))?;
//!     done.assert_all_acked();
//!     assert_eq!(done.books().emitted, done.books().acked + done.books().failed, "seed {seed}");
//! }
//! # Ok::<(), squall::testing::CompleteError>(())
//! ```
//!
//! The same faults can be [injected](Faults::inject_into) into a topology that really runs.

mod bolt_harness;
mod complete;
mod error;
mod faults;
mod mock;
mod rows;
mod spout_harness;
mod time;

pub use bolt_harness::{BoltHarness, Executed, Reacted, RowFate, RowNumber};
pub use complete::{CompleteOptions, Completed, Fate, Root, complete_topology};
pub use error::CompleteError;
pub use faults::Faults;
pub use mock::Mock;
pub use rows::{CapturedRow, Rows, assert_same_rows};
pub use spout_harness::{SpoutCall, SpoutHarness};
pub use time::{EPOCH, simulate};
