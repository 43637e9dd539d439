//! Hashtags in a text, and the bolt that takes them out of posts.
//!
//! A hashtag is `#` (or the full-width `＃`) and a word after it: letters, digits, marks and underscores of any script, with at
//! least one letter. It can't follow a letter, a digit, an underscore or `&` at once (`a#b`, `&#39;`), and `#` in a URL is none.
//! `##tag` is `tag`, and `#one#two` is `one` alone. Case and the way that accents are encoded make no difference: `#Straße` is
//! `#STRASSE`.

use std::borrow::Cow;
use std::num::NonZeroU64;

use squall::{Bolt, Collector, Declarer, Result, Tuple};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::rows::{Post, Tagged};

/// Emits each hashtag of a post, once: who repeats a tag within a post doesn't make it trend.
#[derive(Default)]
pub struct Hashtags {
    /// Posts that are taken before one more makes the task panic.
    panics_after: Option<NonZeroU64>,
    taken: u64,
}

impl Hashtags {
    /// A bolt that panics once it has taken so many posts, if any number is given. The task that starts in its place begins to
    /// count anew.
    pub fn panicking_after(posts: Option<NonZeroU64>) -> Self {
        Self { panics_after: posts, taken: 0 }
    }

    fn panic_if_asked(&mut self) {
        self.taken += 1;
        if self.panics_after.is_some_and(|posts| self.taken > posts.get()) {
            panic!("--panic-every asked for it");
        }
    }
}

impl Bolt for Hashtags {
    fn declare(&self, streams: &mut Declarer) {
        streams.emits::<Tagged>();
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        self.panic_if_asked();
        let post: Post = tuple.read()?;
        for tag in &hashtags(post.text) {
            out.emit(Tagged { tag, at: post.at, emitted: post.emitted });
        }
        Ok(())
    }
}

/// The hashtags of a text, folded, each once, in order.
pub fn hashtags(text: &str) -> Vec<Cow<'_, str>> {
    let mut found: Vec<Cow<'_, str>> = Vec::new();
    let (mut rest, mut before) = (text, None);
    while let Some(char) = rest.chars().next() {
        let mut taken = char.len_utf8();
        match char {
            '#' | '＃' if !before.is_some_and(|char| is_word(char) || char == '&') => {
                let word = word_at(&rest[taken..]);
                taken += word.len();
                if is_tag(word) {
                    let tag = fold(word);
                    if !found.contains(&tag) {
                        found.push(tag);
                    }
                }
            }
            'h' | 'H' | 'w' | 'W' if starts_url(rest, before) => {
                taken = rest.find(char::is_whitespace).unwrap_or(rest.len());
            }
            _ => {}
        }
        before = rest[..taken].chars().next_back();
        rest = &rest[taken..];
    }
    found
}

fn is_word(char: char) -> bool {
    if char.is_ascii() {
        return char.is_ascii_alphanumeric() || char == '_';
    }
    // A variation selector only says how the character before it looks.
    char.is_alphanumeric() || is_combining_mark(char) && !('\u{FE00}'..='\u{FE0F}').contains(&char)
}

/// Persian and the scripts of India join and part letters within a word with these.
fn is_joiner(char: char) -> bool {
    matches!(char, '\u{200C}' | '\u{200D}')
}

fn word_at(text: &str) -> &str {
    let end = text.find(|char| !is_word(char) && !is_joiner(char)).unwrap_or(text.len());
    text[..end].trim_end_matches(is_joiner)
}

/// Whether a word is a tag: `#1` is a rank, `#_` a typo, and `#` with marks on it a keycap.
fn is_tag(word: &str) -> bool {
    let starts_well = word.chars().next().is_some_and(|first| is_word(first) && !is_combining_mark(first));
    starts_well && word.chars().any(|char| char.is_alphabetic() && !char.is_numeric())
}

fn starts_url(text: &str, before: Option<char>) -> bool {
    let starts = |with: &str| text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    starts("http://") || starts("https://") || starts("www.") && !before.is_some_and(is_word)
}

