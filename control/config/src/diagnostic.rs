use std::fmt;

use crate::problems::Span;

/// One thing that is wrong with a file, where, and what would be right.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Diagnostic {
    line: usize,
    column: usize,
    message: String,
    excerpt: String,
    width: usize,
}

/// Characters of a long line that are shown.
const EXCERPT: usize = 120;

/// Characters that are shown before the place in a long line.
const BEFORE: usize = 40;

impl Diagnostic {
    /// The line, from 1.
    pub const fn line(&self) -> usize {
        self.line
    }

    /// The column, in characters from 1.
    pub const fn column(&self) -> usize {
        self.column
    }

    /// What is wrong and what would be right.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The message for people: `FILE:LINE:COLUMN: error: MESSAGE`, the line, and carets under the place.
    pub fn render(&self, file: impl fmt::Display) -> String {
        let margin = self.line.to_string().len();
        let skipped = if self.column > EXCERPT - BEFORE { self.column - 1 - BEFORE } else { 0 };
        let shown: Vec<char> = self.excerpt.chars().skip(skipped).take(EXCERPT).collect();
        let before = (self.column - 1 - skipped).min(shown.len());
        let indent: String = shown[..before].iter().map(|&c| if c == '\t' { '\t' } else { ' ' }).collect();
        let carets = "^".repeat(self.width.min(shown.len() - before).max(1));
        let shown: String = shown.into_iter().collect();
        format!("{file}:{self}\n{:margin$} |\n{} | {shown}\n{:margin$} | {indent}{carets}\n", "", self.line, "")
    }
}

impl fmt::Display for Diagnostic {
    /// `LINE:COLUMN: error: MESSAGE`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: error: {}", self.line, self.column, self.message)
    }
}

/// A text by its lines.
pub(crate) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    /// The lines of `text`.
    pub(crate) fn of(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    /// The line, from 0, that the byte at `offset` is in.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|&start| start <= offset) - 1
    }

    /// The line from `offset` on, if nothing but space is before it.
    pub(crate) fn rest(&self, offset: usize) -> Option<&'a str> {
        let line = self.content(self.line(offset)).trim_start();
        let rest = self.text.get(offset..)?;
        (!line.is_empty() && rest.starts_with(line)).then_some(line)
    }

    /// The line, from 0, without its end.
    fn content(&self, line: usize) -> &'a str {
        let end = self.starts.get(line + 1).map_or(self.text.len(), |next| next - 1);
        self.text[self.starts[line]..end].trim_end_matches('\r')
    }

    /// The message with its place as people count it. A span over several lines is cut at the end of the first.
    pub(crate) fn diagnostic(&self, span: Span, message: String) -> Diagnostic {
        let start = self.boundary(span.start);
        let line = self.line(start);
        let end_of_line = self.starts.get(line + 1).map_or(self.text.len(), |next| next - 1);
        let end = self.boundary(span.end).clamp(start, end_of_line.max(start));
        Diagnostic {
            line: line + 1,
            column: self.text[self.starts[line]..start].chars().count() + 1,
            message,
            excerpt: self
                .content(line)
                .chars()
                .map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c })
                .collect(),
            width: self.text[start..end].chars().count(),
        }
    }

    /// The nearest offset at or before `offset` that is inside the text and between two characters.
    fn boundary(&self, offset: usize) -> usize {
        let offset = offset.min(self.text.len());
        (0..=offset).rev().find(|&at| self.text.is_char_boundary(at)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnostic(text: &str, span: Span) -> Diagnostic {
        Lines::of(text).diagnostic(span, "no".to_owned())
    }

    #[test]
    fn columns_count_characters() {
        let found = diagnostic("é = 1\nü\tß = \"x\"\n", 15..18);
        assert_eq!((found.line(), found.column()), (2, 7));
        assert_eq!(found.render("a.toml"), "a.toml:2:7: error: no\n  |\n2 | ü\tß = \"x\"\n  |  \t    ^^^\n");
    }

    #[test]
    fn the_end_of_the_text_is_a_place() {
        assert_eq!(diagnostic("", 0..0).render("f"), "f:1:1: error: no\n  |\n1 | \n  | ^\n");
        assert_eq!(diagnostic("a", 7..9).render("f"), "f:1:2: error: no\n  |\n1 | a\n  |  ^\n");
        assert_eq!(diagnostic("a\r\n", 0..3).render("f"), "f:1:1: error: no\n  |\n1 | a\n  | ^\n");
    }

    #[test]
    fn a_long_line_is_shown_around_the_place() {
        let text = format!("{}!{}", "a".repeat(500), "b".repeat(500));
        let rendered = diagnostic(&text, 500..501).render("f");
        let lines: Vec<&str> = rendered.lines().collect();
        assert!(lines[0].starts_with("f:1:501:"));
        assert_eq!(lines[2].find('!'), lines[3].find('^'));
        assert_eq!(lines[2].len(), "1 | ".len() + EXCERPT);
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert!(!diagnostic("a = \u{1b}[31m", 4..5).render("f").contains('\u{1b}'));
    }
}
