//! Word count: sentences, split, counted by word in keyed state.

use squall::{
    Bolt, BoltContext, Collector, Declarer, Delivery, Next, Result, Spout, SpoutCollector, StateHandle, Timestamp,
    TopologyBuilder, Tuple,
};

use crate::error::Error;
use crate::harness::{Bench, Figures, block_on, figures};
use crate::tally::Tally;

const SENTENCES: [&str; 5] = [
    "the cow jumped over the moon",
    "an apple a day keeps the doctor away",
    "four score and seven years ago",
    "snow white and the seven dwarfs",
    "i am at two with nature",
];
/// Executors of each component: the probes have as many.
const PARALLELISM: u32 = 2;

#[derive(Tuple)]
struct Sentence<'a> {
    text: &'a str,
}

#[derive(Tuple)]
struct Word<'a> {
    word: &'a str,
}

struct Sentences {
    tally: Tally,
    sent: usize,
}

impl Spout for Sentences {
    type Id = u64;

    fn declare(&self, streams: &mut Declarer) {
        streams.emits::<Sentence<'_>>();
    }

    fn next(&mut self, out: &mut SpoutCollector<'_, u64>) -> Result<Next> {
        if self.tally.stopped() {
            self.tally.sent(words_in(std::mem::take(&mut self.sent)) as u64);
            return Ok(Next::Done);
        }
        for _ in 0..out.room() {
            out.emit_with(self.sent as u64, Sentence { text: SENTENCES[self.sent % SENTENCES.len()] });
            self.sent += 1;
        }
        Ok(Next::More)
    }
}

/// Words in so many sentences, said over and over in their order.
fn words_in(sentences: usize) -> usize {
    let words = SENTENCES.map(|sentence| sentence.split(' ').count());
    let (rounds, rest) = (sentences / words.len(), sentences % words.len());
    rounds * words.iter().sum::<usize>() + words[..rest].iter().sum::<usize>()
}

struct Split;

impl Bolt for Split {
    fn declare(&self, streams: &mut Declarer) {
        streams.emits::<Word<'_>>();
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        for word in tuple.read::<Sentence<'_>>()?.text.split(' ') {
            out.emit(Word { word });
        }
        Ok(())
    }
}

struct Count {
    tally: Tally,
    counts: Option<StateHandle<String, i64>>,
}

impl Bolt for Count {
    fn prepare(&mut self, context: &mut BoltContext<'_>) -> Result {
        self.counts = Some(context.keyed_state("counts")?);
        Ok(())
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        let counts = self.counts.as_ref().expect("it is set in prepare");
        *out.state(counts).get_or_default(tuple.read::<Word<'_>>()?.word) += 1;
        Ok(())
    }

    fn watermark(&mut self, _: Timestamp, out: &mut Collector<'_>) -> Result {
        let counts = self.counts.as_ref().expect("it is set in prepare");
        let words: i64 = out.state_groups(counts).flat_map(|group| group.iter()).map(|(_, count)| count).sum();
        self.tally.taken(words.unsigned_abs());
        Ok(())
    }
}

fn topology(delivery: Delivery, chained: bool, tally: &Tally) -> TopologyBuilder {
    let mut topology = TopologyBuilder::new("word-count");
    topology.delivery(delivery);
    let of = tally.clone();
    topology.spout("sentences", move || Sentences { tally: of.clone(), sent: 0 }).parallelism(PARALLELISM);
    let split = topology.bolt("split", || Split).parallelism(PARALLELISM).shuffle("sentences");
    if !chained {
        split.unchained();
    }
    let of = tally.clone();
    let count = topology.bolt("count", move || Count { tally: of.clone(), counts: None });
    count.parallelism(PARALLELISM).fields("split", ["word"]);
    topology
}

/// CPU seconds a million words, millions of words a second, and where roots are tracked the time to complete one.
///
/// # Errors
/// The words counted aren't those sent, or the books don't balance.
pub fn run(delivery: Delivery, chained: bool, seconds: f64) -> Result<Figures, Error> {
    block_on(async {
        let tally = Tally::default();
        let bench = Bench::start(topology(delivery, chained, &tally), tally).await?;
        let window = bench.measure(seconds).await?;
        bench.finish("words").await?;
        let mut figures = figures([
            ("cpu_s_per_m", window.cpu_s / window.millions("count")),
            ("mwords_s", window.rate("count")),
            ("cores", window.cpu_s / window.seconds),
        ]);
        if delivery == Delivery::AtLeastOnce {
            figures.insert("complete_ms".to_owned(), window.complete_ms());
        }
        Ok(figures)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_sent_are_those_of_every_sentence_also_of_a_round_that_is_not_whole() {
        for sentences in 0..12 {
            let said = (0..sentences).map(|at| SENTENCES[at % SENTENCES.len()].split(' ').count());
            assert_eq!(words_in(sentences), said.sum::<usize>());
        }
    }
}
