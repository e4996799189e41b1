//! Fenced code blocks, as far as cutting a text needs to know them.

use crate::text::unit::TextUnit;

/// A fenced code block. All positions are byte offsets in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block<'a> {
    /// Its first line, without the line break.
    pub(super) opening: &'a str,
    /// What closes it.
    pub(super) closing: &'a str,
    /// Where its first line begins.
    pub(super) start: usize,
    /// Where its code begins.
    pub(super) body: usize,
    /// Where the line begins that closes it; the text's end if none does.
    pub(super) close: usize,
    /// Behind that line.
    pub(super) end: usize,
}

impl<'a> Block<'a> {
    /// All of a text's, in order.
    pub(super) fn all(text: &'a str) -> Vec<Self> {
        let mut blocks = Vec::new();
        let mut open: Option<Self> = None;
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let (start, end) = (at, at + line.len());
            at = end;
            let line = line.trim_end();
            match &mut open {
                None => {
                    open = fence(line).map(|closing| Block {
                        opening: line,
                        closing,
                        start,
                        body: end,
                        close: text.len(),
                        end: text.len(),
                    });
                }
                Some(block) if closes(line, block.closing) => {
                    block.close = start;
                    block.end = end;
                    blocks.extend(open.take());
                }
                Some(_) => {}
            }
        }
        blocks.extend(open);
        // A block without a line of code cannot be cut.
        blocks.retain(|block| block.close > block.body);
        blocks
    }

    /// What closing and opening it again takes.
    pub(super) fn overhead(&self, unit: TextUnit) -> usize {
        unit.length(self.opening) + unit.length(self.closing) + 2
    }
}

/// The fence with which a line opens a block: three or more backticks or tildes, at most three spaces before. The words
/// behind backticks have no backtick.
fn fence(line: &str) -> Option<&str> {
    let bare = line.trim_start_matches(' ');
    if line.len() - bare.len() > 3 {
        return None;
    }
    let mark = bare.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
    let info = bare.trim_start_matches(mark);
    let fence = bare.get(..bare.len() - info.len())?;
    (fence.len() >= 3 && !(mark == '`' && info.contains('`'))).then_some(fence)
}

/// The same marks, as many or more, and nothing else.
fn closes(line: &str, fence: &str) -> bool {
    let bare = line.trim_start_matches(' ');
    line.len() - bare.len() <= 3
        && bare.starts_with(fence)
        && fence.chars().next().is_some_and(|mark| bare.trim_start_matches(mark).is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_as_commonmark_has_them() {
        let text = "a\n```rust\nfn a() {}\n~~~\n````\nb\n  ~~~~ x\n```\n~~~\n~~~~\n``` `\nc\n```\nopen";
        let blocks = Block::all(text);
        let shown: Vec<_> = blocks
            .iter()
            .map(|block| {
                (block.opening, block.closing, &text[block.body..block.close], &text[block.close..block.end])
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("```rust", "```", "fn a() {}\n~~~\n", "````\n"),
                ("  ~~~~ x", "~~~~", "```\n~~~\n", "~~~~\n"),
                ("```", "```", "open", "")
            ]
        );
        assert!(Block::all("    ```\ncode\n").is_empty());
    }
}
