//! Prometheus's text format, written piece by piece: with many services the library's way, which keeps every sample in a form of
//! its own, takes gigabytes and minutes.

use std::fmt::Write;

use itoa::Integer;

/// Bytes of a piece.
const PIECE: usize = 64 << 10;

/// A page on its way to who reads it.
pub(super) struct Text<'a> {
    piece: String,
    /// Takes a piece; false: nobody reads any more.
    take: &'a mut dyn FnMut(String) -> bool,
    is_read: bool,
}

/// The labels of many samples, as `a="b",c="d"`, one behind the other.
#[derive(Debug, Default)]
pub(super) struct Labels {
    text: String,
    ends: Vec<usize>,
}

impl Labels {
    /// Adds those of one sample, which `write` appends.
    pub(super) fn add(&mut self, write: impl FnOnce(&mut String)) {
        write(&mut self.text);
        self.ends.push(self.text.len());
    }

    /// Each sample's, in the order in which they were added.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(begin, &end)| &self.text[begin..end])
    }
}

/// What a metric does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Counter,
    Gauge,
}

impl<'a> Text<'a> {
    pub(super) fn new(take: &'a mut dyn FnMut(String) -> bool) -> Self {
        Self { piece: String::with_capacity(PIECE + 1024), take, is_read: true }
    }

    /// What is in the format already.
    pub(super) fn add(&mut self, text: &str) {
        self.piece.push_str(text);
        self.pass_on(PIECE);
    }

    /// A metric: its samples' labels, as `a="b",c="d"`, and values. Nothing without samples.
    ///
    /// There may be a million: each is copied together, without what formats anything.
    pub(super) fn metric<'l, V: Integer>(
        &mut self,
        kind: Kind,
        name: &str,
        help: &str,
        samples: impl Iterator<Item = (&'l str, V)>,
    ) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        let (mut is_first, mut digits) = (true, itoa::Buffer::new());
        for (labels, value) in samples {
            if std::mem::take(&mut is_first) {
                let _ = write!(self.piece, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
            }
            for part in [name, "{", labels, "} ", digits.format(value), "\n"] {
                self.piece.push_str(part);
            }
            if !self.pass_on(PIECE) {
                return;
            }
        }
    }

    /// The last piece.
    pub(super) fn end(mut self) {
        self.pass_on(1);
    }

    /// Gives the piece away if it is so long. Whether anybody still reads.
    fn pass_on(&mut self, length: usize) -> bool {
        if self.piece.len() >= length {
            let piece = std::mem::replace(&mut self.piece, String::with_capacity(PIECE + 1024));
            self.is_read = self.is_read && (self.take)(piece);
        }
        self.is_read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_comes_in_pieces_and_ends_when_nobody_reads() {
        let mut labels = Labels::default();
        (0..10_000).for_each(|number| labels.add(|text| write!(text, "number=\"{number}\"").unwrap()));
        let samples = || labels.iter().map(|labels| (labels, 1));
        let mut pieces = Vec::new();
        let mut take = |piece: String| {
            pieces.push(piece);
            true
        };
        let mut text = Text::new(&mut take);
        text.metric(Kind::Gauge, "none", "Without samples.", std::iter::empty::<(&str, i32)>());
        text.metric(Kind::Gauge, "many", "Many.", samples());
        text.end();
        assert!(pieces.len() > 2 && pieces.iter().all(|piece| piece.len() < PIECE + 1024));
        let page = pieces.concat();
        assert!(page.starts_with("# HELP many Many.\n# TYPE many gauge\nmany{number=\"0\"} 1\n"), "{page}");
        assert_eq!(page.lines().count(), 10_002);
        let mut taken = 0;
        let mut take = |_| {
            taken += 1;
            false
        };
        let mut text = Text::new(&mut take);
        text.metric(Kind::Counter, "many", "Many.", samples());
        text.end();
        assert_eq!(taken, 1);
    }
}
