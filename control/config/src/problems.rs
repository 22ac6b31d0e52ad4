use std::ops::Range;

use crate::Diagnostic;
use crate::diagnostic::Lines;

/// Where something is written, in bytes of the source's text.
pub(crate) type Span = Range<usize>;

/// A value and where it is written.
#[derive(Clone, Debug)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

/// How a problem relates to the rest of the text.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Kind {
    /// The text there can't be read.
    Syntax,
    /// What is written is wrong, whatever the rest says.
    Wrong,
    /// Something isn't written; it may be hidden in text that can't be read.
    Absent,
}

/// What is wrong with a source, in the order it was found.
#[derive(Default)]
pub(crate) struct Problems(Vec<(Kind, Span, String)>);

impl Problems {
    /// The text at `span` can't be read.
    pub(crate) fn syntax(&mut self, span: Span, message: impl Into<String>) {
        self.0.push((Kind::Syntax, span, message.into()));
    }

    /// What is written at `span` is wrong.
    pub(crate) fn wrong(&mut self, span: Span, message: impl Into<String>) {
        self.0.push((Kind::Wrong, span, message.into()));
    }

    /// Something that what is at `span` needs is nowhere.
    pub(crate) fn absent(&mut self, span: Span, message: impl Into<String>) {
        self.0.push((Kind::Absent, span, message.into()));
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The problems in the order of the text.
    ///
    /// Beside unreadable text, only what is wrong for sure is told: nothing else on a line that can't be read, and
    /// nothing about what may be missing only because it could not be read.
    pub(crate) fn diagnostics(mut self, text: &str) -> Vec<Diagnostic> {
        let lines = Lines::of(text);
        let unreadable: Vec<usize> =
            self.0.iter().filter(|p| p.0 == Kind::Syntax).map(|p| lines.line(p.1.start)).collect();
        self.0.retain(|(kind, span, _)| match kind {
            Kind::Syntax => true,
            Kind::Wrong => !unreadable.contains(&lines.line(span.start)),
            Kind::Absent => unreadable.is_empty(),
        });
        self.0.sort_by_key(|(_, span, _)| (span.start, span.end));
        self.0.dedup_by(|a, b| {
            a.0 == Kind::Syntax && b.0 == Kind::Syntax && lines.line(a.1.start) == lines.line(b.1.start)
        });
        self.0.into_iter().map(|(_, span, message)| lines.diagnostic(span, message)).collect()
    }
}
