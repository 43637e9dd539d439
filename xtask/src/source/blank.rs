//! Blanking out comments and literals.

/// The text with comments as spaces and literals as a pair of quotes around spaces. Every line stays where it was.
pub fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let (mut at, mut plain) = (0, 0);
    while at < bytes.len() {
        let Some(end) = opaque_end(bytes, at) else {
            at += 1;
            continue;
        };
        out.push_str(&text[plain..at]);
        push_blank(&mut out, &bytes[at..end]);
        (at, plain) = (end, end);
    }
    out.push_str(&text[plain..]);
    out
}

fn push_blank(out: &mut String, opaque: &[u8]) {
    let edge = if opaque[0] == b'/' { ' ' } else { '"' };
    let last = opaque.len() - 1;
    for (index, byte) in opaque.iter().enumerate() {
        out.push(match byte {
            b'\n' => '\n',
            _ if index == 0 || index == last => edge,
            _ => ' ',
        });
    }
}

/// Where the comment or literal ends that starts here, if one does.
fn opaque_end(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    match rest {
        [b'/', b'/', ..] => Some(at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())),
        [b'/', b'*', ..] => Some(at + block_comment(rest)),
        [b'"', ..] => Some(at + quoted(rest, b'"')),
        [b'\'', ..] => character(rest).map(|length| at + length),
        [b'r', ..] if starts_literal(bytes, at) => raw(rest).map(|length| at + length),
        _ => None,
    }
}

/// Whether an `r` here may open a raw string: not in the middle of a name, where `b` and `c` are prefixes and not names.
fn starts_literal(bytes: &[u8], at: usize) -> bool {
    let name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    match &bytes[..at] {
        [.., before, b'b' | b'c'] => !name(before),
        [b'b' | b'c'] => true,
        [.., before] => !name(before),
        [] => true,
    }
}

/// The length of a block comment, which may hold others.
fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// The length of a literal with escapes, both quotes included.
fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    rest.len().min(at + 1)
}

/// The length of a character literal; `None` for a lifetime or a label.
fn character(rest: &[u8]) -> Option<usize> {
    if rest.get(1) == Some(&b'\\') {
        return Some(quoted(rest, b'\''));
    }
    let following = |byte: &u8| byte & 0b1100_0000 == 0b1000_0000;
    let length = 1 + rest.iter().skip(2).take_while(|byte| following(byte)).count();
    (rest.get(1 + length) == Some(&b'\'')).then_some(length + 2)
}

/// The length of a raw string; `None` for a raw name, or a plain name in `r`.
fn raw(rest: &[u8]) -> Option<usize> {
    let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return None;
    }
    let close: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let body = &rest[2 + hashes..];
    let length = body.windows(close.len()).position(|window| window == close).unwrap_or(body.len());
    Some(rest.len().min(2 + hashes + length + close.len()))
}

#[cfg(test)]
mod tests {
    use super::blank;

    #[test]
    fn comments_become_spaces_and_lines_stay() {
        assert_eq!(blank("a // {é\nb /* x /* } */\n y */ c"), "a       \nb             \n      c");
    }

    #[test]
    fn literals_lose_their_insides() {
        assert_eq!(blank(r#"f("}\"{", 'x', '\'', '{')"#), r#"f("    ", " ", "  ", " ")"#);
    }

    #[test]
    fn raw_strings_end_at_their_own_hashes() {
        assert_eq!(blank("br#\"a\"{\"#;x"), "b\"      \";x");
        assert_eq!(blank("r\"\\\";x"), "\"  \";x");
    }

    #[test]
    fn lifetimes_raw_names_and_names_in_r_are_no_literals() {
        for text in ["fn f<'a>(x: &'a str) -> &'a str", "r#type + r", "for\"\"", "'outer: loop {}"] {
            assert_eq!(blank(text), text);
        }
    }

    #[test]
    fn a_literal_that_never_ends_is_blank_to_the_end() {
        assert_eq!(blank("\"abc"), "\"  \"");
        assert_eq!(blank("/* abc").trim(), "");
    }
}
