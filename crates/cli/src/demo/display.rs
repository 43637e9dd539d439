//! Shows what trends: in place on a terminal, else a line at a time.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::ops::RangeInclusive;

use squall::{Outcome, Progress};

use super::board::{Board, Found};
use super::figures::{Figures, Grouped, Micros};
use super::merge::Trend;
use super::source::Note;

/// The longest bar, in columns, and the shortest that is worth its place.
const BARS: RangeInclusive<usize> = 8..=32;

/// A terminal's size.
#[derive(Clone, Copy, Debug)]
struct Size {
    columns: usize,
    lines: usize,
}

impl Size {
    /// Of what isn't a terminal.
    const UNBOUNDED: Self = Self { columns: usize::MAX, lines: usize::MAX };

    fn now() -> Self {
        let size = terminal_size::terminal_size();
        size.map_or(Self::UNBOUNDED, |(width, height)| Self { columns: width.0.into(), lines: height.0.into() })
    }
}

/// Writes what is found.
pub struct Display<W> {
    out: W,
    title: String,
    /// How large the terminal is now, if it is one.
    terminal: Option<fn() -> Size>,
    /// Lines that the next refresh overwrites.
    drawn: usize,
    before: Figures,
}

impl<W: Write + IsTerminal> Display<W> {
    /// A display on `out`.
    pub fn new(out: W, title: String) -> Self {
        let terminal = out.is_terminal().then_some(Size::now as fn() -> Size);
        Self { out, title, terminal, drawn: 0, before: Figures::default() }
    }
}

impl<W: Write> Display<W> {
    /// Says what runs.
    pub fn start(&mut self) -> io::Result<()> {
        writeln!(self.out, "{}", self.title)?;
        self.out.flush()
    }

    /// Shows what there is now.
    pub fn refresh(&mut self, board: &Board, progress: &Progress<'_>) -> io::Result<()> {
        let figures = Figures::of(progress.snapshot);
        let (window, notes) = {
            let mut found = board.lock();
            (found.window.clone(), found.take_notes())
        };
        self.erase()?;
        tell(&notes);
        if let Some(size) = self.terminal {
            self.draw(window.as_ref(), &figures, progress.draining, size())?;
        } else {
            writeln!(self.out, "{}", plain(window.as_ref(), &figures, &self.before))?;
        }
        self.before = figures;
        self.out.flush()
    }

    /// Says how it ended: the last window, the whole input, the books.
    pub fn end(&mut self, board: &Board, outcome: &Outcome) -> io::Result<()> {
        let mut found = board.lock();
        self.erase()?;
        tell(&found.take_notes());
        let figures = Figures::of(&outcome.last);
        let columns = self.terminal.map_or(usize::MAX, |size| size().columns);
        for line in summary(&found, &figures, columns) {
            writeln!(self.out, "{line}")?;
        }
        writeln!(self.out, "{outcome}")?;
        self.out.flush()
    }

    /// Goes back to where the last refresh began, and clears from there on.
    fn erase(&mut self) -> io::Result<()> {
        match std::mem::take(&mut self.drawn) {
            0 => Ok(()),
            // Notes go to stderr, so what is cleared must be so before.
            lines => write!(self.out, "\x1b[{lines}A\x1b[J").and_then(|()| self.out.flush()),
        }
    }

    fn draw(&mut self, window: Option<&Trend>, figures: &Figures, draining: bool, size: Size) -> io::Result<()> {
        let lines = live(window, figures, &self.before, draining, size);
        // Without line wrap a line is a line, should the terminal have become narrower since it was asked. What is too long would
        // overwrite the last column, so lines are cut before.
        write!(self.out, "\x1b[?7l")?;
        for line in &lines {
            writeln!(self.out, "{}", cut(line, size.columns))?;
        }
        write!(self.out, "\x1b[?7h")?;
        self.drawn = lines.len();
        Ok(())
    }
}

