//! Finds the place where a piece ends.

use super::{
    ChunkMode, Shape,
    fence::{self, Block, Fence},
};
use crate::text::grapheme;

/// How many clusters a cut in a line may move back to avoid text that looks like a fence.
const STEPS: usize = 64;

/// The end of a piece and the beginning of the next one. The text between them is dropped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    pub(super) end: usize,
    pub(super) next: usize,
}

/// A text with its code blocks. All positions are byte offsets in it.
#[derive(Clone, Copy)]
pub(super) struct Cutter<'a> {
    pub(super) text: &'a str,
    /// The blocks that can be closed and opened again.
    pub(super) blocks: &'a [Block<'a>],
    pub(super) shape: Shape,
}

/// The range in which the text may be cut for one piece: up to `end`, and either all in a code block or all outside.
#[derive(Clone, Copy)]
struct Reach {
    /// The beginning of the piece.
    start: usize,
    /// In a code block, the later of two places: the beginning of its code, and the beginning of the piece.
    code: Option<usize>,
    end: usize,
}

/// The last line ends in the range, by quality.
#[derive(Default)]
struct Breaks {
    paragraph: Option<usize>,
    line: Option<usize>,
    code_paragraph: Option<usize>,
    code_line: Option<usize>,
}

impl<'a> Cutter<'a> {
    /// Returns the block that is open at `at`.
    pub(super) fn block_around(&self, at: usize) -> Option<&'a Block<'a>> {
        let before = self.blocks.partition_point(|block| block.start < at);
        self.blocks.get(before.checked_sub(1)?).filter(|block| at < block.end)
    }

    /// Returns the end of the piece that begins at `start` and has room for `room` units of text.
    pub(super) fn cut(&self, start: usize, room: usize) -> Cut {
        let rest = self.text.len() - start;
        let end = start + self.fitting(start, room);
        if end - start == rest {
            return Cut { end, next: end };
        }
        let Some(block) = self.block_around(end) else {
            return self.within(Reach { start, code: None, end });
        };
        let code = start.max(block.body);
        let end = start + self.fitting(start, room.saturating_sub(block.reserve(self.shape.unit)));
        // The text before the block ends with a line break. A cut directly after the block's first line would be
        // useless.
        if end <= code && block.start > start {
            return self.outside(start, block.start - 1);
        }
        self.within(Reach { start, code: Some(code), end })
    }

    /// Returns how many bytes fit. At least one character always counts as fitting.
    fn fitting(&self, start: usize, room: usize) -> usize {
        let rest = self.from(start);
        self.shape.unit.prefix(rest, room).max(rest.chars().next().map_or(0, char::len_utf8))
    }

    fn within(&self, reach: Reach) -> Cut {
        let Reach { start, end, .. } = reach;
        let half = self.text.floor_char_boundary(start + (end - start) / 2);
        let near = end - (end - start) / 4;
        let (low, earliest) = match self.shape.mode {
            ChunkMode::Length => (half, near),
            ChunkMode::Newline => (start, start),
        };
        let breaks = self.breaks(reach, low);
        let late = |at: &usize| *at >= earliest;
        if let Some(at) = breaks.paragraph.filter(late).or(breaks.line.filter(late)) {
            return self.outside(start, at);
        }
        // A broken line of code changes the program, so any end of a line is better.
        if let Some(at) = breaks.code_paragraph.filter(late).or(breaks.code_line) {
            return self.inside(at);
        }
        self.within_line(reach, half, near)
    }

    /// Finds the ends of lines from `low` on.
    fn breaks(&self, reach: Reach, low: usize) -> Breaks {
        let mut breaks = Breaks::default();
        // A line that ends directly after the range still fits.
        let high = reach.end + usize::from(self.from(reach.end).starts_with('\n'));
        for (index, _) in self.between(low, high).rmatch_indices('\n') {
            let at = low + index;
            if reach.code.is_some_and(|code| at > code) {
                breaks.code_line.get_or_insert(at);
                // In code, the cut is after the blank line: it is kept, and looks better at the end of a piece.
                if breaks.code_paragraph.is_none() && ends_blank(self.between(low, at)) {
                    breaks.code_paragraph = Some(at);
                }
            } else if self.block_around(at).is_none() {
                breaks.line.get_or_insert(at);
                if begins_blank(self.from(at + 1)) {
                    breaks.paragraph = Some(at);
                    break;
                }
            }
        }
        breaks
    }

    /// Cuts the last line in the range, because there is no suitable end of a line.
    fn within_line(&self, reach: Reach, half: usize, near: usize) -> Cut {
        let Reach { start, code, end } = reach;
        let line = self.between(start, end).rfind('\n').map_or(start, |index| start + index + 1);
        if let Some(low) = self.cuttable_from(reach, line) {
            let between_words = match code {
                None => self.between_words(reach, low.max(half), near),
                Some(_) => self.between_code_words(reach, low.max(half)),
            };
            if let Some(cut) = between_words.or_else(|| self.between_clusters(reach, low)) {
                return cut;
            }
        }
        // The line is a single cluster, or looks like a fence everywhere. It is better to end the piece one line
        // earlier.
        let block = self.block_around(end).filter(|block| code.is_some() && block.start > start);
        match (code, block) {
            (Some(code), _) if line > code + 1 => self.inside(line - 1),
            (Some(_), Some(block)) => self.outside(start, block.start - 1),
            (None, _) if line > start + 1 && self.block_around(line - 1).is_none() => {
                self.outside(start, line - 1)
            }
            _ => match (grapheme::floor(self.from(start), end - start), code) {
                (0, Some(_)) => self.inside(end),
                (0, None) => self.outside(start, end),
                (length, Some(_)) => self.inside(start + length),
                (length, None) => self.outside(start, start + length),
            },
        }
    }