/// Full case folding, and one encoding for what looks the same (NFC).
fn fold(word: &str) -> Cow<'_, str> {
    if word.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        Cow::Borrowed(word)
    } else if word.is_ascii() {
        Cow::Owned(word.to_ascii_lowercase())
    } else {
        Cow::Owned(caseless::default_case_fold_str(&word.nfd().collect::<String>()).nfc().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::hashtags;

    #[test]
    fn a_hashtag_is_a_word_in_any_script() {
        let texts: [(&str, &[&str]); 17] = [
            ("#rust", &["rust"]),
            ("so #Rust, much #speed!", &["rust", "speed"]),
            ("（#東京）は＃晴れ。", &["東京"]),
            ("今日は ＃晴れ。", &["晴れ"]),
            ("#한국어 #русский #ΕΛΛΗΝΙΚΆ", &["한국어", "русский", "ελληνικά"]),
            ("#हिन्दी", &["हिन्दी"]),
            ("#العربية، #עברית", &["العربية", "עברית"]),
            ("#ไทยแลนด์", &["ไทยแลนด์"]),
            ("#می\u{200C}خواهم\u{200C} و", &["می\u{200C}خواهم"]),
            ("#snake_case #a1 #1a #2026goals", &["snake_case", "a1", "1a", "2026goals"]),
            ("(#a)[#b]\"#c\"/#d-#e'#f", &["a", "b", "c", "d", "e", "f"]),
            ("#it's", &["it"]),
            ("#a.b #c-d", &["a", "c"]),
            ("#love❤️", &["love"]),
            ("🔥#hot🔥", &["hot"]),
            ("\n#first\t#second", &["first", "second"]),
            ("#𝔣𝔯𝔞𝔨 #𐐀", &["𝔣𝔯𝔞𝔨", "𐐨"]),
        ];
        for (text, tags) in texts {
            assert_eq!(hashtags(text), tags, "{text:?}");
        }
    }

    #[test]
    fn what_only_looks_like_one_is_none() {
        let texts = [
            "",
            "#",
            "# tag",
            "#!",
            "#1 #2026 #٣ #①",
            "#_ #__1",
            "a#b",
            "日本#東京",
            "é#b e\u{301}#b",
            "5#a _#a",
            "it&#39;s &#x27;s &#amp;",
            "#️⃣ #⃣ #⃣key",
            "#🔥",
            "#\u{200D}a",
            "https://example.org/a#b",
            "HTTP://EXAMPLE.ORG/?q=1&#b",
            "see https://example.org/#/a(#b)#c",
            "textohttps://t.co/x#b",
            "www.example.org/#b",
            "(www.example.org/ä#b)",
        ];
        for text in texts {
            assert_eq!(hashtags(text), [""; 0], "{text:?}");
        }
    }

    #[test]
    fn a_url_ends_at_white_space() {
        assert_eq!(hashtags("http://t.co/x#no #yes"), ["yes"]);
        assert_eq!(hashtags("http://t.co/x#no\u{3000}#yes"), ["yes"]);
        assert_eq!(hashtags("#www.x #http #https"), ["www", "http", "https"]);
        assert_eq!(hashtags("awww.#cute"), ["cute"]);
    }

    #[test]
    fn hashes_in_a_row_start_one_tag_and_a_tag_in_a_tag_starts_none() {
        assert_eq!(hashtags("##x ###y"), ["x", "y"]);
        assert_eq!(hashtags("#one#two #three"), ["one", "three"]);
        assert_eq!(hashtags("#1#two"), [""; 0]);
    }

    #[test]
    fn neither_case_nor_the_encoding_of_accents_tells_tags_apart() {
        assert_eq!(hashtags("#Straße #STRASSE #strasse"), ["strasse"]);
        assert_eq!(hashtags("#Caf\u{E9} #cafe\u{301} #CAFÉ"), ["café"]);
        assert_eq!(hashtags("#ΟΔΟΣ #οδος #οδοσ"), ["οδοσ"]);
        assert_eq!(hashtags("#İstanbul #istanbul #ISTANBUL"), ["i\u{307}stanbul", "istanbul"]);
    }

    #[test]
    fn a_tag_counts_once_a_post() {
        assert_eq!(hashtags("#b #a #B #a"), ["b", "a"]);
    }
}
