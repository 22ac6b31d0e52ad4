//! Files full of mistakes: each is reported, all at once, where it is. `mistakes/NAME.txt` is what `ulvsd --check`
//! says about `mistakes/NAME.toml`; run with `UPDATE_EXPECTED=1` to write them anew, then read the difference.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::Path;

use ulvs_config::Director;

/// What is said about a file: `LINE:COLUMN: error: MESSAGE` lines.
fn said(text: &str) -> String {
    let found = Director::parse(text).expect_err("the file is wrong");
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    lines.join("\n") + "\n"
}

fn check(name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes");
    let text = fs::read_to_string(folder.join(name).with_extension("toml")).unwrap();
    let expected = folder.join(name).with_extension("txt");
    let said = said(&text);
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(&expected, &said).unwrap();
    }
    assert_eq!(said, fs::read_to_string(&expected).unwrap_or_default(), "{name}.txt");
}

#[test]
fn many_mistakes_are_reported_at_once() {
    check("many");
}

#[test]
fn text_that_is_not_toml_hides_only_what_depends_on_it() {
    check("syntax");
    check("unclosed");
}

#[test]
fn what_must_be_there_is_asked_for() {
    check("empty");
}

#[test]
fn tables_and_lists_are_told_apart() {
    check("shapes");
}

#[test]
fn values_that_do_not_fit_together_are_reported() {
    check("references");
}

#[test]
fn firewall_marks_and_their_services_are_looked_at() {
    check("marks");
}

#[test]
fn tunnels_are_what_ipvsadm_takes() {
    check("tunnels");
}

#[test]
fn limits_of_sources_are_looked_at() {
    check("limits");
}

#[test]
fn checks_and_what_names_them_are_looked_at() {
    check("checks");
}

#[test]
fn more_workers_than_the_table_bears_are_refused() {
    check("workers");
}

#[test]
fn a_diagnostic_shows_its_line() {
    let text = "[workers]\ncores = [1]\n[[port]]\nname = \"wan\"\ndevice = \"net_null0\"\nmtu = 9601\n";
    let found = Director::parse(text).unwrap_err();
    assert_eq!(
        found[0].render("ulvs.toml"),
        "ulvs.toml:6:7: error: `mtu`: expected a number from 68 to 9600, found 9601\n  |\n6 | mtu = 9601\n  |       ^^^^\n"
    );
}

#[test]
fn a_byte_order_mark_and_carriage_returns_are_no_characters() {
    let text = "\u{feff}x = 1\r\n[workers]\r\ncores = [1]\r\n[workers]\r\n[[port]]\r\nname = \"wan\"\r\n";
    let found = Director::parse(text).unwrap_err();
    let rendered = found[0].render("f");
    assert_eq!(
        rendered,
        "f:4:2: error: this is there already: keep one of the two\n  |\n4 | [workers]\n  |  ^^^^^^^\n"
    );
    let text = text.replace("cores = [1]\r\n[workers]\r\n", "cores = [1]\r\n");
    let found = Director::parse(&text).unwrap_err();
    assert_eq!((found[0].line(), found[0].column()), (1, 1));
}
