//! Posts that are made up: tags as frequent as Zipf's law has it, and now and then one that everybody talks about.

const OPENINGS: [&str; 12] = [
    "Can't stop thinking about",
    "Good morning from",
    "Who else is into",
    "Today in one word:",
    "Unpopular opinion on",
    "Just read a long piece about",
    "My grandmother asked me what this is:",
    "10 things I learned from",
    "Live now:",
    "It's that time of the year again.",
    "Hot take &#39;of the day&#39;:",
    "Weekend plans:",
];

/// The most frequent first.
const KNOWN: [&str; 32] = [
    "Music",
    "News",
    "Football",
    "Love",
    "Coffee",
    "Rust",
    "Photography",
    "Weather",
    "東京",
    "Travel",
    "Art",
    "Cats",
    "OpenSource",
    "Книги",
    "Gaming",
    "Food",
    "Café",
    "Science",
    "Straße",
    "한국",
    "Running",
    "Movies",
    "Dogs",
    "Garten",
    "MondayMotivation",
    "سفر",
    "Space",
    "Chess",
    "हिन्दी",
    "Bikes",
    "Ελλάδα",
    "Databases",
];

const FIRST: [&str; 48] = [
    "Quiet", "Loud", "Early", "Late", "Sunny", "Rainy", "Old", "New", "Red", "Green", "Blue", "Golden", "Silver",
    "Tiny", "Giant", "Happy", "Grumpy", "Wild", "Calm", "Fast", "Slow", "Hidden", "Open", "Secret", "Local", "Global",
    "Free", "Fresh", "Warm", "Cold", "Dark", "Bright", "Deep", "High", "Lost", "Found", "Simple", "Clever", "Brave",
    "Modern", "Ancient", "Digital", "Paper", "Wooden", "Electric", "Northern", "Southern", "Sunday",
];

const SECOND: [&str; 48] = [
    "Garden", "Kitchen", "River", "Mountain", "City", "Village", "Market", "Library", "Museum", "Train", "Bicycle",
    "Harbour", "Island", "Forest", "Desert", "Ocean", "Story", "Poem", "Song", "Dance", "Recipe", "Cake", "Soup",
    "Tea", "Robot", "Server", "Keyboard", "Screen", "Camera", "Lens", "Match", "Marathon", "Derby", "Election",
    "Festival", "Parade", "Holiday", "Journey", "Sunset", "Storm", "Snow", "Autumn", "Winter", "Spring", "Summer",
    "Puzzle", "Riddle", "Question",
];

/// A new tag begins to trend this often, in seconds, and is done after twice that.
const BURST_SECONDS: f64 = 10.0;
/// The share of all tags that one has at its height.
const BURST_SHARE: f64 = 0.15;

/// Makes posts. The same seed and the same times make the same posts.
pub struct Generator {
    seed: u64,
    random: Random,
    tags: Vec<String>,
    /// How likely a tag or one before it is, rising to 1.
    likely: Vec<f64>,
}

impl Generator {
    /// A generator for this seed; one for each `stream`, of which all have the same trends but different posts.
    pub fn new(seed: u64, stream: u64) -> Self {
        let composed = FIRST.iter().flat_map(|first| SECOND.iter().map(move |second| format!("{first}{second}")));
        let mut composed: Vec<String> = composed.collect();
        let mut shuffle = Random(seed);
        for last in (1..composed.len()).rev() {
            composed.swap(last, shuffle.below(last + 1));
        }
        let tags: Vec<String> = KNOWN.iter().map(|&tag| tag.to_owned()).chain(composed).collect();
        let mut sum = 0.0;
        let mut likely: Vec<f64> = (1..=tags.len())
            .map(|rank| {
                sum += 1.0 / rank as f64;
                sum
            })
            .collect();
        likely.iter_mut().for_each(|share| *share /= sum);
        Self { seed, random: Random(Random(seed ^ stream.rotate_left(32)).next()), tags, likely }
    }