fn tell(notes: &[Note]) {
    for note in notes {
        crate::output::say(&format!("{note}\n"));
    }
}

/// The live display, at most as high as the terminal.
fn live(window: Option<&Trend>, now: &Figures, before: &Figures, draining: bool, size: Size) -> Vec<String> {
    let mut lines = match window {
        Some(window) => trend(&format!("The window to {}", window.end), window, size.columns),
        None => vec![String::new(), "no window is complete yet".to_owned()],
    };
    let mut figures = fold(&format!("{} posts/s    {}", Grouped(now.rate_since(before)), latency(now)), size.columns);
    figures.extend(fold(&counts(now), size.columns));
    // An empty line above, what ends it below, and the cursor on a line of its own.
    lines.truncate(size.lines.saturating_sub(figures.len() + 3));
    lines.push(String::new());
    lines.extend(figures);
    lines.push(if draining { "draining" } else { "Ctrl-C ends it" }.to_owned());
    lines
}

/// A text of words in as many lines as it takes, so that no figure is cut where it is narrow.
fn fold(text: &str, columns: usize) -> Vec<String> {
    if columns_at_most(text) <= columns {
        return vec![text.to_owned()];
    }
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if columns_at_most(line) + 1 + columns_at_most(word) <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// As much of a line as fits.
fn cut(line: &str, columns: usize) -> Cow<'_, str> {
    if columns_at_most(line) <= columns {
        return line.into();
    }
    let mut room = columns.saturating_sub(1);
    let fits = |letter: &char| room.checked_sub(columns_of(*letter)).map(|left| room = left).is_some();
    let mut kept: String = line.chars().take_while(fits).collect();
    kept.push('…');
    kept.into()
}

/// A refresh in one line.
fn plain(window: Option<&Trend>, now: &Figures, before: &Figures) -> String {
    let window = window.map_or_else(
        || "no window is complete yet".to_owned(),
        |window| {
            let ranked: Vec<_> =
                window.ranked.iter().map(|(tag, count)| format!("#{tag} {}", Grouped(*count))).collect();
            format!("to {}: {}", window.end, ranked.join(", "))
        },
    );
    format!("{window} | {} posts/s, {}, {}", Grouped(now.rate_since(before)), latency(now), counts(now))
}

fn latency(figures: &Figures) -> String {
    if figures.latency.count == 0 {
        return "emit to merge -".to_owned();
    }
    let (p50, p99) = (Micros(figures.latency.p50), Micros(figures.latency.p99));
    format!("emit to merge p50 {p50}, p99 {p99}")
}

fn counts(figures: &Figures) -> String {
    let Figures { pending, acked, failed, late, bad_lines, .. } = figures;
    let mut text = format!("{} pending, {} acked, {} failed", Grouped(*pending), Grouped(*acked), Grouped(*failed));
    for (count, what) in [(late, "late"), (bad_lines, "skipped")] {
        if *count > 0 {
            text += &format!(", {} {what}", Grouped(*count));
        }
    }
    text
}

/// The end, but for the books.
fn summary(found: &Found, figures: &Figures, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(window) = &found.window {
        lines.extend(trend(&format!("The last window, to {}", window.end), window, columns));
    }
    if let Some(overall) = &found.overall {
        lines.extend(trend("Over all posts", overall, columns));
    }
    let Figures { posts, hashtags, late, bad_lines, .. } = figures;
    lines.push(String::new());
    lines.push(format!("posts {}, hashtags {}, {}", Grouped(*posts), Grouped(*hashtags), latency(figures)));
    lines.push(format!("late for their window {}, bad lines skipped {}", Grouped(*late), Grouped(*bad_lines)));
    lines
}

