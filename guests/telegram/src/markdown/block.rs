//! Converts Markdown into a document.

use pulldown_cmark::{BlockQuoteKind, CodeBlockKind, Event, Parser, Tag, TagEnd};

use super::{OPTIONS, document::Document, table::Table, writer::Writer};

/// The distance of tab stops in code, in columns. Telegram would replace each tab by one space.
const TAB: usize = 4;

/// The longest name of a language, in bytes.
const LANGUAGE: usize = 32;

/// Reads Markdown. Nesting uses the heap, not the stack.
pub(super) fn read(markdown: &str) -> Document {
    let mut reader = Reader::default();
    for event in Parser::new_ext(markdown, OPTIONS) {
        reader.event(event);
    }
    reader.writer.into_document()
}

/// A reader of the parser's events.
#[derive(Default)]
struct Reader {
    writer: Writer,
    code: Option<Code>,
    table: Option<Table>,
}

/// An open block of code.
struct Code {
    language: String,
    text: String,
}

impl Reader {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::InlineMath(text) | Event::DisplayMath(text) => match &mut self.code {
                Some(code) => code.text.push_str(&text),
                None => self.writer.text(&text),
            },
            Event::Code(text) => self.writer.code(&text),
            Event::Html(text) | Event::InlineHtml(text) => self.html(&text),
            Event::FootnoteReference(label) => self.writer.text(&format!("[{label}]")),
            Event::SoftBreak | Event::HardBreak => self.writer.leave(1),
            Event::Rule => {
                self.writer.leave(2);
                self.writer.text("———");
                self.writer.leave(2);
            }
            Event::TaskListMarker(is_done) => self.writer.announce_box(is_done),
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            // Only items that are separated by empty lines have paragraphs.
            Tag::Paragraph if self.writer.is_in_list() => self.writer.leave(2),
            Tag::Heading { .. } => {
                self.writer.leave(2);
                self.writer.bold += 1;
            }
            Tag::BlockQuote(kind) => {
                self.writer.start_quote();
                if let Some(kind) = kind {
                    self.writer.bold(title(kind));
                    self.writer.leave(1);
                }
            }
            Tag::CodeBlock(kind) => self.code = Some(Code { language: language(&kind), text: String::new() }),
            Tag::HtmlBlock => self.writer.leave_distance(),
            Tag::List(first) => self.writer.start_list(first),
            Tag::Item => self.writer.start_item(),
            Tag::FootnoteDefinition(label) => {
                self.writer.leave_distance();
                self.writer.announce(&format!("[{label}] "));
            }
            Tag::Table(columns) => self.table = Some(Table::new(columns, &mut self.writer)),
            Tag::TableHead | Tag::TableRow => self.change_table(Table::start_row),
            Tag::TableCell => {
                let start = self.writer.length();
                self.change_table(|table| table.start_cell(start));
            }
            Tag::Emphasis => self.writer.italic += 1,
            Tag::Strong => self.writer.bold += 1,
            Tag::Strikethrough => self.writer.struck += 1,
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                if self.writer.start_link(dest_url.into_string()) {
                    self.change_table(Table::add_link);
                }
            }
            // Paragraphs outside of lists, and elements that OPTIONS does not enable.
            Tag::Paragraph
            | Tag::DefinitionList
            | Tag::DefinitionListTitle
            | Tag::DefinitionListDefinition
            | Tag::MetadataBlock(_)
            | Tag::Subscript
            | Tag::Superscript => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph => self.writer.leave(2),
            TagEnd::Heading(_) => {
                self.writer.bold = self.writer.bold.saturating_sub(1);
                self.writer.leave(2);
                self.writer.stay_under_heading();
            }
            TagEnd::BlockQuote(_) => self.writer.end_quote(),
            TagEnd::CodeBlock => self.end_code(),
            TagEnd::HtmlBlock => self.writer.leave_distance(),
            TagEnd::List(_) => self.writer.end_list(),
            TagEnd::Item | TagEnd::FootnoteDefinition => {
                self.writer.flush_marker();
                self.writer.leave(1);
            }
            TagEnd::Table => {
                if let Some(table) = self.table.take() {
                    table.write(&mut self.writer);
                }
            }
            TagEnd::TableCell => {
                let end = self.writer.length();
                self.change_table(|table| table.end_cell(end));
            }
            TagEnd::Emphasis => self.writer.italic = self.writer.italic.saturating_sub(1),
            TagEnd::Strong => self.writer.bold = self.writer.bold.saturating_sub(1),
            TagEnd::Strikethrough => self.writer.struck = self.writer.struck.saturating_sub(1),
            TagEnd::Link | TagEnd::Image => self.writer.end_link(),
            TagEnd::TableHead
            | TagEnd::TableRow
            | TagEnd::DefinitionList
            | TagEnd::DefinitionListTitle
            | TagEnd::DefinitionListDefinition
            | TagEnd::MetadataBlock(_)
            | TagEnd::Subscript
            | TagEnd::Superscript => {}
        }
    }

    fn end_code(&mut self) {
        let Some(code) = self.code.take() else { return };
        let text = expand_tabs(code.text.trim_end());
        if !text.trim().is_empty() {
            self.writer.block(&text, code.language);
        }
        self.writer.leave_distance();
    }

    /// Writes HTML unchanged, line by line.
    fn html(&mut self, text: &str) {
        for line in text.split_inclusive('\n') {
            let content = line.trim_end();
            if content.is_empty() {
                self.writer.leave(2);
            } else {
                self.writer.text(content);
                self.writer.leave(usize::from(line.ends_with('\n')));
            }
        }
    }

    fn change_table(&mut self, change: impl FnOnce(&mut Table)) {
        if let Some(table) = &mut self.table {
            change(table);
        }
    }
}

fn title(kind: BlockQuoteKind) -> &'static str {
    match kind {
        BlockQuoteKind::Note => "Note",
        BlockQuoteKind::Tip => "Tip",
        BlockQuoteKind::Important => "Important",
        BlockQuoteKind::Warning => "Warning",
        BlockQuoteKind::Caution => "Caution",
    }
}

/// Returns the first word after a fence, if it can be a language's name.
fn language(kind: &CodeBlockKind<'_>) -> String {
    let CodeBlockKind::Fenced(info) = kind else { return String::new() };
    let name = info.split([' ', '\t', ',', ':', '{']).next().unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '#' | '.' | '_');
    if name.len() <= LANGUAGE && name.chars().all(is_plain) {
        name.to_ascii_lowercase()
    } else {
        String::new()
    }
}

fn expand_tabs(code: &str) -> String {
    let mut text = String::with_capacity(code.len());
    let mut column = 0;
    for character in code.chars() {
        match character {
            '\t' => {
                let spaces = TAB - column % TAB;
                text.extend(std::iter::repeat_n(' ', spaces));
                column += spaces;
                continue;
            }
            '\n' => column = 0,
            _ => column += 1,
        }
        text.push(character);
    }
    text
}
