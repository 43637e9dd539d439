//! To be written.
use squall::*;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SENTENCES: [&str; 5] = [
    "the cow jumped over the moon",
    "an apple a day keeps the doctor away",
    "four score and seven years ago",
    "snow white and the seven dwarfs",
    "i am at two with nature",
];
#[derive(Tuple)]
struct Sentence<'a> {
    text: &'a str,
}
#[derive(Tuple)]
struct Word<'a> {
    word: &'a str,
}
#[derive(Default)]
struct Src {
    i: u64,
}
impl Spout for Src {
    type Id = u64;
    fn declare(&self, s: &mut Declarer) {
        s.emits::<Sentence>();
    }
    fn next(&mut self, out: &mut SpoutCollector<'_, u64>) -> Result<Next> {
        for _ in 0..out.room() {
            out.emit_with(self.i, Sentence { text: SENTENCES[(self.i % 5) as usize] });
            self.i += 1;
        }
        Ok(Next::More)
    }
}
struct Split;
impl Bolt for Split {
    fn declare(&self, s: &mut Declarer) {
        s.emits::<Word>();
    }
    fn execute(&mut self, t: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        let s: Sentence = t.read()?;
        for word in s.text.split(' ') {
            out.emit(Word { word });
        }
        Ok(())
    }
}
#[derive(Default)]
struct Count {
    counts: Option<StateHandle<String, i64>>,
}
impl Bolt for Count {
    fn prepare(&mut self, c: &mut BoltContext<'_>) -> Result {
        self.counts = Some(c.keyed_state("counts")?);
        Ok(())
    }
    fn execute(&mut self, t: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        let w: Word = t.read()?;
        *out.state(self.counts.as_ref().expect("prepared")).get_or_default(w.word) += 1;
        Ok(())
    }
}
fn cpu() -> f64 {
    let s = std::fs::read_to_string("/proc/self/stat").unwrap();
    let f: Vec<&str> = s.rsplit(')').next().unwrap().split_whitespace().collect();
    (f[11].parse::<f64>().unwrap() + f[12].parse::<f64>().unwrap()) / 100.0
}
#[allow(clippy::unwrap_used)]
fn main() {
    let mode = std::env::args().nth(1).unwrap_or_default();
    let mut t = TopologyBuilder::new("wc");
    if mode.contains("amo") {
        t.delivery(Delivery::AtMostOnce);
    }
    t.spout("s", Src::default).parallelism(2);
    let b = t.bolt("split", || Split).parallelism(2).shuffle("s");
    if mode.contains("queue") {
        b.unchained();
    }
    t.bolt("count", Count::default).parallelism(2).fields("split", ["word"]);
    let p = t.build().unwrap();
    let rt = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    rt.block_on(async {
        let slot = Slot::start(&p, &Options::default()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        let (a, c, i) = (slot.metrics(), cpu(), std::time::Instant::now());
        tokio::time::sleep(Duration::from_secs(3)).await;
        let (b, c, i) = (slot.metrics(), cpu() - c, i.elapsed().as_secs_f64());
        let w =
            (b.component("count").unwrap().total.executed - a.component("count").unwrap().total.executed) as f64 / 1e6;
        let l = metrics::LatencySnapshot::of(&b.spouts().complete);
        println!(
            "{mode} mwords/s {:.2} cores {:.2} cpu/M {:.4} complete mean us {:.1} p99 {:.1}",
            w / i,
            c / i,
            c / w,
            l.mean / 1e3,
            l.p99 as f64 / 1e3
        );
        println!("{:?}", slot.drain(Duration::from_secs(5)).await);
    });
}