/// The ranks, as wide as they may be: the bars give way to the hashtags.
fn trend(title: &str, trend: &Trend, columns: usize) -> Vec<String> {
    const RANK_AND_COUNT: usize = 3 + 2 + 11 + 2;
    let most = trend.ranked.first().map_or(1, |(_, count)| *count).max(1);
    let tags = trend.ranked.iter().map(|(tag, _)| columns_at_most(tag) + 1).max().unwrap_or(0);
    let room = columns.saturating_sub(RANK_AND_COUNT + 2 + tags).min(*BARS.end());
    let rows = trend.ranked.iter().enumerate().map(|(place, (tag, count))| {
        let rank = format!("{:>3}  {:>11}  ", place + 1, Grouped(*count));
        if !BARS.contains(&room) {
            return format!("{rank}#{tag}");
        }
        let bar = "█".repeat((u128::from(*count) * room as u128 / u128::from(most)) as usize);
        // The tag comes last: how wide it is on a terminal can't be known in every script.
        format!("{rank}{bar:<room$}  #{tag}")
    });
    let none = trend.ranked.is_empty().then(|| "no hashtags".to_owned());
    [String::new(), title.to_owned()].into_iter().chain(rows).chain(none).collect()
}

/// How wide a text may be on a terminal: letters of some scripts take two columns.
fn columns_at_most(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

fn columns_of(letter: char) -> usize {
    if letter.is_ascii() || matches!(letter, '█' | '…') { 1 } else { 2 }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use squall::metrics::Snapshot;
    use squall::{Books, Cause, Delivery, Timestamp};

    use super::*;

    fn ranked(tags: &[(&str, u64)]) -> Trend {
        let ranked = tags.iter().map(|(tag, count)| ((*tag).to_owned(), *count)).collect();
        Trend { end: Timestamp::from_millis(60_000), ranked }
    }

    /// What a terminal of this size shows after so many characters: no more than the sequences that the display writes.
    struct Screen {
        lines: Vec<String>,
    }

    impl Screen {
        fn after(written: &str, columns: usize) -> Self {
            let mut screen = Self { lines: vec![String::new()] };
            let mut rest = written;
            while let Some(letter) = rest.chars().next() {
                if let Some(sequence) = rest.strip_prefix("\x1b[") {
                    let end = sequence.find(|letter: char| letter.is_ascii_alphabetic()).expect("a sequence ends");
                    screen.control(&sequence[..=end]);
                    rest = &sequence[end + 1..];
                    continue;
                }
                let line = screen.lines.last_mut().expect("the cursor is on a line");
                match letter {
                    '\n' => screen.lines.push(String::new()),
                    letter if line.chars().count() < columns => line.push(letter),
                    // Without line wrap what is too long overwrites the last column.
                    letter => {
                        line.pop();
                        line.push(letter);
                    }
                }
                rest = &rest[letter.len_utf8()..];
            }
            screen
        }

        fn control(&mut self, sequence: &str) {
            match sequence {
                "?7l" | "?7h" | "J" => {}
                up => {
                    let up: usize = up.strip_suffix('A').expect("else the cursor goes up").parse().expect("by lines");
                    let left = self.lines.len().checked_sub(up).expect("no further than the top");
                    self.lines.truncate(left);
                    self.lines.last_mut().expect("a line is left").clear();
                }
            }
        }
    }

    fn small() -> Size {
        Size { columns: 40, lines: 12 }
    }

    fn shown(board: &Board, display: &mut Display<Vec<u8>>, tags: &[(&str, u64)], draining: bool) {
        board.lock().window = Some(ranked(tags));
        let snapshot = Snapshot::default();
        display.refresh(board, &Progress { snapshot: &snapshot, running_for: Duration::ZERO, draining }).unwrap();
    }

    #[test]
    fn each_refresh_on_a_terminal_takes_the_place_of_the_one_before_and_the_end_of_the_last() {
        let board = Board::default();
        let (title, before) = ("the title".to_owned(), Figures::default());
        let mut display = Display { out: Vec::new(), title, terminal: Some(small), drawn: 0, before };
        display.start().unwrap();
        let screen = |display: &Display<Vec<u8>>| Screen::after(std::str::from_utf8(&display.out).unwrap(), 40).lines;
        shown(&board, &mut display, &[("music", 30), ("news", 20), ("sport", 10)], false);
        let first = screen(&display);
        assert!(first.contains(&"0 pending, 0 acked, 0 failed".to_owned()), "{first:?}");
        assert_eq!(first[..2], ["the title", ""]);
        assert!(first[3].ends_with("#music") && first[5].ends_with("#sport"), "{first:?}");
        assert_eq!(first[first.len() - 2..], ["Ctrl-C ends it", ""]);
        shown(&board, &mut display, &[("news", 31)], true);
        let second = screen(&display);
        assert!(second[3].ends_with("#news") && second.len() == first.len() - 2, "{second:?}");
        assert!(!second.concat().contains("#music") && second.contains(&"draining".to_owned()), "{second:?}");
        let outcome = Outcome {
            books: Books::default(),
            last: Snapshot::default(),
            cause: Cause::Stopped,
            ran_for: Duration::ZERO,
            drained_in: Duration::ZERO,
            delivery: Delivery::AtLeastOnce,
        };
        display.end(&board, &outcome).unwrap();
        let last = screen(&display);
        assert_eq!(last[0], "the title");
        assert!(!last.contains(&"draining".to_owned()), "{last:?}");
        assert!(last[last.len() - 2].starts_with("drained in 0.0 s: 0 emitted"), "{last:?}");
    }

    #[test]
    fn a_display_is_never_higher_than_the_terminal() {
        let tags: Vec<_> = (0..50).map(|tag| (tag.to_string(), 50 - tag)).collect();
        let tags: Vec<_> = tags.iter().map(|(tag, count)| (tag.as_str(), *count)).collect();
        for lines in [5, 12, 30] {
            let size = Size { columns: 80, lines };
            let drawn = live(Some(&ranked(&tags)), &Figures::default(), &Figures::default(), false, size);
            assert_eq!(drawn.len(), lines - 1, "the cursor has the last line");
        }
    }

    #[test]
    fn where_it_is_narrow_figures_take_more_lines_and_hashtags_are_cut() {
        let figures = Figures { pending: 1_264, acked: 159_912, failed: 7, ..Figures::default() };
        let trending = ranked(&[("southernsunset_and_more_of_it", 1_000)]);
        for columns in [24, 30, 40] {
            let size = Size { columns, lines: 24 };
            let drawn = live(Some(&trending), &figures, &Figures::default(), false, size);
            let drawn: Vec<_> = drawn.iter().map(|line| cut(line, columns)).collect();
            assert!(drawn.iter().all(|line| line.chars().count() <= columns), "{drawn:?}");
            let words = drawn.join(" ");
            assert!(words.contains("1,264 pending, 159,912 acked, 7 failed"), "{drawn:?}");
            assert!(drawn[2].ends_with('…'), "{drawn:?}");
        }
    }

    #[test]
    fn where_it_is_narrow_bars_give_way_to_the_hashtags() {
        let trending = ranked(&[("actonclimate", 1_000), ("東京", 500)]);
        let at = |columns| trend("t", &trending, columns)[2..].to_vec();
        assert_eq!(at(40), ["  1        1,000  #actonclimate", "  2          500  #東京"]);
        let wide = at(120);
        assert_eq!(wide[0], format!("  1        1,000  {}  #actonclimate", "█".repeat(32)));
        assert_eq!(wide[1], format!("  2          500  {}{}  #東京", "█".repeat(16), " ".repeat(16)));
        for columns in 33..120 {
            assert!(at(columns).iter().all(|line| line.chars().count() <= columns), "at {columns}");
        }
        assert!(at(50)[0].contains('█'), "a short bar where there is room for one");
    }
}
