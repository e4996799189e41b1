//! Lays out a prompt and its line on a screen of a given width.
//!
//! This code breaks the lines instead of the terminal. The number of rows to erase is then known, for any width of
//! characters.

use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

/// The content to show.
#[derive(Clone, Copy)]
pub(super) struct Content<'a> {
    /// The text in front of the line.
    pub(super) prompt: &'a str,
    /// The line up to the cursor.
    pub(super) before: &'a str,
    /// The line after the cursor.
    pub(super) after: &'a str,
}

/// Rows on a screen, at least one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Rows {
    pub(super) rows: Vec<String>,
    /// The row of the cursor, as an index into `rows`, and its column.
    pub(super) cursor: (usize, usize),
}

struct Pen {
    columns: usize,
    rows: Vec<String>,
    row: String,
    column: usize,
}

impl Rows {
    /// Breaks the content into rows of at most this many columns.
    pub(super) fn new(content: Content<'_>, columns: usize) -> Self {
        let mut pen = Pen { columns: columns.max(2), rows: Vec::new(), row: String::new(), column: 0 };
        pen.write(content.prompt);
        pen.write(content.before);
        // A cursor after the last column is shown in the next row.
        if pen.column >= pen.columns {
            pen.end_row();
        }
        let cursor = (pen.rows.len(), pen.column);
        pen.write(content.after);
        pen.end_row();
        Self { rows: pen.rows, cursor }
    }

    /// Keeps at most this many rows, those around the cursor.
    pub(super) fn window(mut self, height: usize) -> Self {
        let (row, column) = self.cursor;
        let first = (row + 1).saturating_sub(height.max(1));
        self.rows.drain(..first.min(self.rows.len()));
        self.rows.truncate(height.max(1));
        Self { rows: self.rows, cursor: (row - first, column) }
    }

    /// Returns how many rows are above the cursor if the terminal now has this many columns and breaks longer rows.
    pub(super) fn above(&self, columns: usize) -> usize {
        let columns = columns.max(1);
        let (row, column) = self.cursor;
        let broken: usize = self.rows.iter().take(row).map(|row| row.width().max(1).div_ceil(columns)).sum();
        broken + column / columns
    }
}

impl Pen {
    fn write(&mut self, text: &str) {
        for letter in text.graphemes(true) {
            if letter == "\n" {
                // Distinguishes a line break in the text from a line that was too long.
                self.put("↵");
                self.end_row();
                continue;
            }
            let control = letter.chars().all(char::is_control);
            self.put(if control { "·" } else { letter });
        }
    }

    fn put(&mut self, letter: &str) {
        let width = letter.width();
        if self.column + width > self.columns {
            self.end_row();
        }
        self.row.push_str(letter);
        self.column += width;
    }

    fn end_row(&mut self) {
        self.rows.push(std::mem::take(&mut self.row));
        self.column = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(prompt: &str, before: &str, after: &str, columns: usize) -> (Vec<String>, (usize, usize)) {
        let Rows { rows, cursor } = Rows::new(Content { prompt, before, after }, columns);
        (rows, cursor)
    }

    fn row(text: &str) -> String {
        text.to_owned()
    }

    #[test]
    fn rows_are_broken_where_the_screen_ends() {
        assert_eq!(rows("> ", "ab", "", 10), (vec![row("> ab")], (0, 4)));
        assert_eq!(rows("> ", "ab", "cd", 4), (vec![row("> ab"), row("cd")], (1, 0)));
        assert_eq!(rows("> ", "abcd", "e", 4), (vec![row("> ab"), row("cde")], (1, 2)));
        // Each character has two columns, so the second does not fit into the row.
        assert_eq!(rows("> ", "日本", "", 5), (vec![row("> 日"), row("本")], (1, 2)));
        // Each character has two bytes and one column.
        assert_eq!(rows("> ", "привет", "", 10), (vec![row("> привет")], (0, 8)));
        assert_eq!(rows("> ", "a\nb", "", 10), (vec![row("> a↵"), row("b")], (1, 1)));
        assert_eq!(rows("> ", "a\u{1b}[31mb\t", "", 12), (vec![row("> a·[31mb·")], (0, 10)));
    }

    #[test]
    fn a_long_text_shows_what_is_around_the_cursor() {
        let window = Rows::new(Content { prompt: "", before: "aabbcc", after: "d" }, 2).window(2);
        assert_eq!(window, Rows { rows: vec![row("cc"), row("d")], cursor: (1, 0) });
    }

    #[test]
    fn a_narrower_screen_has_more_rows_above_the_cursor() {
        let shown = Rows::new(Content { prompt: "> ", before: "abcdefgh", after: "" }, 8);
        assert_eq!((shown.cursor, shown.above(8), shown.above(4), shown.above(80)), ((1, 2), 1, 2, 1));
    }

    proptest! {
        #[test]
        fn no_row_is_wider_than_the_screen(before in "\\PC{0,40}", after in "\\PC{0,40}", columns in 2_usize..30) {
            let shown = Rows::new(Content { prompt: "> ", before: &before, after: &after }, columns);
            for row in &shown.rows {
                // Letters that were separate in the text may combine into one grapheme in the row.
                let width: usize = row.graphemes(true).map(|letter| letter.width().min(2)).sum();
                prop_assert!(width <= columns, "{row:?}");
            }
            prop_assert!(shown.cursor.0 < shown.rows.len() && shown.cursor.1 < columns);
        }
    }
}
