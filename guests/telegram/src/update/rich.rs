//! Rich messages: a tree of blocks (`RichBlock`), whose texts are trees too (`RichText`).

use tidegate_guest::Attachment;

use super::{
    Bot, attachment, entity,
    entity::Reading,
    json::{Object, Value},
};

/// The maximum nesting depth that is read. Each level is parsed again.
const DEPTH: usize = 16;
/// The length at which a text is truncated, in bytes.
const LENGTH: usize = 64 * 1024;

/// Reads a rich message: its text, block by block and without formatting, and its files. Returns `None` if the message
/// is not a rich message.
pub(super) fn read(message: &Object<'_>, bot: &Bot) -> Option<(Reading, Vec<Attachment>)> {
    let rich = message.object("rich_message")?;
    let reading = Reading { text: String::new(), mentions_bot: false };
    let mut writer = Writer { reading, attachments: Vec::new(), bot };
    for block in rich.list("blocks") {
        writer.block(block, DEPTH);
    }
    let Writer { mut reading, attachments, .. } = writer;
    reading.text.truncate(reading.text.trim_end().len());
    if reading.text.is_empty() {
        reading.text.push_str("(rich message)");
    }
    Some((reading, attachments))
}

struct Writer<'a> {
    reading: Reading,
    attachments: Vec<Attachment>,
    bot: &'a Bot,
}

impl Writer<'_> {
    fn block(&mut self, block: Value<'_>, depth: usize) {
        let Some(block) = block.object().filter(|_| depth > 0) else { return };
        for field in ["summary", "text", "expression"] {
            self.line(block.get(field), depth);
        }
        let files = attachment::files(&block);
        if !files.placeholder.is_empty() {
            self.reading.text.push_str(&files.placeholder);
            self.reading.text.push('\n');
            self.attachments.extend(files.attachments);
        }
        // A list item has a label before its blocks.
        if let Some(label) = block.text("label") {
            self.reading.text.push_str(&label);
            self.reading.text.push(' ');
        }
        for inner in ["blocks", "items"].into_iter().flat_map(|field| block.list(field)) {
            self.block(inner, depth - 1);
        }
        for row in block.list("cells") {
            for (index, cell) in row.list().into_iter().enumerate() {
                if index > 0 {
                    self.reading.text.push_str(" | ");
                }
                self.rich_text(cell.object().and_then(|cell| cell.get("text")), depth);
            }
            self.reading.text.push('\n');
        }
        let caption = block.object("caption").and_then(|caption| caption.get("text"));
        self.line(caption.or_else(|| block.get("caption")), depth);
        self.line(block.get("credit"), depth);
    }

    /// Writes a line; writes nothing if there is no text.
    fn line(&mut self, rich: Option<Value<'_>>, depth: usize) {
        let before = self.reading.text.len();
        self.rich_text(rich, depth);
        if self.reading.text.len() > before {
            self.reading.text.push('\n');
        }
    }

    fn rich_text(&mut self, rich: Option<Value<'_>>, depth: usize) {
        let Some(rich) = rich.filter(|_| depth > 0 && self.reading.text.len() < LENGTH) else { return };
        if let Some(plain) = rich.text() {
            self.reading.text.push_str(&plain);
        } else if let Some(marked) = rich.object() {
            self.marked(&marked, depth);
        } else {
            for part in rich.list() {
                self.rich_text(Some(part), depth - 1);
            }
        }
    }

    fn marked(&mut self, marked: &Object<'_>, depth: usize) {
        let before = self.reading.text.len();
        let inner =
            ["text", "expression", "alternative_text"].into_iter().find_map(|field| marked.get(field));
        self.rich_text(inner, depth - 1);
        match marked.text("type").as_deref() {
            Some("mention") => {
                let username = marked.text("username");
                let username = username.as_deref().map(|name| name.strip_prefix('@').unwrap_or(name));
                self.reading.mentions_bot |= username.is_some_and(|name| self.bot.is_called(name));
            }
            Some("text_mention") => {
                self.reading.mentions_bot |= marked.object("user").is_some_and(|user| self.bot.is(&user));
            }
            Some("url") => {
                let shown = self.reading.text.get(before..).unwrap_or_default();
                if let Some(note) = marked.text("url").and_then(|url| entity::address(shown, &url)) {
                    self.reading.text.push_str(&note);
                }
            }
            _ => {}
        }
    }
}
