use std::fmt::Write;

use crate::drop_in::quoted;

/// The keys of a check in the director's words.
#[derive(Debug)]
pub(super) struct Keys {
    kind: &'static str,
    text: String,
}

impl Keys {
    /// `kind` is the value of `type`.
    pub(super) fn new(kind: &'static str) -> Self {
        Self { kind, text: format!("type = \"{kind}\"\n") }
    }

    pub(super) const fn kind(&self) -> &'static str {
        self.kind
    }

    pub(super) fn number(&mut self, key: &str, value: u64) {
        let _ = writeln!(self.text, "{key} = {value}");
    }

    pub(super) fn text_of(&mut self, key: &str, value: &str) {
        let _ = writeln!(self.text, "{key} = {}", quoted(value));
    }

    pub(super) fn list(&mut self, key: &str, values: &[String]) {
        let values: Vec<_> = values.iter().map(|value| quoted(value)).collect();
        let _ = writeln!(self.text, "{key} = [{}]", values.join(", "));
    }

    pub(super) fn yes(&mut self, key: &str) {
        let _ = writeln!(self.text, "{key} = true");
    }

    /// All of them, a line each.
    pub(super) fn text(self) -> String {
        self.text
    }
}
