//! keepalived's checkers as the director's checks.

mod keys;
mod kinds;

use std::collections::HashMap;
use std::net::SocketAddr;

use super::syntax::Statement;
use crate::{Check, Imported};
use keys::Keys;

/// Milliseconds from one probe to the next, and of a probe, if nothing is said.
const DELAY_LOOP: u64 = 60_000;
const CONNECT_TIMEOUT: u64 = 5_000;

/// What virtual servers, real servers and checkers say of how checks are made, the inner over the outer.
#[derive(Clone, Debug, Default)]
pub(super) struct Manner {
    delay_loop: Option<u64>,
    connect_timeout: Option<u64>,
    retry: Option<u32>,
    delay_before_retry: Option<u64>,
    virtualhost: Option<String>,
}

/// What becomes of a keyword.
pub(super) enum Taken {
    Yes,
    /// Why it can't be taken.
    Wrong(String),
    /// It is no such keyword.
    No,
}

impl Manner {
    /// Takes a keyword of a virtual server's, a real server's or a checker's.
    pub(super) fn take(&mut self, said: &Statement) -> Taken {
        let value = said.word(1);
        let time = |place: &mut Option<u64>| match millis(value) {
            Some(time) => {
                *place = Some(time);
                Taken::Yes
            }
            None => Taken::Wrong(format!("{}: a time in seconds was expected", said.words.join(" "))),
        };
        match said.word(0) {
            "delay_loop" => time(&mut self.delay_loop),
            "connect_timeout" => time(&mut self.connect_timeout),
            "delay_before_retry" => time(&mut self.delay_before_retry),
            "retry" | "nb_get_retry" => match value.parse() {
                Ok(retry @ 0..=999) => {
                    self.retry = Some(retry);
                    Taken::Yes
                }
                _ => Taken::Wrong(format!("{}: a number up to 999 was expected", said.words.join(" "))),
            },
            "virtualhost" => {
                self.virtualhost = Some(value.to_owned());
                Taken::Yes
            }
            // First probes are spread anyway, and each failure is counted.
            "warmup" | "log_all_failures" => Taken::Yes,
            "alpha" => Taken::Wrong(
                "alpha: left out; a real server counts as up until its first probe, which is sent at once".to_owned(),
            ),
            _ => Taken::No,
        }
    }

    /// The keys that say so. `retries` and `before_retry` are the checker's defaults.
    fn write(&self, keys: &mut Keys, retries: u32, before_retry: Option<u64>) {
        let interval = self.delay_loop.unwrap_or(DELAY_LOOP).max(LEAST);
        let retries = self.retry.unwrap_or(retries);
        keys.number("interval", interval);
        let before_retry = self.delay_before_retry.or(before_retry).unwrap_or(interval).max(LEAST);
        if retries > 0 && before_retry != interval {
            keys.number("retry_interval", before_retry);
        }
        keys.number("timeout", self.timeout());
        keys.number("rise", 1);
        keys.number("fall", u64::from(retries) + 1);
    }

    fn timeout(&self) -> u64 {
        self.connect_timeout.unwrap_or(CONNECT_TIMEOUT).max(1)
    }
}

/// The least time from probe to probe that the director's file takes, in milliseconds.
const LEAST: u64 = 100;

/// `6`, `1.5` seconds in milliseconds.
fn millis(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 6 || !is_number(whole) || !is_number(part) {
        return None;
    }
    let thousandths: String = part.chars().chain("000".chars()).take(3).collect();
    Some(whole.parse::<u64>().ok()? * 1000 + thousandths.parse::<u64>().ok()?)
}

/// Whether a keyword begins a checker.
pub(super) fn is_checker(keyword: &str) -> bool {
    keyword.ends_with("_CHECK") || matches!(keyword, "HTTP_GET" | "SSL_GET")
}

/// The checks so far: those that say the same are one.
#[derive(Debug, Default)]
pub(super) struct Collected {
    pub(super) checks: Vec<Check>,
    /// The name of the one with these keys.
    names: HashMap<String, String>,
}

impl Collected {
    /// The names of the checks that a checker of a real server is: several, if it asks for several URLs.
    pub(super) fn add(
        &mut self,
        said: &Statement,
        manner: &Manner,
        real_server: SocketAddr,
        imported: &mut Imported,
    ) -> Vec<String> {
        let found = match kinds::read(said, manner, real_server, imported) {
            Ok(found) => found,
            Err(reason) => {
                imported.remark(said.line, format!("{}: {reason}; the check is left out", said.word(0)));
                return Vec::new();
            }
        };
        let mut names = Vec::new();
        for keys in found {
            let (kind, text) = (keys.kind(), keys.text());
            if let Some(known) = self.names.get(&text) {
                if !names.contains(known) {
                    names.push(known.clone());
                }
                continue;
            }
            let name = format!("keepalived-{kind}-{}", self.checks.len() + 1);
            let check = Check { name: name.clone(), keys: text.clone() };
            if let Err(reason) = crate::drop_in::refused(&check.written()) {
                imported.remark(said.line, format!("{}: {reason}; the check is left out", said.word(0)));
                continue;
            }
            self.checks.push(check);
            self.names.insert(text, name.clone());
            names.push(name);
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::millis;

    #[test]
    fn times_are_seconds_with_or_without_a_fraction() {
        assert_eq!(["6", "1.5", "0.25", "0.1234"].map(millis), [Some(6000), Some(1500), Some(250), Some(123)]);
        assert_eq!(["", ".5", "-1", "1s", "1e3", "9999999"].map(millis), [None; 6]);
    }
}
