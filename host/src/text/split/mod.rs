//! One long text as several messages.

mod fence;

use self::fence::Block;
use super::{grapheme, unit::TextUnit};

/// What the pieces are to be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The longest piece, in `unit`s; 0 counts as 1.
    pub limit: usize,
    /// What is counted.
    pub unit: TextUnit,
    /// Where cuts are preferred.
    pub mode: ChunkMode,
    /// The text is Markdown: a code block that is cut is closed, and opened again in the next piece.
    pub markdown: bool,
}

/// Where cuts are preferred: the official plugins' `chunkMode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChunkMode {
    /// Late: behind the last paragraph, line, sentence or word that ends in the second half of a piece.
    #[default]
    Length,
    /// Behind the last paragraph, else the last line, however early it ends; else as `Length`.
    Newline,
}

/// Cuts a text into pieces that are not longer than the limit. One that fits is its only piece, as it is; a blank one has
/// none.
///
/// What is dropped at a cut is the white space before it and the spaces and blank lines behind it; in a code block only
/// the line break. A grapheme cluster is cut only where it is longer than a piece by itself, and then between characters.
/// A character that alone is longer than the limit is a piece all the same.
///
/// With `markdown`, a piece that ends in a fenced code block is closed by the block's own fence, and the next one begins
/// with the block's first line; unless those two lines would take more than half of a piece.
pub fn split(text: &str, shape: Shape) -> Vec<String> {
    if shape.unit.prefix(text, shape.limit) == text.len() {
        return if text.trim().is_empty() { Vec::new() } else { vec![text.to_owned()] };
    }
    let mut blocks = if shape.markdown { Block::all(text) } else { Vec::new() };
    blocks.retain(|block| block.overhead(shape.unit) <= shape.limit / 2);
    let cutter = Cutter { text, blocks, shape };
    let (mut pieces, mut start) = (Vec::new(), 0);
    while start < text.len() {
        let cut = cutter.cut(start);
        let body = text.get(start..cut.end).unwrap_or_default();
        if !body.trim().is_empty() {
            let lines = cutter.reopened(start).into_iter().chain([body]).chain(cut.closing);
            pieces.push(lines.collect::<Vec<_>>().join("\n"));
        }
        // Never on the spot.
        start = cut.next.max(start + text.get(start..).map_or(1, first_length));
    }
    pieces
}

struct Cutter<'a> {
    text: &'a str,
    /// Those that can be closed and opened again.
    blocks: Vec<Block<'a>>,
    shape: Shape,
}

/// Where a piece ends, what closes it, and where the next one begins.
struct Cut<'a> {
    end: usize,
    closing: Option<&'a str>,
    next: usize,
}

