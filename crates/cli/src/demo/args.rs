//! The command line.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use squall::{Delivery, WindowSpec, duration};

use super::error::DemoError;
use super::source::{Input, Notes, Source};
use super::topology::Settings;

/// Posts are made up unless a file is given.
#[derive(clap::Args)]
pub struct Args {
    /// Replay posts: a file with a JSON object a line, with `created_at` (RFC 3339) and `text`; `-` is standard input
    #[arg(value_name = "FILE", group = "input")]
    posts: Option<PathBuf>,
    /// The same as FILE
    #[arg(long, value_name = "FILE", group = "input")]
    file: Option<PathBuf>,
    /// Replay posts so many times faster than they were written [default: at full speed]
    #[arg(long, value_name = "TIMES", requires = "input", value_parser = speed)]
    speed: Option<f64>,
    /// What the made-up posts depend on
    #[arg(long, default_value_t = 1, conflicts_with = "input")]
    seed: u64,
    /// Posts made up a second, or `max`
    #[arg(long, default_value = "200000", conflicts_with = "input")]
    rate: Rate,
    /// How much time the window covers
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration::parse)]
    window: Duration,
    /// By how much the window moves
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration::parse)]
    slide: Duration,
    /// Hashtags to show
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=100))]
    top: u16,
    /// Executors of each component [default: the machine's cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    parallelism: Option<u32>,
    /// End the input after so long
    #[arg(long = "for", value_name = "TIME", value_parser = duration::parse)]
    pub end_after: Option<Duration>,
    /// Don't track posts: one that is lost is lost
    #[arg(long)]
    at_most_once: bool,
    /// Break it, to see what becomes of the posts: a task of `hashtags` panics each time it has taken so many
    #[arg(long, value_name = "POSTS")]
    panic_every: Option<NonZeroU64>,
}

/// Posts a second; `None` as fast as they are taken.
#[derive(Clone, Copy)]
struct Rate(Option<f64>);

impl FromStr for Rate {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            _ if text == "max" => Ok(Self(None)),
            Ok(rate) if (0.01..=1e12).contains(&rate) => Ok(Self(Some(rate))),
            _ => Err("write posts a second, such as 5000, or max"),
        }
    }
}

fn speed(text: &str) -> Result<f64, &'static str> {
    let speed = text.parse().ok().filter(|speed| (1e-3..=1e9).contains(speed));
    speed.ok_or("write how many times faster, such as 100")
}

impl Args {
    /// What the topology is made of. Opens the input.
    pub fn settings(&self, notes: Notes) -> Result<Settings, DemoError> {
        let source = match self.path() {
            Some(path) => Source::Replayed { input: Input::open(path)?, speed: self.speed, notes },
            None => Source::Generated { seed: self.seed, rate: self.rate.0 },
        };
        let cores = || std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
        Ok(Settings {
            source,
            window: WindowSpec::new(self.window, self.slide)?,
            top: self.top.into(),
            parallelism: self.parallelism.unwrap_or_else(cores),
            delivery: if self.at_most_once { Delivery::AtMostOnce } else { Delivery::AtLeastOnce },
            end_after: self.end_after,
            panic_every: self.panic_every,
        })
    }

    /// What runs, in a line.
    pub fn title(&self) -> String {
        let posts = match self.path() {
            Some(path) if path.as_os_str() == "-" => "posts from standard input".to_owned(),
            Some(path) => format!("posts from {}", path.display()),
            None => format!("made-up posts, seed {}", self.seed),
        };
        let (window, slide) = (duration::format(self.window), duration::format(self.slide));
        format!("Trending hashtags in {posts}: a window of {window}, every {slide}, {}", self.promise())
    }

    /// What is promised for each post.
    fn promise(&self) -> &'static str {
        if self.at_most_once { "at most once" } else { "at least once" }
    }

    fn path(&self) -> Option<&PathBuf> {
        self.posts.as_ref().or(self.file.as_ref())
    }
}
