//! No text makes the parser fall.

use proptest::prelude::*;
use ulvs_config::Director;

const EXAMPLE: &str = include_str!("../../../docs/ulvs.example.toml");

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC*") {
        check(&text);
    }

    #[test]
    fn any_toml_like_text_is_read_or_refused(text in "([a-z_.=\\[\\]{}\"'#,\n 0-9é]|port|service|workers|real_server){0,200}") {
        check(&text);
    }

    #[test]
    fn a_mutated_example_is_read_or_refused(
        edits in prop::collection::vec((0..EXAMPLE.len(), 0..12usize, "[\\[\\]{}\"=,.a-z0-9\n\r\u{0}é-]{0,6}"), 1..6)
    ) {
        let mut text = EXAMPLE.to_owned();
        for (at, length, replacement) in edits {
            let characters: Vec<char> = text.chars().collect();
            let start = at.min(characters.len());
            let end = (start + length).min(characters.len());
            text = characters[..start].iter().copied().chain(replacement.chars()).chain(characters[end..].iter().copied()).collect();
        }
        check(&text);
    }
}

/// Reads a text; what is wrong with it must have a place in it.
fn check(text: &str) {
    let Err(found) = Director::parse(text) else { return };
    assert!(!found.is_empty());
    for diagnostic in found {
        let line = text.split('\n').nth(diagnostic.line() - 1).expect("the line is in the text");
        assert!(diagnostic.column() <= line.chars().count() + 1);
        assert!(diagnostic.render("f").lines().count() == 4);
    }
}
