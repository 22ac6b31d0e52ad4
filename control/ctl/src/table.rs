use std::fmt;

/// Where a column's cells stand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Rows in aligned columns, two spaces apart.
///
/// Widths only grow: a table that is printed and [cleared](Self::clear) page by page stays in line with itself where
/// it can.
#[derive(Debug)]
pub(crate) struct Table<const N: usize> {
    columns: [(&'static str, Align); N],
    widths: [usize; N],
    rows: Vec<[String; N]>,
    headed: bool,
}

impl<const N: usize> Table<N> {
    /// A table with these columns.
    pub(crate) fn new(columns: [(&'static str, Align); N]) -> Self {
        Self { columns, widths: columns.map(|(title, _)| title.chars().count()), rows: Vec::new(), headed: true }
    }

    /// Adds a row at the end.
    pub(crate) fn row(&mut self, cells: [String; N]) {
        for (width, cell) in self.widths.iter_mut().zip(&cells) {
            *width = (*width).max(cell.chars().count());
        }
        self.rows.push(cells);
    }

    /// Forgets the rows and the head, which were printed.
    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.headed = false;
    }

    fn line<'c>(&self, cells: impl Iterator<Item = &'c str>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = String::new();
        for (place, cell) in cells.enumerate() {
            let width = self.widths[place];
            let cell = match self.columns[place].1 {
                Align::Left => format!("{cell:<width$}"),
                Align::Right => format!("{cell:>width$}"),
            };
            line.push_str(if place == 0 { "" } else { "  " });
            line.push_str(&cell);
        }
        writeln!(f, "{}", line.trim_end())
    }
}

impl<const N: usize> fmt::Display for Table<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.headed {
            self.line(self.columns.iter().map(|(title, _)| *title), f)?;
        }
        self.rows.iter().try_for_each(|row| self.line(row.iter().map(String::as_str), f))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_clean() {
        let mut table = Table::new([("NAME", Align::Left), ("N", Align::Right), ("NOTE", Align::Left)]);
        table.row(["a".into(), "1000".into(), String::new()]);
        table.row(["größer".into(), "7".into(), "x".into()]);
        assert_eq!(table.to_string(), "NAME       N  NOTE\na       1000\ngrößer     7  x\n");
        table.clear();
        table.row(["b".into(), "8".into(), "y".into()]);
        assert_eq!(table.to_string(), "b          8  y\n");
    }
}
