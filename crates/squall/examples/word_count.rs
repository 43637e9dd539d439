//! Word count: sentences are split into words, and words are counted by key. Prints the counts once the input has ended.
//!
//! `cargo run --example word_count`, or with `-- --describe` to see the topology.

use std::process::ExitCode;

use squall::{
    Bolt, BoltContext, Collector, Declarer, Next, Result, Spout, SpoutCollector, StateHandle, Timestamp,
    TopologyBuilder, Tuple,
};

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

#[derive(Tuple)]
struct Count<'a> {
    word: &'a str,
    count: i64,
}

/// Emits each sentence a thousand times.
#[derive(Default)]
struct Sentences {
    emitted: usize,
}

impl Sentences {
    const ROWS: usize = 1_000 * SENTENCES.len();
}

impl Spout for Sentences {
    type Id = usize;

    fn declare(&self, streams: &mut Declarer) {
        streams.emits::<Sentence>();
    }

    fn next(&mut self, out: &mut SpoutCollector<'_, usize>) -> Result<Next> {
        for _ in 0..out.room() {
            if self.emitted == Self::ROWS {
                return Ok(Next::Done);
            }
            out.emit_with(self.emitted, Sentence { text: SENTENCES[self.emitted % SENTENCES.len()] });
            self.emitted += 1;
        }
        Ok(Next::More)
    }
}

struct Split;

impl Bolt for Split {
    fn declare(&self, streams: &mut Declarer) {
        streams.emits::<Word>();
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        let sentence: Sentence = tuple.read()?;
        for word in sentence.text.split_whitespace() {
            out.emit(Word { word });
        }
        Ok(())
    }
}

/// Counts each word in keyed state, which outlives a restart of the task.
#[derive(Default)]
struct Counter {
    counts: Option<StateHandle<String, i64>>,
}

impl Bolt for Counter {
    fn declare(&self, streams: &mut Declarer) {
        streams.emits::<Count>();
    }

    fn prepare(&mut self, context: &mut BoltContext<'_>) -> Result {
        self.counts = Some(context.keyed_state("counts")?);
        Ok(())
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        let row: Word = tuple.read()?;
        let counts = self.counts.as_ref().expect("prepare has set it");
        *out.state(counts).get_or_default(row.word) += 1;
        Ok(())
    }

    fn watermark(&mut self, watermark: Timestamp, out: &mut Collector<'_>) -> Result {
        if watermark == Timestamp::MAX {
            let counts = self.counts.as_ref().expect("prepare has set it");
            let (state, mut out) = out.split();
            state.for_each(counts, |_, word, count| out.emit(Count { word, count: *count }));
        }
        Ok(())
    }
}

/// Prints all counts, highest first, when there will be no more.
#[derive(Default)]
struct Report {
    lines: Vec<(i64, String)>,
}

impl Bolt for Report {
    fn execute(&mut self, tuple: &Tuple<'_>, _: &mut Collector<'_>) -> Result {
        let row: Count = tuple.read()?;
        self.lines.push((row.count, row.word.to_owned()));
        Ok(())
    }

    fn watermark(&mut self, watermark: Timestamp, _: &mut Collector<'_>) -> Result {
        if watermark == Timestamp::MAX {
            self.lines.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
            for (count, word) in self.lines.drain(..) {
                println!("{count:>6} {word}");
            }
        }
        Ok(())
    }
}

fn topology() -> TopologyBuilder {
    let mut topology = TopologyBuilder::new("word-count");
    topology.spout("sentences", Sentences::default);
    topology.bolt("split", || Split).parallelism(2).shuffle("sentences");
    topology.bolt("count", Counter::default).parallelism(2).fields("split", ["word"]);
    topology.bolt("report", Report::default).global("count");
    topology
}

fn main() -> ExitCode {
    squall::main(topology())
}

#[cfg(test)]
mod tests {
    use squall::testing::{BoltHarness, CompleteOptions, RowFate, complete_topology};

    use super::*;

    #[test]
    fn a_sentence_is_split_into_its_words() {
        let mut split = BoltHarness::new(|| Split).input(["text"]);
        let done = split.execute(Sentence { text: "to be  or not" });
        let words: Vec<&str> = done.read::<Word>().iter().map(|row| row.word).collect();
        assert_eq!(words, ["to", "be", "or", "not"]);
        assert_eq!(done.fate, RowFate::Acked);
    }

    #[test]
    fn words_are_counted_over_all_sentences() {
        let sentences = [Sentence { text: "to be or not to be" }, Sentence { text: "let it be" }];
        let options = CompleteOptions::new().mock("sentences", sentences);
        let done = complete_topology(topology(), options).expect("the topology is valid");
        let mut counts: Vec<(i64, &str)> =
            done.read::<Count>("count").iter().map(|row| (row.count, row.word)).collect();
        counts.sort_unstable();
        assert_eq!(counts, [(1, "it"), (1, "let"), (1, "not"), (1, "or"), (2, "to"), (3, "be")]);
        done.assert_all_acked();
    }
}
