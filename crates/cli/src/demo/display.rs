//! Shows what trends: in place on a terminal, else a line at a time.

use std::io::{self, IsTerminal, Write};

use squall::{Outcome, Progress};

use super::board::{Board, Found};
use super::figures::{Figures, Grouped, Micros};
use super::merge::Trend;
use super::source::Note;

/// The longest bar, in columns.
const BAR: u64 = 32;

/// Writes what is found.
pub struct Display<W> {
    out: W,
    title: String,
    terminal: bool,
    /// Lines that the next refresh overwrites.
    drawn: usize,
    before: Figures,
}

impl<W: Write + IsTerminal> Display<W> {
    /// A display on `out`.
    pub fn new(out: W, title: String) -> Self {
        let terminal = out.is_terminal();
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
        if self.terminal {
            self.draw(window.as_ref(), &figures, progress.draining)?;
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
        for line in summary(&found, &figures) {
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

    fn draw(&mut self, window: Option<&Trend>, figures: &Figures, draining: bool) -> io::Result<()> {
        let height = terminal_size::terminal_size().map_or(usize::MAX, |(_, height)| height.0.into());
        let lines = live(window, figures, &self.before, draining, height);
        // Without line wrap a line is a line, however narrow the terminal.
        write!(self.out, "\x1b[?7l")?;
        for line in &lines {
            writeln!(self.out, "{line}")?;
        }
        write!(self.out, "\x1b[?7h")?;
        self.drawn = lines.len();
        Ok(())
    }
}

fn tell(notes: &[Note]) {
    for note in notes {
        eprintln!("{note}");
    }
}

/// The live display, at most as high as the terminal.
fn live(window: Option<&Trend>, now: &Figures, before: &Figures, draining: bool, height: usize) -> Vec<String> {
    let mut lines = match window {
        Some(window) => trend(&format!("The window to {}", window.end), window),
        None => vec![String::new(), "no window is complete yet".to_owned()],
    };
    // The cursor stands on a line of its own below.
    lines.truncate(height.saturating_sub(5));
    lines.push(String::new());
    lines.push(format!("{} posts/s    {}", Grouped(now.rate_since(before)), latency(now)));
    lines.push(counts(now));
    lines.push(if draining { "draining" } else { "Ctrl-C ends it" }.to_owned());
    lines
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
fn summary(found: &Found, figures: &Figures) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(window) = &found.window {
        lines.extend(trend(&format!("The last window, to {}", window.end), window));
    }
    if let Some(overall) = &found.overall {
        lines.extend(trend("Over all posts", overall));
    }
    let Figures { posts, hashtags, late, bad_lines, .. } = figures;
    lines.push(String::new());
    lines.push(format!("posts {}, hashtags {}, {}", Grouped(*posts), Grouped(*hashtags), latency(figures)));
    lines.push(format!("late for their window {}, bad lines skipped {}", Grouped(*late), Grouped(*bad_lines)));
    lines
}

fn trend(title: &str, trend: &Trend) -> Vec<String> {
    let most = trend.ranked.first().map_or(1, |(_, count)| *count).max(1);
    let rows = trend.ranked.iter().enumerate().map(|(place, (tag, count))| {
        let bar = "█".repeat((u128::from(*count) * u128::from(BAR) / u128::from(most)) as usize);
        // The tag comes last: how wide it is on a terminal can't be known in every script.
        format!("{:>3}  {:>11}  {bar:<width$}  #{tag}", place + 1, Grouped(*count), width = BAR as usize)
    });
    let none = trend.ranked.is_empty().then(|| "no hashtags".to_owned());
    [String::new(), title.to_owned()].into_iter().chain(rows).chain(none).collect()
}
