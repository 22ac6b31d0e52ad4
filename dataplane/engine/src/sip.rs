//! Which call a SIP message is of (ipvs-facts B.6; RFC 3261 section 20.8).

/// Bytes that are looked at: a header that stands behind more is not found. Messages have 1,300 if they are what RFC 3261 wants in a
/// datagram (section 18.1.1).
const MOST_BYTES: usize = 4096;
/// Lines that begin as if they were the header, and blanks between its name and its colon. Without such bounds clients could have
/// workers read for long.
const MOST_TRIES: usize = 16;
const MOST_BLANKS: usize = 8;
/// Bytes of half a Call-ID, more than a [`CallId`](crate::conn::CallId) has.
const MOST_OF_WORD: usize = 256;
/// Bytes that are looked at together.
const TOGETHER: usize = 16;

/// The Call-ID of a message: the value of the first header of that name behind the first line. `None` if there is none, or it is
/// not what a Call-ID is.
pub(crate) fn call_id(message: &[u8]) -> Option<&[u8]> {
    let text = &message[..message.len().min(MOST_BYTES)];
    let mut at = 0;
    for _ in 0..MOST_TRIES {
        at += likely(&text[at..])? + 1;
        if let Some(value) = named(&text[at..]) {
            return of_value(value);
        }
    }
    None
}

/// The first line end that something follows which may be the header. Most of a message is nothing of the kind, which is seen
/// of many bytes at once.
fn likely(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(here) = text[at..].first_chunk::<{ TOGETHER + 2 }>() {
        let found = all_likely(here);
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize);
        }
        at += TOGETHER;
    }
    Some(at + text[at..].windows(3).position(|three| is_likely([three[0], three[1], three[2]]))?)
}

/// Whether there is a line end, and behind it `i` and what may follow it there, or `ca`.
const fn is_likely([before, first, second]: [u8; 3]) -> bool {
    // Blanks and line ends are less than a colon.
    let is_short = first | 0x20 == b'i' && second <= b':';
    is_line_end(before) && (is_short || first | 0x20 == b'c' && second | 0x20 == b'a')
}

