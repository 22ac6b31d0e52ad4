//! Which call a SIP message is of (ipvs-facts B.6; RFC 3261 section 20.8).

/// The Call-ID of a message: the value of the first header of that name behind the first line. `None` if there is none, or it is
/// not what a Call-ID is.
pub(crate) fn call_id(message: &[u8]) -> Option<&[u8]> {
    let mut rest = message;
    loop {
        let end = rest.iter().position(|byte| is_line_end(*byte))?;
        rest = match &rest[end..] {
            [b'\r', b'\n', after @ ..] | [_, after @ ..] => after,
            [] => return None,
        };
        if let Some(value) = named(rest) {
            return of_value(value);
        }
    }
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

/// Behind blanks, and line ends that blanks follow: the header goes on there.
fn skip_blanks(mut text: &[u8]) -> &[u8] {
    loop {
        text = match text {
            [b' ' | b'\t', rest @ ..] => rest,
            [b'\r', b'\n', rest @ ..] | [b'\r' | b'\n', rest @ ..] if matches!(rest, [b' ' | b'\t', ..]) => rest,
            _ => return text,
        };
    }
}

/// `word [ "@" word ]`, and nothing else on the line.
fn of_value(text: &[u8]) -> Option<&[u8]> {
    let word = |from: usize| text[from..].iter().take_while(|byte| is_of_word(**byte)).count();
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

    proptest! {
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
