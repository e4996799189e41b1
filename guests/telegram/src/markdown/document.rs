//! The text as a reader sees it, and the style of each part.

use std::ops::Range;

use super::style::{Id, Style};

/// White space that may be removed at the end of a line or of a message.
pub(super) const SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// A text without markup, with its styles stored separately.
#[derive(Debug, Default)]
pub(super) struct Document {
    text: String,
    /// The runs of equal style, in order; the first begins at 0, each reaches to the next.
    runs: Vec<Run>,
    /// The addresses that the links' ids refer to.
    addresses: Vec<String>,
    /// The languages that the code blocks' ids refer to; empty for a block without a language.
    languages: Vec<String>,
    /// The ends of blocks after which a message may end, in order.
    seams: Vec<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    start: usize,
    style: Style,
}

/// A part that was removed from the end of a [`Document`]. Offsets are those in the original document.
pub(super) struct Tail {
    document: Document,
    start: usize,
}

impl Document {
    pub(super) fn push(&mut self, text: &str, style: Style) {
        if text.is_empty() {
            return;
        }
        if self.last_style() != Some(style) {
            self.runs.push(Run { start: self.text.len(), style });
        }
        self.text.push_str(text);
    }

    pub(super) fn last_style(&self) -> Option<Style> {
        self.runs.last().map(|run| run.style)
    }

    pub(super) fn add_address(&mut self, address: String) -> Id {
        self.addresses.push(address);
        self.addresses.len() - 1
    }

    pub(super) fn add_language(&mut self, language: String) -> Id {
        self.languages.push(language);
        self.languages.len() - 1
    }

    /// Marks this position as a possible end of a message.
    pub(super) fn add_seam(&mut self) {
        self.seams.push(self.text.len());
    }

    /// Removes spaces from the end, so that no line ends in spaces.
    pub(super) fn trim_spaces(&mut self) {
        self.truncate(self.text.trim_end_matches([' ', '\t']).len());
    }

    /// Removes and returns the text from `start` to the end.
    pub(super) fn split_off(&mut self, start: usize) -> Tail {
        let runs = self.runs(start..self.text.len());
        let runs = runs.map(|(part, style)| Run { start: part.start - start, style }).collect();
        let text = self.part(start..self.text.len()).to_owned();
        self.truncate(start);
        Tail { document: Self { text, runs, ..Self::default() }, start }
    }

    fn truncate(&mut self, length: usize) {
        self.text.truncate(length);
        let kept = self.runs.partition_point(|run| run.start < length);
        self.runs.truncate(kept);
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Returns a part of the text; empty if the range is not valid.
    pub(super) fn part(&self, part: Range<usize>) -> &str {
        self.text.get(part).unwrap_or_default()
    }

    pub(super) fn address(&self, link: Id) -> &str {
        self.addresses.get(link).map_or("", String::as_str)
    }

    pub(super) fn language(&self, block: Id) -> &str {
        self.languages.get(block).map_or("", String::as_str)
    }

    /// Returns the last end of a block up to `end`.
    pub(super) fn seam(&self, end: usize) -> Option<usize> {
        let count = self.seams.partition_point(|seam| *seam <= end);
        self.seams.get(..count)?.last().copied()
    }

    /// Returns the parts of a range with their styles.
    pub(super) fn runs(&self, range: Range<usize>) -> impl Iterator<Item = (Range<usize>, Style)> {
        let first = self.runs.partition_point(|run| run.start <= range.start).saturating_sub(1);
        let runs = self.runs.get(first..).unwrap_or_default();
        let ends = runs.iter().skip(1).map(|run| run.start).chain([self.text.len()]);
        runs.iter()
            .zip(ends)
            .map(move |(run, end)| (run.start.max(range.start)..end.min(range.end), run.style))
            .take_while(|(part, _)| !part.is_empty())
    }
}

impl Tail {
    pub(super) fn part(&self, part: &Range<usize>) -> &str {
        self.document.part(self.within(part))
    }

    pub(super) fn runs(&self, part: &Range<usize>) -> impl Iterator<Item = (&str, Style)> {
        self.document.runs(self.within(part)).map(|(part, style)| (self.document.part(part), style))
    }

    fn within(&self, part: &Range<usize>) -> Range<usize> {
        part.start.saturating_sub(self.start)..part.end.saturating_sub(self.start)
    }
}