    /// Returns the first place where this line may be cut, or `None` if it may not be cut.
    fn cuttable_from(&self, reach: Reach, line: usize) -> Option<usize> {
        let low = line.max(reach.code.unwrap_or(line));
        match Fence::new(self.between(line, reach.end)).filter(|_| self.shape.markdown) {
            Some(fence) => fence.refuted_at(reach.code.is_some()).map(|length| low.max(line + length)),
            None => Some(low),
        }
    }

    /// Cuts after the last sentence that ends near the end, or else after the last word.
    fn between_words(&self, reach: Reach, low: usize, near: usize) -> Option<Cut> {
        let Reach { start, end, .. } = reach;
        let mut word = None;
        // White space that begins directly after the range may be dropped as well.
        let space = self.from(end).chars().next().filter(|next| is_space(*next));
        let mut below = end + space.map_or(0, char::len_utf8);
        while let Some((index, character)) = self.between(low, below).char_indices().next_back() {
            below = low + index;
            let full_stop = matches!(character, '。' | '！' | '？' | '｡');
            if !full_stop && !is_space(character) {
                continue;
            }
            let at = if full_stop { below + character.len_utf8() } else { below };
            let cut = self.outside(start, at);
            // Look at each run of white space only once.
            below = below.min(cut.end.max(low));
            if cut.end < low || cut.end == start || !self.is_fit(start, at, cut.next) {
                continue;
            }
            if at >= near && (full_stop || ends_sentence(self.between(low, cut.end))) {
                return Some(cut);
            }
            // A full stop far from the end is no better than a space.
            word.get_or_insert(cut);
            if at < near {
                break;
            }
        }
        word
    }

    /// Cuts after the last white space in a line of code. The white space is kept, because it may matter there.
    fn between_code_words(&self, reach: Reach, low: usize) -> Option<Cut> {
        let spaces = self.between(low, reach.end).char_indices().rev().filter(|(_, it)| is_space(*it));
        let mut places = spaces.map(|(index, space)| low + index + space.len_utf8());
        places.find(|&at| self.is_fit(reach.start, at, at)).map(|at| self.inside(at))
    }

    /// Cuts after the last cluster that allows it.
    fn between_clusters(&self, reach: Reach, low: usize) -> Option<Cut> {
        let Reach { start, code, end } = reach;
        let mut at = end;
        for _ in 0..STEPS {
            at = start + grapheme::floor(self.from(start), at - start);
            if at <= low {
                return None;
            }
            let cut = if code.is_some() { self.inside(at) } else { self.outside(start, at) };
            if self.is_fit(start, at, cut.next) {
                return Some(cut);
            }
            at -= 1;
        }
        None
    }

    /// Returns true if the cut tears no cluster, and if the text after it does not become a fence by moving to the
    /// beginning of a line.
    fn is_fit(&self, start: usize, at: usize, next: usize) -> bool {
        let splits_line = !self.between(start, next).ends_with('\n');
        grapheme::is_boundary(self.from(start), at - start)
            && !(self.shape.markdown && splits_line && fence::looks_like_one(self.from(next)))
    }

    /// Cuts in a code block. Of the white space, only one line break is dropped.
    fn inside(&self, at: usize) -> Cut {
        if self.from(at).starts_with('\n') {
            let carriage_return = self.between(0, at).ends_with('\r');
            Cut { end: at - usize::from(carriage_return), next: at + 1 }
        } else {
            Cut { end: at, next: at }
        }
    }

    /// Cuts outside of code blocks. White space on both sides is dropped, except the indent of the next line.
    fn outside(&self, start: usize, at: usize) -> Cut {
        let rest = self.from(start);
        let before = self.between(start, at);
        let mut end = before.trim_end_matches(is_space).len();
        if !grapheme::is_boundary(rest, end) {
            // The character before the first space forms one cluster with it, such as a prepended mark.
            end += before.get(end..).and_then(|run| run.chars().next()).map_or(0, char::len_utf8);
        }
        let behind = self.from(at);
        let run = behind.len() - behind.trim_start_matches(is_space).len();
        let run = behind.get(..run).unwrap_or_default();
        let kept = match (run.rfind('\n'), run.chars().next_back()) {
            (Some(index), _) => run.len() - index - 1,
            // The last space carries a combining mark.
            (None, Some(space)) if !grapheme::is_boundary(rest, at + run.len() - start) => space.len_utf8(),
            (None, _) => 0,
        };
        Cut { end: start + end, next: at + run.len() - kept }
    }

    fn from(&self, at: usize) -> &'a str {
        self.text.get(at..).unwrap_or_default()
    }

    fn between(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }
}

/// Returns true for white space at which a line may be broken.
fn is_space(character: char) -> bool {
    // NO-BREAK SPACE, FIGURE SPACE, NARROW NO-BREAK SPACE
    character.is_whitespace() && !matches!(character, '\u{a0}' | '\u{2007}' | '\u{202f}')
}

fn begins_blank(text: &str) -> bool {
    text.trim_start_matches([' ', '\t', '\r']).starts_with('\n')
}

fn ends_blank(text: &str) -> bool {
    text.trim_end_matches([' ', '\t', '\r']).ends_with('\n')
}

/// Returns true if the text ends with a full stop or similar mark. Brackets, quotes and emphasis may follow the mark.
fn ends_sentence(text: &str) -> bool {
    text.trim_end_matches([')', ']', '"', '\'', '’', '”', '»', '*', '_']).ends_with(['.', '!', '?', '…'])
}