    /// Writes the next post, which is of so many seconds after the start, over what is in `text`.
    pub fn write(&mut self, seconds: f64, text: &mut String) {
        text.clear();
        text.push_str(OPENINGS[self.random.below(OPENINGS.len())]);
        let tags = [1, 1, 1, 1, 1, 1, 2, 2, 3, 0][self.random.below(10)];
        for _ in 0..tags {
            let tag = self.tag(seconds);
            text.push_str(" #");
            text.push_str(&self.tags[tag]);
        }
        match self.random.below(32) {
            0 => text.make_ascii_uppercase(),
            1 => text.push_str(" https://example.org/post#comments"),
            _ => {}
        }
    }

    fn tag(&mut self, seconds: f64) -> usize {
        let begun = (seconds / BURST_SECONDS).floor();
        let mut draw = self.random.share();
        for burst in [begun, begun - 1.0].into_iter().filter(|burst| *burst >= 0.0) {
            let away = (seconds - (burst + 1.0) * BURST_SECONDS).abs() / BURST_SECONDS;
            let share = BURST_SHARE * (1.0 - away);
            if draw < share {
                return self.bursting(burst);
            }
            draw -= share;
        }
        let share = self.random.share();
        self.likely.partition_point(|likely| *likely < share).min(self.tags.len() - 1)
    }

    /// The tag that a burst is about: none that is frequent anyway.
    fn bursting(&self, burst: f64) -> usize {
        KNOWN.len() + Random(self.seed ^ burst.to_bits()).below(self.tags.len() - KNOWN.len())
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.next()) * limit as u128) >> 64) as usize
    }

    /// From 0 to under 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::super::hashtags::hashtags;
    use super::*;

    fn posts(seed: u64, stream: u64, from: f64, count: usize) -> Vec<String> {
        let (mut generator, mut text) = (Generator::new(seed, stream), String::new());
        let post = |number: usize| {
            generator.write(from + number as f64 / 10_000.0, &mut text);
            text.clone()
        };
        (0..count).map(post).collect()
    }

    fn counts(posts: &[String]) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for tag in posts.iter().flat_map(|post| hashtags(post)) {
            *counts.entry(tag.into_owned()).or_default() += 1;
        }
        counts
    }

    #[test]
    fn a_seed_makes_the_same_posts_and_another_others() {
        assert_eq!(posts(7, 0, 0.0, 1_000), posts(7, 0, 0.0, 1_000));
        assert_ne!(posts(7, 0, 0.0, 1_000), posts(8, 0, 0.0, 1_000));
        assert_ne!(posts(7, 0, 0.0, 1_000), posts(7, 1, 0.0, 1_000));
    }

    #[test]
    fn tags_are_as_frequent_as_zipfs_law_has_it() {
        let counts = counts(&posts(1, 0, 0.0, 100_000));
        let of = |tag: &str| counts.get(tag).copied().unwrap_or_default() as f64;
        assert!((1.8..2.2).contains(&(of("music") / of("news"))), "{} {}", of("music"), of("news"));
        assert!((8.0..12.0).contains(&(of("music") / of("weather") * 10.0 / 8.0)), "{}", of("weather"));
    }

    #[test]
    fn a_burst_lifts_a_rare_tag_to_the_top_in_all_streams_and_goes_again() {
        let burst = Generator::new(1, 0).bursting(3.0);
        let tag = Generator::new(1, 0).tags[burst].to_lowercase();
        let share = |stream, from| {
            let posts = posts(1, stream, from, 10_000);
            counts(&posts).get(&tag).copied().unwrap_or_default() as f64 / posts.len() as f64
        };
        assert!(share(0, 20.0) < 0.01);
        assert!(share(0, 39.5) > 0.1);
        assert!(share(1, 39.5) > 0.1);
        assert!(share(0, 60.0) < 0.01);
    }

    #[test]
    fn every_tag_that_is_made_up_is_a_hashtag() {
        for tag in Generator::new(1, 0).tags {
            assert_eq!(hashtags(&format!("x #{tag} y")).len(), 1, "{tag}");
        }
    }
}