impl<'a> Cutter<'a> {
    /// The block that has begun before `at` and ends behind it.
    fn around(&self, at: usize) -> Option<&Block<'a>> {
        let before = self.blocks.partition_point(|block| block.start < at);
        self.blocks.get(before.checked_sub(1)?).filter(|block| at < block.end)
    }

    /// The first line of the block in which a piece begins.
    fn reopened(&self, start: usize) -> Option<&'a str> {
        self.around(start).filter(|block| start >= block.body).map(|block| block.opening)
    }

    fn cut(&self, start: usize) -> Cut<'a> {
        let unit = self.shape.unit;
        let room =
            self.shape.limit.saturating_sub(self.reopened(start).map_or(0, |line| unit.length(line) + 1));
        let end = self.reach(start, room);
        if end == self.text.len() {
            return Cut { end, closing: None, next: end };
        }
        match self.around(end) {
            // A block whose first line is the last in reach belongs to the next piece.
            Some(block) if end <= block.body && block.start > start => self.outside(start, block.start),
            Some(block) => {
                let room = room.saturating_sub(unit.length(block.closing) + 1);
                self.inside(start, self.reach(start, room), block)
            }
            None => self.outside(start, end),
        }
    }

    /// How far a piece from `start` can reach: at least one character, and no cluster is torn that would fit.
    fn reach(&self, start: usize, room: usize) -> usize {
        let rest = self.text.get(start..).unwrap_or_default();
        let fits = self.shape.unit.prefix(rest, room).max(first_length(rest));
        let whole = if fits == rest.len() { fits } else { grapheme::floor(rest, fits) };
        start + if whole == 0 { fits } else { whole }
    }

    /// Cuts a block of code, behind a line if possible.
    fn inside(&self, start: usize, reach: usize, block: &Block<'a>) -> Cut<'a> {
        if reach <= block.body {
            return if block.start > start {
                self.outside(start, block.start)
            } else {
                // Nothing but the first line has room: a piece of it would be no block.
                Cut { end: reach, closing: None, next: reach }
            };
        }
        if reach > block.close {
            // Only the closing line is left, and this piece gets one anyway.
            return Cut { end: block.close - 1, closing: Some(block.closing), next: block.end };
        }
        let low = start.max(block.body).max(half(start, reach));
        let window = self.text.get(self.ceil(low)..reach).unwrap_or_default();
        let (end, next) = match window.rfind('\n').or_else(|| window.rfind(' ')) {
            Some(index) if self.ceil(low) + index > start => {
                let at = self.ceil(low) + index;
                (at, at + 1)
            }
            _ => (reach, reach),
        };
        Cut { end, closing: Some(block.closing), next }
    }

    /// Cuts ordinary text, at the best place that is not beyond `reach`.
    fn outside(&self, start: usize, reach: usize) -> Cut<'a> {
        // A line that ends right at the limit ends well.
        let behind = self.text.get(reach..).and_then(|rest| rest.chars().next());
        let window = self.text.get(start..reach).unwrap_or_default();
        // A block that ends before is not cut again.
        let block = self.blocks.iter().rev().find(|block| block.end <= reach && block.end > start);
        let floor = block.map_or(1, |block| block.end - 1 - start);
        let low = (self.ceil(half(start, reach)) - start).max(floor);
        let early = match self.shape.mode {
            ChunkMode::Length => low,
            ChunkMode::Newline => floor,
        };
        let at_end = behind.is_none_or(char::is_whitespace).then_some(window.len());
        let place = last(window, early, paragraph)
            .or_else(|| last(window, early, line))
            .or_else(|| last(window, low, sentence))
            .or(at_end)
            .or_else(|| last(window, low, word))
            .unwrap_or(window.len());
        let at =
            if self.shape.mode == ChunkMode::Length && behind == Some('\n') { window.len() } else { place };
        let end = start + window.get(..at).unwrap_or(window).trim_end().len();
        let rest = self.text.get(start + at..).unwrap_or_default();
        Cut { end, closing: None, next: self.text.len() - skip(rest).len() }
    }

    fn ceil(&self, at: usize) -> usize {
        self.text.ceil_char_boundary(at)
    }
}

fn half(start: usize, end: usize) -> usize {
    start + (end - start) / 2
}

fn first_length(text: &str) -> usize {
    text.chars().next().map_or(1, char::len_utf8)
}

/// Where the last thing ends that this finds, if that is not before `low`.
fn last(window: &str, low: usize, find: fn(&str) -> Option<usize>) -> Option<usize> {
    find(window).filter(|at| *at >= low.max(1))
}

fn paragraph(window: &str) -> Option<usize> {
    window.rfind("\n\n")
}

fn line(window: &str) -> Option<usize> {
    window.rfind('\n')
}

fn sentence(window: &str) -> Option<usize> {
    [". ", "! ", "? ", "。", "！", "？"]
        .iter()
        .filter_map(|mark| Some(window.rfind(mark)? + mark.trim_end().len()))
        .max()
}

fn word(window: &str) -> Option<usize> {
    window.rfind(char::is_whitespace)
}

/// Behind the spaces of this line and behind blank lines; the indent of the next line stays.
fn skip(text: &str) -> &str {
    let line = text.trim_start_matches([' ', '\t']);
    let Some(mut rest) = line.strip_prefix("\r\n").or_else(|| line.strip_prefix('\n')) else { return line };
    while let Some((blank, next)) = rest.split_once('\n')
        && blank.trim().is_empty()
    {
        rest = next;
    }
    rest
}

#[cfg(test)]
mod tests;
