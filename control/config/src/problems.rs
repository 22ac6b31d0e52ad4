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
    /// Wrong unless text that can't be read says otherwise: something is missing, or in the wrong place.
    Doubtful,
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

    /// What is at `span` is wrong for lack of something elsewhere.
    pub(crate) fn doubtful(&mut self, span: Span, message: impl Into<String>) {
        self.0.push((Kind::Doubtful, span, message.into()));
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The problems in the order of the text.
    ///
    /// Beside unreadable text, only what is wrong for sure is told: nothing else on a line that can't be read, nothing
    /// that may be hidden in it, and nothing after a list that is never closed.
    pub(crate) fn diagnostics(mut self, text: &str) -> Vec<Diagnostic> {
        let lines = Lines::of(text);
        self.0.sort_by_key(|(_, span, _)| (span.start, span.end));
        let unclosed = |(kind, span, message): &(Kind, Span, String)| {
            *kind == Kind::Syntax && message.contains("array") && lines.rest(span.start).is_some_and(is_statement)
        };
        if let Some(at) = self.0.iter().position(unclosed) {
            self.0.truncate(at + 1);
            "a list above is not closed: expected `]` before this".clone_into(&mut self.0[at].2);
        }
        let unreadable: Vec<usize> =
            self.0.iter().filter(|p| p.0 == Kind::Syntax).map(|p| lines.line(p.1.start)).collect();
        self.0.retain(|(kind, span, _)| match kind {
            Kind::Syntax => true,
            Kind::Wrong => unreadable.binary_search(&lines.line(span.start)).is_err(),
            Kind::Doubtful => unreadable.is_empty(),
        });
        self.0.dedup_by(|next, first| next.0 == Kind::Syntax && lines.line(next.1.start) == lines.line(first.1.start));
        self.0.into_iter().map(|(_, span, message)| lines.diagnostic(span, message)).collect()
    }
}

/// Whether a line looks like `[table]` or `key = value`, and so not like an element of a list.
fn is_statement(line: &str) -> bool {
    let key = line.split_once('=').map_or("", |(key, _)| key.trim_end());
    let bare = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
    line.starts_with('[') || (!key.is_empty() && key.bytes().all(bare))
}
