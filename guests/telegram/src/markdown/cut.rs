//! Cuts the document into messages.

use std::ops::Range;

use super::{
    character,
    document::{Document, SPACE},
    markup::Budget,
};

/// The longest character that is kept whole, in Unicode scalar values.
const CLUSTER: usize = 64;

/// Returns the parts, in order. No part is empty, ends in white space, begins with an empty line, shows nothing, or is
/// longer than its limit, in UTF-16 units.
pub(super) fn pieces(document: &Document, limit: impl Fn(usize) -> usize) -> Vec<Range<usize>> {
    let text = document.text();
    let mut pieces = Vec::new();
    let mut start = 0;
    loop {
        start = resume(text, start);
        let rest = document.part(start..text.len());
        let Some(first) = rest.chars().next() else { return pieces };
        let limit = limit(pieces.len());
        let room = start + prefix(rest, limit);
        if room == start {
            // The limit is too small for this character.
            start += first.len_utf8();
            continue;
        }
        let end = formatted(document, start..room, limit);
        let end = if end == text.len() { end } else { end_of(document, start..end) };
        let part = document.part(start..end).trim_end_matches(SPACE);
        if part.chars().any(character::is_visible) {
            pieces.push(start..start + part.len());
        }
        start = end;
    }
}

/// Returns the start of the next message: after the spaces at a cut inside a line, after the empty lines at a cut
/// between lines, so that the first line keeps its indent.
fn resume(text: &str, end: usize) -> usize {
    let (before, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    let space = rest.len() - rest.trim_start_matches(SPACE).len();
    match rest.get(..space).and_then(|space| space.rfind('\n')) {
        Some(line) => end + line + 1,
        None if before.is_empty() || before.ends_with('\n') => end,
        None => end + space,
    }
}

/// Returns the longest prefix with at most `limit` UTF-16 units, in bytes.
fn prefix(text: &str, limit: usize) -> usize {
    let mut left = limit;
    let fits = |character: &char| {
        let fits = character.len_utf16() <= left;
        left = left.saturating_sub(character.len_utf16());
        fits
    };
    text.chars().take_while(fits).map(char::len_utf8).sum()
}

/// Returns the end of the part whose formats all fit into one message. If that would make the message too short,
/// returns the end of the range: the rest of it is sent without formats.
fn formatted(document: &Document, range: Range<usize>, limit: usize) -> usize {
    let mut budget = Budget::new();
    let full =
        document.runs(range.clone()).find(|(_, style)| budget.admit(document, *style) != style.marks());
    let Some((part, _)) = full else { return range.end };
    let units = document.part(range.start..part.start).encode_utf16().count();
    if part.start > range.start && units >= limit / 4 { part.start } else { range.end }
}

/// Returns the best end of a message that cannot be longer than the range.
fn end_of(document: &Document, range: Range<usize>) -> usize {
    let text = document.part(range.clone());
    // A line may end directly after the range.
    let next = document.part(range.end..document.text().len()).chars().next();
    let ends_with = |end: char| next == Some(end);
    // The first position with visible text before it.
    let first = text.len() - text.trim_start_matches(SPACE).len() + 1;
    let last = |end: char| if ends_with(end) { Some(text.len()) } else { text.rfind(end) };
    let seam = || document.seam(range.end).and_then(|seam| seam.checked_sub(range.start));
    for least in [(text.len() / 3).max(first), first] {
        let found = [seam(), last('\n'), last(' ')].into_iter().flatten().find(|at| *at >= least);
        if let Some(at) = found {
            return range.start + at;
        }
    }
    let places = text.char_indices().rev().map(|(at, _)| range.start + at);
    let mut places = [range.end].into_iter().chain(places).take(CLUSTER);
    places.find(|at| *at >= range.start + first && is_cut(document, range.start, *at)).unwrap_or(range.end)
}

fn is_cut(document: &Document, start: usize, at: usize) -> bool {
    character::is_cut(document.part(start..document.text().len()), at - start)
}