/// [`is_likely`] of all places: a bit for each.
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "what every processor of a kind has is not known to be had")]
fn all_likely(here: &[u8; TOGETHER + 2]) -> u32 {
    // SAFETY: SSE2 is in every x86-64.
    unsafe { all_likely_by_sse2(here) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
#[expect(clippy::cast_possible_wrap, clippy::cast_sign_loss, reason = "bytes and bits, not numbers")]
fn all_likely_by_sse2(here: &[u8; TOGETHER + 2]) -> u32 {
    use std::arch::x86_64::{
        _mm_and_si128, _mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8,
    };
    let half = |at: usize| here[at..].first_chunk().map_or(0, |bytes| i64::from_le_bytes(*bytes));
    let all = |at: usize| _mm_set_epi64x(half(at + 8), half(at));
    let (before, first, second) = (all(0), all(1), all(2));
    let each = |byte: u8| _mm_set1_epi8(byte as i8);
    let (lower, next) = (_mm_or_si128(first, each(0x20)), _mm_or_si128(second, each(0x20)));
    let ends = _mm_or_si128(_mm_cmpeq_epi8(before, each(b'\r')), _mm_cmpeq_epi8(before, each(b'\n')));
    let up_to_colon = _mm_cmpeq_epi8(_mm_min_epu8(second, each(b':')), second);
    let short = _mm_and_si128(_mm_cmpeq_epi8(lower, each(b'i')), up_to_colon);
    let long = _mm_and_si128(_mm_cmpeq_epi8(lower, each(b'c')), _mm_cmpeq_epi8(next, each(b'a')));
    _mm_movemask_epi8(_mm_and_si128(ends, _mm_or_si128(short, long))) as u32
}

/// [`is_likely`] of all places: a bit for each.
#[cfg(not(target_arch = "x86_64"))]
fn all_likely(here: &[u8; TOGETHER + 2]) -> u32 {
    here.windows(3).rev().fold(0, |bits, three| bits << 1 | u32::from(is_likely([three[0], three[1], three[2]])))
}

/// What stands behind the name and the colon, if the line begins with `Call-ID` or `i`.
fn named(line: &[u8]) -> Option<&[u8]> {
    const LONG: &[u8] = b"call-id";
    let behind = match line {
        [b'i' | b'I', behind @ ..] => behind,
        _ => line.get(LONG.len()..).filter(|_| line[..LONG.len()].eq_ignore_ascii_case(LONG))?,
    };
    Some(skip_blanks(skip_blanks(behind).strip_prefix(b":")?))
}

/// Behind blanks, if there are not too many, and line ends that blanks follow: the header goes on there.
fn skip_blanks(text: &[u8]) -> &[u8] {
    let mut rest = text;
    for _ in 0..MOST_BLANKS {
        rest = match rest {
            [b' ' | b'\t', rest @ ..] => rest,
            [b'\r', b'\n', rest @ ..] | [b'\r' | b'\n', rest @ ..] if matches!(rest, [b' ' | b'\t', ..]) => rest,
            _ => return rest,
        };
    }
    rest
}

/// `word [ "@" word ]`, and nothing else on the line.
fn of_value(text: &[u8]) -> Option<&[u8]> {
    let word = |from: usize| text[from..].iter().take(MOST_OF_WORD).take_while(|byte| is_of_word(**byte)).count();
    let mut len = word(0);
    if len == 0 {
        return None;
    }
    if text.get(len) == Some(&b'@') {
        let host = word(len + 1);
        if host == 0 {
            return None;
        }
        len += 1 + host;
    }
    is_line_end(*text.get(len)?).then(|| &text[..len])
}

const fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

const fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.'
                | b'!'
                | b'%'
                | b'*'
                | b'_'
                | b'+'
                | b'`'
                | b'\''
                | b'~'
                | b'('
                | b')'
                | b'<'
                | b'>'
                | b':'
                | b'\\'
                | b'"'
                | b'/'
                | b'['
                | b']'
                | b'?'
                | b'{'
                | b'}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(message: &str) -> Option<&str> {
        call_id(message.as_bytes()).map(|id| std::str::from_utf8(id).unwrap())
    }

    #[test]
    fn names_and_values() {
        assert_eq!(id("INVITE sip:a@b SIP/2.0\r\nCall-ID: a1@h\r\n\r\n"), Some("a1@h"));
        assert_eq!(id("INVITE x\r\nVia: y\r\ni: b2\r\n\r\n"), Some("b2"));
        assert_eq!(id("INVITE x\nCALL-id \t:\t c3@x\n\n"), Some("c3@x"));
        assert_eq!(id("INVITE x\r\nCall-ID:\r\n d4\r\n"), Some("d4"));
        assert_eq!(id("X\ni:-.!%*_+`'~()<>:\\\"/[]?{}\r"), Some("-.!%*_+`'~()<>:\\\"/[]?{}"));
        for wrong in [
            "i: f6\r\n\r\n",
            "INVITE x\r\nVia: x\r\n\r\n",
            "INVITE x\r\nCall-ID: h8@x \r\n",
            "INVITE x\r\nCall-ID: h 9\r\n",
            "INVITE x\r\nCall-ID: a@b@c\r\n",
            "INVITE x\r\nCall-ID: a@\r\n",
            "INVITE x\r\nCall-ID: @b\r\n",
            "INVITE x\r\nCall-ID: zz1@q",
            "INVITE x\r\nCall-IDs: a\r\n",
            "INVITE x\r\nCall-ID\r\n",
            "",
        ] {
            assert_eq!(id(wrong), None, "{wrong:?}");
        }
    }

    /// Behind any number of other headers, of which some begin alike.
    #[test]
    fn how_much_is_looked_at() {
        let behind = |header: &str, count: usize| format!("INVITE x\r\n{}Call-ID: a1@h\r\n", header.repeat(count));
        for count in 0..100 {
            assert_eq!(id(&behind("Via: SIP/2.0/UDP 192.0.2.1:5060\r\n", count)), Some("a1@h"));
        }
        assert_eq!(id(&behind("Contact: x\r\nIn-Reply-To: y\r\nCSeq: 1 INVITE\r\n", 30)), Some("a1@h"));
        assert_eq!(id(&behind("Call-Info: x\r\n", MOST_TRIES - 1)), Some("a1@h"));
        assert_eq!(id(&behind("Call-Info: x\r\n", MOST_TRIES)), None);
        assert_eq!(id(&behind(&"x".repeat(MOST_BYTES), 1)), None);
        let blanks = |count: usize| format!("INVITE x\r\ni{}: a1\r\n", " ".repeat(count));
        assert_eq!(id(&blanks(MOST_BLANKS)), Some("a1"));
        assert_eq!(id(&blanks(MOST_BLANKS + 1)), None);
    }

    proptest! {
        /// Many places at once, and each by itself.
        #[test]
        fn places_are_likely_alike(here in prop::array::uniform18(prop::sample::select(b"\r\n iI:cCaAx\t\xff;9".to_vec()))) {
            let one_by_one = (0..TOGETHER).filter(|at| is_likely([here[*at], here[at + 1], here[at + 2]]));
            prop_assert_eq!(all_likely(&here), one_by_one.fold(0, |bits, at| bits | 1 << at));
        }

        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            for head in ["", "X\r\ni:", "X\nCall-ID: a@", "X\r\nCall-I"] {
                let message = [head.as_bytes(), &bytes].concat();
                if let Some(id) = call_id(&message) {
                    prop_assert!(!id.is_empty());
                }
            }
        }
    }
}
