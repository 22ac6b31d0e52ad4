//! Any text is read, and what comes of it is one that the director takes.

use proptest::prelude::*;
use ulvs_import::{ipvsadm, keepalived};

use crate::keepalived::{CHECKED, KEEPALIVED};
use crate::{Names, written};

proptest! {
    #[test]
    fn any_text_is_read(text in "\\PC*") {
        written(&ipvsadm::parse(&text, &Names));
        written(&keepalived::parse(&text, &|_| Ok(Vec::new()), "main"));
    }

    #[test]
    fn changed_configurations_are_read(cuts in prop::collection::vec((0..2600_usize, 0..30_usize, "[-{}\"$!#\na-z0-9. ]{0,8}"), 1..6)) {
        let mut text: Vec<char> = format!("{CHECKED}{KEEPALIVED}").chars().collect();
        for (at, length, insert) in cuts {
            let start = at.min(text.len());
            let end = (start + length).min(text.len());
            text.splice(start..end, insert.chars());
        }
        let text: String = text.into_iter().collect();
        written(&keepalived::parse(&text, &|_| Ok(Vec::new()), "main"));
    }

    #[test]
    fn options_in_any_order_are_read(words in prop::collection::vec(prop::sample::select(&[
        "-A", "-a", "-t", "-u", "-f", "-s", "-r", "-p", "-w", "-x", "-o", "192.0.2.1:80", "[::1]:80", "7", "rr", "-m", "-i", "\n", "--pe", "=",
    ][..]), 0..40)) {
        written(&ipvsadm::parse(&words.join(" "), &Names));
    }
}
