//! Each probe against programs that are really there, and against servers that mean ill.

#![allow(clippy::unwrap_used, reason = "a test")]

mod exec;
mod hostile;
mod http;
mod name_server;
mod plain;
mod runner;
mod servers;
mod smtp;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ulvs_checks::probe::{Connectors, Finding, Question, Target};
use ulvs_config::{Check, Director};

/// Longer than anything takes when all is well.
const PATIENCE: Duration = Duration::from_secs(20);

/// The check that a file's `[check.it]` with these lines is.
fn check(lines: &str) -> Check {
    let file = format!("[workers]\ncores = [1]\n[[port]]\nname = \"p\"\ndevice = \"net_null0\"\n[check.it]\n{lines}\n");
    Director::parse(&file).unwrap_or_else(|errors| panic!("{errors:?}")).checks()[0].clone()
}

/// What comes of asking once; its time is bounded by the caller, as in the director.
fn ask_within(lines: &str, address: SocketAddr, limit: Duration) -> Option<Result<Finding, String>> {
    ask_question_within(&Question::new(&check(lines), &mut Connectors::default()).unwrap(), address, limit)
}

fn ask_question(question: &Question, address: SocketAddr) -> Option<Result<Finding, String>> {
    ask_question_within(question, address, PATIENCE)
}

fn ask_question_within(question: &Question, address: SocketAddr, limit: Duration) -> Option<Result<Finding, String>> {
    let target = Target { address, service: None, through: None };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let asked = runtime.block_on(async { tokio::time::timeout(limit, question.ask(&target)).await });
    asked.ok().map(|found| found.map_err(|failure| failure.to_string()))
}

fn ask(lines: &str, address: SocketAddr) -> Result<Finding, String> {
    ask_within(lines, address, PATIENCE).expect("an answer in time")
}

/// Fails with a reason that has this text in it.
fn refused(lines: &str, address: SocketAddr, reason: &str) {
    let found = ask(lines, address);
    assert!(found.as_ref().is_err_and(|said| said.contains(reason)), "{lines}: {found:?} instead of {reason:?}");
}

fn passes(lines: &str, address: SocketAddr) {
    assert_eq!(ask(lines, address), Ok(Finding::Passed), "{lines}");
}

/// Waits until something outside of this process is so.
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "still not: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
