//! Writes text into a document: line breaks, indents and markers before it, and its style.

use super::{
    document::Document,
    link,
    style::{Face, Id, Kind, Style},
};

/// The maximum number of indented levels of lists.
const INDENTED: usize = 8;

/// The open elements around the next text, and the pending output before it.
#[derive(Default)]
pub(super) struct Writer {
    document: Document,
    /// The number of line breaks to write before the next text: 2 leave an empty line.
    gap: usize,
    /// Whether the last text is a heading, which is not separated from the text below it.
    is_under_heading: bool,
    /// The pending marker of the next text: bullets, numbers, a footnote's label.
    marker: String,
    /// The number of items that the marker belongs to.
    marked_items: usize,
    /// The next item's number in each open list, or `None` for a list without numbers.
    lists: Vec<Option<u64>>,
    quotes: usize,
    /// The number of lists around the outermost quote.
    lists_outside: usize,
    quote: Option<Id>,
    next_quote: Id,
    pub(super) bold: usize,
    pub(super) italic: usize,
    pub(super) struck: usize,
    anchors: Vec<Anchor>,
    /// The link that Telegram is to make of the current text.
    link: Option<Id>,
}

/// An open link or image.
struct Anchor {
    address: String,
    /// The start of its text.
    start: usize,
    /// The link around it, and whether this one is a link itself.
    outer: Option<Id>,
    is_link: bool,
}

impl Writer {
    pub(super) fn document(&mut self) -> &mut Document {
        &mut self.document
    }

    pub(super) fn into_document(self) -> Document {
        self.document
    }

    /// Returns the current length of the text, in bytes.
    pub(super) fn length(&self) -> usize {
        self.document.text().len()
    }

    pub(super) fn text(&mut self, text: &str) {
        if !text.is_empty() {
            self.flush();
            self.document.push(text, self.style());
        }
    }

    pub(super) fn bold(&mut self, text: &str) {
        self.copy(text, Kind::Text(Face { bold: true, ..Face::default() }));
    }

    /// Writes code within a line. In a link it becomes part of the link: Telegram accepts only one of the two formats.
    pub(super) fn code(&mut self, text: &str) {
        if self.link.is_some() {
            self.text(text);
        } else {
            self.copy(text, Kind::Code);
        }
    }

    /// Writes text of its own kind, regardless of open formats.
    pub(super) fn copy(&mut self, text: &str, kind: Kind) {
        self.flush();
        self.document.push(text, self.styled(kind));
    }

    /// Writes a monospaced block. It is not indented with its list, so that people can copy it unchanged.
    pub(super) fn block(&mut self, text: &str, language: String) {
        self.start_block();
        let kind = Kind::Block(self.document.add_language(language));
        self.separate();
        self.document.push(text, self.styled(kind));
    }

    /// Writes the pending marker on a line of its own, and starts a block.
    pub(super) fn start_block(&mut self) {
        self.flush_marker();
        self.leave_distance();
    }

    /// Requests at least this number of line breaks before the next text.
    pub(super) fn leave(&mut self, breaks: usize) {
        self.gap = self.gap.max(breaks);
    }

    /// Requests an empty line between blocks, or only a line break between the blocks of one item.
    pub(super) fn leave_distance(&mut self) {
        self.leave(if self.is_in_list() { 1 } else { 2 });
    }

    /// Marks the last text as a heading, which the next text belongs to.
    pub(super) fn stay_under_heading(&mut self) {
        self.is_under_heading = true;
    }

    /// Returns and clears the pending line breaks.
    pub(super) fn take_gap(&mut self) -> usize {
        std::mem::take(&mut self.gap)
    }

    pub(super) fn announce(&mut self, marker: &str) {
        self.marker.push_str(marker);
    }

    /// Adds a task's box to the marker: it replaces a bullet, and follows a number.
    pub(super) fn announce_box(&mut self, is_done: bool) {
        if self.marker.ends_with("• ") {
            self.marker.truncate(self.marker.len() - "• ".len());
        }
        self.announce(if is_done { "☑ " } else { "☐ " });
    }

