//! Base64 as in RFC 4648, section 4: the standard alphabet, padded. There is one text for each byte string; others are refused.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * i)) as usize & 63];
            text.push(if i <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.as_bytes();
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let padding = text.iter().rev().take(2).take_while(|&&digit| digit == b'=').count();
    let digits = &text[..text.len() - padding];
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for quad in digits.chunks(4) {
        decode_quad(quad, &mut bytes)?;
    }
    Some(bytes)
}

/// Two to four digits become one to three bytes. Bits that are left over must be zero.
fn decode_quad(quad: &[u8], bytes: &mut Vec<u8>) -> Option<()> {
    let mut bits = 0;
    for i in 0..4 {
        bits = bits << 6 | quad.get(i).map_or(Some(0), |&digit| value(digit))?;
    }
    let [_, a, b, c] = bits.to_be_bytes();
    let whole = quad.len() - 1;
    bytes.extend_from_slice(&[a, b, c][..whole]);
    [a, b, c][whole..].iter().all(|&rest| rest == 0).then_some(())
}

fn value(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}
