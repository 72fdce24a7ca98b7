//! Rows of cells in aligned columns.

use super::{clean, cut};

/// Which edge of a column its cells share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// The left one; for words.
    Left,
    /// The right one; for numbers.
    Right,
}

/// Rows of cells. All columns but the last keep their words up to a bound; the last takes
/// the room that is left.
pub(crate) struct Table {
    columns: Vec<Align>,
    heading: Option<Vec<String>>,
    rows: Vec<Vec<String>>,
    indent: usize,
    cell_columns_max: usize,
}

impl Table {
    /// An empty table of these columns.
    pub(crate) fn new<const N: usize>(columns: [Align; N]) -> Self {
        Table {
            columns: columns.to_vec(),
            heading: None,
            rows: Vec::new(),
            indent: 0,
            cell_columns_max: 40,
        }
    }

    /// Sets the words above the columns.
    pub(crate) fn heading<const N: usize>(mut self, words: [&str; N]) -> Self {
        self.heading = Some(words.iter().map(|word| (*word).to_owned()).collect());
        self
    }

    /// Sets the blanks before each row.
    pub(crate) fn indent(mut self, indent: usize) -> Self {
        self.indent = indent;
        self
    }

    /// Sets where cells of all columns but the last are cut.
    pub(crate) fn cell_columns_max(mut self, columns: usize) -> Self {
        self.cell_columns_max = columns;
        self
    }

    /// Adds a row.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.to_vec());
    }

    /// The lines, each at most `width` columns wide where one is given.
    pub(crate) fn lines(&self, width: Option<usize>) -> Vec<String> {
        let bound = if width.is_some() {
            self.cell_columns_max
        } else {
            usize::MAX
        };
        let last = self.columns.len().saturating_sub(1);
        let all: Vec<Vec<String>> = self
            .heading
            .iter()
            .chain(&self.rows)
            .map(|row| {
                row.iter()
                    .enumerate()
                    .map(|(column, cell)| match column == last {
                        true => clean(cell).replace('\n', " "),
                        false => cut(cell, bound),
                    })
                    .collect()
            })
            .collect();
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|column| {
                all.iter()
                    .filter_map(|row| row.get(column))
                    .map(|cell| console::measure_text_width(cell))
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        all.iter()
            .map(|row| self.line(row, &widths, width))
            .collect()
    }

    fn line(&self, row: &[String], widths: &[usize], width: Option<usize>) -> String {
        let mut line = " ".repeat(self.indent);
        for (column, cell) in row.iter().enumerate() {
            let align = self.columns.get(column).copied().unwrap_or(Align::Left);
            let own = console::measure_text_width(cell);
            let pad = " ".repeat(
                widths
                    .get(column)
                    .map_or(0, |width| width.saturating_sub(own)),
            );
            if column > 0 {
                line.push_str("  ");
            }
            if align == Align::Right {
                line.push_str(&pad);
                line.push_str(cell);
            } else {
                line.push_str(cell);
                line.push_str(&pad);
            }
        }
        let line = line.trim_end();
        match width {
            Some(width) => cut(line, width),
            None => line.to_owned(),
        }
    }

    /// The lines as one text, each ended.
    pub(crate) fn text(&self, width: Option<usize>) -> String {
        self.lines(width)
            .into_iter()
            .map(|line| line + "\n")
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_cut() {
        let mut table = Table::new([Align::Left, Align::Right, Align::Left])
            .heading(["id", "score", "gloss"])
            .indent(2);
        table.row([
            "jazz".into(),
            "0.9".into(),
            "a genre of popular music".into(),
        ]);
        table.row(["日本".into(), "0.25".into(), String::new()]);
        let lines = table.lines(Some(30));
        assert_eq!(
            lines,
            [
                "  id    score  gloss",
                "  jazz    0.9  a genre of pop…",
                "  日本   0.25"
            ]
        );
        assert!(table.text(None).contains("a genre of popular music\n"));
    }
}
