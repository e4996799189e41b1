//! Fenced code blocks, as far as cutting a text requires.
//!
//! Follows `CommonMark` 0.31, section 4.5: three or more backticks or tildes, indented by at most three spaces, up to a
//! line with at least as many of the same character. Fences inside lists and quotes count as plain text here.

use crate::text::unit::TextUnit;

/// A line that begins like a fence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fence<'a> {
    mark: char,
    /// The number of marks.
    run: usize,
    /// The length of indent and marks, in bytes: what comes before `info`.
    length: usize,
    /// The rest of the line.
    info: &'a str,
}

impl<'a> Fence<'a> {
    pub(super) fn new(line: &'a str) -> Option<Self> {
        let marks = line.trim_start_matches(' ');
        let indent = line.len() - marks.len();
        let mark = marks.chars().next().filter(|mark| ['`', '~'].contains(mark))?;
        let info = marks.trim_start_matches(mark);
        let run = marks.len() - info.len();
        (indent <= 3 && run >= 3).then_some(Self { mark, run, length: indent + run, info })
    }

    /// Returns true if this can open a block. After backticks, the rest of the line may contain no backtick.
    fn opens(&self) -> bool {
        self.mark == '~' || !self.info.contains('`')
    }

    /// Returns true if this closes the block that `opening` opened.
    fn closes(&self, opening: &Self) -> bool {
        self.mark == opening.mark && self.run >= opening.run && self.info.trim_ascii().is_empty()
    }

    /// Returns how many bytes of the line are needed to see that it is not a fence: a closing fence inside a block, or
    /// an opening fence outside.
    pub(super) fn refuted_at(&self, inside: bool) -> Option<usize> {
        let is_proof = |character: char| match (inside, self.mark) {
            (true, mark) => !character.is_ascii_whitespace() && character != mark,
            (false, mark) => mark == '`' && character == mark,
        };
        let (index, proof) = self.info.char_indices().find(|&(_, character)| is_proof(character))?;
        Some(self.length + index + proof.len_utf8())
    }
}

/// Returns true if this would be taken for a fence at the beginning of a line, whatever text follows.
pub(super) fn looks_like_one(text: &str) -> bool {
    let marks = (0..3).fold(text, |text, _| text.strip_prefix(' ').unwrap_or(text));
    marks.starts_with("```") || marks.starts_with("~~~")
}

/// A code block. All positions are byte offsets in its text.
#[derive(Clone, Debug)]
pub(super) struct Block<'a> {
    /// The beginning of its first line.
    pub(super) start: usize,
    /// The beginning of its code.
    pub(super) body: usize,
    /// The end of the closing fence's last mark, or the end of the text.
    pub(super) end: usize,
    /// The first line, which opens the block again.
    pub(super) opening: &'a str,
    /// The fence that closes the block early.
    pub(super) closing: &'a str,
    /// The closing fence in the text.
    closed_by: &'a str,
}

impl<'a> Block<'a> {
    /// Returns all blocks, in order. A block that the text leaves open reaches to the end of the text.
    pub(super) fn all(text: &'a str) -> Vec<Self> {
        let mut blocks = Vec::new();
        let mut open: Option<(Fence<'a>, Self)> = None;
        let mut next = 0;
        for line in text.split_inclusive('\n') {
            let start = next;
            next += line.len();
            let Some(fence) = Fence::new(line) else { continue };
            let marks = line.get(..fence.length).unwrap_or_default();
            match open.take() {
                None if fence.opens() => {
                    let block = Self {
                        start,
                        body: next,
                        end: text.len(),
                        opening: line.trim_ascii_end(),
                        closing: marks,
                        closed_by: "",
                    };
                    open = Some((fence, block));
                }
                Some((opening, block)) if fence.closes(&opening) => {
                    blocks.push(Self { end: start + marks.len(), closed_by: marks, ..block });
                }
                other => open = other,
            }
        }
        blocks.extend(open.map(|(_, block)| block));
        blocks
    }

    /// Returns how much room a piece must reserve to close this block, including the line break before the fence. The
    /// fence may be the host's or the text's own.
    pub(super) fn reserve(&self, unit: TextUnit) -> usize {
        1 + unit.length(self.closing).max(unit.length(self.closed_by))
    }

    /// Returns how much room a piece of this block loses to its fences. The first line counts with the white space that
    /// is cut off at its end.
    pub(super) fn overhead(&self, text: &str, unit: TextUnit) -> usize {
        unit.length(text.get(self.start..self.body).unwrap_or_default()) + 1 + self.reserve(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_end_at_a_fence_like_their_own() {
        for (text, blocks) in [
            ("a\n```\nb\n```\nc", vec!["```\nb\n```"]),
            ("```rust ignore  \nb\n```  \nc", vec!["```rust ignore  \nb\n```"]),
            ("````\n```\nb\n```\n`````\n", vec!["````\n```\nb\n```\n`````"]),
            ("~~~ `a`\n```\n~~\n~~~\n```\nb", vec!["~~~ `a`\n```\n~~\n~~~", "```\nb"]),
            ("   ```\n    ```\n ``` x\n  ```\n", vec!["   ```\n    ```\n ``` x\n  ```"]),
            ("    ```\na", vec![]),
            ("``` a`b ```\nc", vec![]),
            ("a ```\n``\n> ```", vec![]),
            ("```\r\na\r\n```\r\n", vec!["```\r\na\r\n```"]),
            ("```", vec!["```"]),
        ] {
            let found: Vec<_> = Block::all(text).iter().map(|block| &text[block.start..block.end]).collect();
            assert_eq!(found, blocks, "{text:?}");
        }
    }

    #[test]
    fn a_block_knows_how_to_be_closed_and_opened_again() {
        let text = "  ~~~~ rust\t\r\ncode\n~~~~~~";
        let blocks = Block::all(text);
        assert_eq!((blocks[0].opening, blocks[0].closing), ("  ~~~~ rust", "  ~~~~"));
        assert_eq!(&text[blocks[0].body..], "code\n~~~~~~");
        assert_eq!(blocks[0].reserve(TextUnit::Byte), 7);
    }

    #[test]
    fn a_line_that_is_no_fence_shows_it_at_some_place() {
        for (line, inside, place) in [
            ("```a`b", false, Some("```a`")),
            ("```a", false, None),
            ("~~~a`b", false, None),
            ("``` abc", true, Some("``` a")),
            ("````` ", true, None),
        ] {
            let refuted = Fence::new(line).unwrap().refuted_at(inside);
            assert_eq!(refuted.map(|at| &line[..at]), place, "{line}");
        }
    }
}
