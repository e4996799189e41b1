//! Tables, which Telegram does not support.

use std::ops::Range;

use pulldown_cmark::Alignment;

use super::{
    character,
    document::{SPACE, Tail},
    writer::Writer,
};

/// The maximum width of a table in columns; a telephone wraps wider lines.
const WIDEST: usize = 60;

/// The longest header that is repeated in every row.
const LABEL: usize = 40;

/// A table whose cells are being written, one after the other, to the end of the document.
pub(super) struct Table {
    columns: Vec<Alignment>,
    /// The number of pending line breaks before it.
    gap: usize,
    /// The start of the cells.
    start: usize,
    rows: Vec<Vec<Range<usize>>>,
    has_link: bool,
}

impl Table {
    /// Creates a table at the writer's position.
    pub(super) fn new(columns: Vec<Alignment>, writer: &mut Writer) -> Self {
        writer.start_block();
        Self { columns, gap: writer.take_gap(), start: writer.length(), rows: Vec::new(), has_link: false }
    }

    pub(super) fn start_row(&mut self) {
        self.rows.push(Vec::new());
    }

    pub(super) fn start_cell(&mut self, start: usize) {
        if let Some(row) = self.rows.last_mut() {
            row.push(start..start);
        }
    }

    pub(super) fn end_cell(&mut self, end: usize) {
        if let Some(cell) = self.rows.last_mut().and_then(|row| row.last_mut()) {
            cell.end = end;
        }
    }

    /// Records that the table has a link: monospaced text cannot have links.
    pub(super) fn add_link(&mut self) {
        self.has_link = true;
    }

    /// Removes the cells from the document, and writes them as a table.
    pub(super) fn write(mut self, writer: &mut Writer) {
        let tail = writer.document().split_off(self.start);
        writer.leave(self.gap);
        for cell in self.rows.iter_mut().flatten() {
            let text = tail.part(cell);
            let end = cell.start + text.trim_end().len();
            let start = cell.end - text.trim_start().len();
            *cell = start.min(end)..end;
        }
        if self.rows.iter().flatten().all(Range::is_empty) {
            return;
        }
        match self.widths(&tail) {
            Some(widths) if !self.has_link => writer.block(&self.grid(&tail, &widths), String::new()),
            _ => self.records(&tail, writer),
        }
        writer.leave_distance();
    }

    /// Returns the widths of the columns, or `None` if the table is too wide.
    fn widths(&self, tail: &Tail) -> Option<Vec<usize>> {
        if self.columns.len() > WIDEST / 2 {
            return None;
        }
        let mut widths = vec![1; self.columns.len()];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = character::width(tail.part(cell)).max(*width);
            }
        }
        let rules = 3 * widths.len().saturating_sub(1);
        (widths.iter().sum::<usize>() + rules <= WIDEST).then_some(widths)
    }

    /// Formats columns in ASCII: other lines do not have the width of letters in every font.
    fn grid(&self, tail: &Tail, widths: &[usize]) -> String {
        let mut lines = Vec::with_capacity(self.rows.len() + 1);
        for (index, row) in self.rows.iter().enumerate() {
            let is_head = index == 0;
            if is_head && row.iter().all(Range::is_empty) {
                continue;
            }
            let cells = row.iter().zip(widths).zip(&self.columns);
            let cells: Vec<_> =
                cells.map(|((cell, width), column)| aligned(tail.part(cell), *width, *column)).collect();
            lines.push(cells.join(" | ").trim_end().to_owned());
            if is_head {
                let rules: Vec<_> = widths.iter().map(|width| "-".repeat(*width)).collect();
                lines.push(rules.join("-+-"));
            }
        }
        lines.join("\n")
    }

    /// Writes a line for each cell, with the header's name before it. Names that are too long to be repeated, or have
    /// no rows under them, become a record themselves.
    fn records(&self, tail: &Tail, writer: &mut Writer) {
        let Some((head, rows)) = self.rows.split_first() else { return };
        let has_labels =
            !rows.is_empty() && head.iter().all(|cell| character::width(tail.part(cell)) <= LABEL);
        let records = if has_labels { rows } else { &self.rows };
        for record in records {
            for (column, cell) in record.iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
                writer.leave(1);
                let label = head.get(column).map_or("", |cell| tail.part(cell));
                if has_labels && !label.is_empty() {
                    writer.bold(&format!("{label}:"));
                    writer.text(" ");
                }
                for (text, style) in tail.runs(cell) {
                    writer.copy(text, style.kind);
                }
            }
            writer.leave(2);
        }
    }
}

/// Formats a cell on one line, padded to its column's width.
fn aligned(cell: &str, width: usize, column: Alignment) -> String {
    let free = width.saturating_sub(character::width(cell));
    let before = match column {
        Alignment::Right => free,
        Alignment::Center => free / 2,
        Alignment::Left | Alignment::None => 0,
    };
    let cell = cell.replace(SPACE, " ");
    format!("{}{cell}{}", " ".repeat(before), " ".repeat(free - before))
}