    /// Writes the pending marker if no text followed it.
    pub(super) fn flush_marker(&mut self) {
        if !self.marker.is_empty() {
            self.flush();
        }
    }

    pub(super) fn start_list(&mut self, first: Option<u64>) {
        self.leave_distance();
        self.lists.push(first);
    }

    pub(super) fn end_list(&mut self) {
        self.lists.pop();
        self.leave_distance();
    }

    pub(super) fn start_item(&mut self) {
        self.leave(1);
        let number = self.lists.last_mut().and_then(Option::as_mut).map(|next| {
            let number = *next;
            *next = number.saturating_add(1);
            format!("{number}. ")
        });
        self.announce(number.as_deref().unwrap_or("• "));
        self.marked_items += 1;
    }

    pub(super) fn is_in_list(&self) -> bool {
        self.lists.len() > self.lists_outside
    }

    /// Starts a quote. A nested quote becomes part of the outer one.
    pub(super) fn start_quote(&mut self) {
        self.leave_distance();
        if self.quotes == 0 {
            self.quote = Some(self.next_quote);
            self.next_quote += 1;
            self.lists_outside = self.lists.len();
        }
        self.quotes += 1;
    }

    pub(super) fn end_quote(&mut self) {
        self.quotes = self.quotes.saturating_sub(1);
        if self.quotes == 0 {
            self.quote = None;
            self.lists_outside = 0;
        }
        self.leave_distance();
    }

    /// Starts a link. Returns true if it becomes a link.
    pub(super) fn start_link(&mut self, address: String) -> bool {
        self.flush();
        let outer = self.link;
        let is_link = outer.is_none() && link::is_link(&address);
        if is_link {
            self.link = Some(self.document.add_address(address.clone()));
        }
        let start = self.length();
        self.anchors.push(Anchor { address, start, outer, is_link });
        is_link
    }

    pub(super) fn end_link(&mut self) {
        let Some(Anchor { address, start, outer, is_link }) = self.anchors.pop() else { return };
        let shown = link::shown(&address);
        let text = self.document.part(start..self.length()).trim();
        if text.is_empty() {
            self.text(shown);
        } else if !is_link && outer.is_none() && !shown.is_empty() && text != shown && text != address {
            self.text(&format!(" ({shown})"));
        }
        self.link = outer;
    }

    /// Writes the pending output before text: the line breaks, the indent, the marker.
    fn flush(&mut self) {
        let is_new_line = self.gap > 0;
        self.separate();
        let style = self.styled(Kind::default());
        if is_new_line {
            let levels = self.lists.len().saturating_sub(self.marked_items);
            let levels = self.lists.iter().take(levels).skip(self.lists_outside).take(INDENTED);
            let columns = levels.map(|number| if number.is_some() { 3 } else { 2 }).sum();
            self.document.push(&" ".repeat(columns), style);
        }
        self.document.push(&self.marker, style);
        self.marker.clear();
        self.marked_items = 0;
    }

    fn separate(&mut self) {
        let breaks = self.take_gap();
        let Some(last) = self.document.last_style().filter(|_| breaks > 0) else { return };
        self.document.trim_spaces();
        let text = self.document.text();
        // A link's text may begin at a line's end that was removed.
        for anchor in self.anchors.iter_mut().rev().take_while(|anchor| anchor.start > text.len()) {
            anchor.start = text.len();
        }
        let missing = breaks.saturating_sub(text.len() - text.trim_end_matches('\n').len());
        let is_under_heading = std::mem::take(&mut self.is_under_heading);
        if breaks > 1 && !is_under_heading {
            self.document.add_seam();
        }
        self.document.push(&"\n".repeat(missing), last.between(self.style()));
    }

    fn style(&self) -> Style {
        self.styled(Kind::Text(Face {
            link: self.link,
            bold: self.bold > 0,
            italic: self.italic > 0,
            struck: self.struck > 0,
        }))
    }

    fn styled(&self, kind: Kind) -> Style {
        Style { quote: self.quote, kind }
    }
}
