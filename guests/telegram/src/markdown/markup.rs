//! Writes a part of the document in Telegram's HTML.

use std::ops::Range;

use super::{
    document::Document,
    escape,
    style::{Mark, Marks, Style},
};

/// The maximum number of formatted places in a message: Telegram ignores further ones without an error
/// (<https://github.com/rubenlagus/TelegramBots/issues/854>).
const ENTITIES: usize = 100;

/// The maximum size of all entities together, in bytes: at about 9,500, Telegram refuses the message
/// (<https://github.com/tdlib/telegram-bot-api/issues/165>). The rest is for addresses that Telegram finds by itself.
const WEIGHT: usize = 8_000;

/// The size of one entity besides its address or language, in bytes: its kind, its place, its length, and a string's
/// padding.
const ENTITY: usize = 16;

/// The remaining budget of a message, and the open marks.
#[derive(Debug)]
pub(super) struct Budget {
    entities: usize,
    weight: usize,
    open: Marks,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { entities: ENTITIES, weight: WEIGHT, open: Marks::default() }
    }

    /// Returns the next part's marks, without those that exceed the message's budget.
    ///
    /// Telegram splits bold, italic and struck text wherever another format begins or ends, so each part counts again.
    /// The others count once.
    pub(super) fn admit(&mut self, document: &Document, style: Style) -> Marks {
        let mut marks = style.marks();
        for (mark, open) in marks.iter_mut().zip(self.open) {
            let Some(wanted) = *mark else { continue };
            let extra = match wanted {
                Mark::Link(_) | Mark::Quote(_) | Mark::Code | Mark::Block(_) if open == Some(wanted) => {
                    continue;
                }
                Mark::Link(link) => document.address(link).len(),
                Mark::Block(block) => document.language(block).len(),
                Mark::Quote(_) | Mark::Code | Mark::Bold | Mark::Italic | Mark::Struck => 0,
            };
            if self.entities == 0 || self.weight < ENTITY + extra {
                *mark = None;
                continue;
            }
            self.entities -= 1;
            self.weight -= ENTITY + extra;
        }
        self.open = marks;
        marks
    }
}

/// Writes a part of the document, with tags.
pub(super) fn html(document: &Document, range: Range<usize>) -> String {
    let mut html = String::with_capacity(range.len() + range.len() / 4);
    let mut budget = Budget::new();
    let mut open = Marks::default();
    for (part, style) in document.runs(range) {
        let marks = budget.admit(document, style);
        switch(&mut html, document, open, marks);
        open = marks;
        html.push_str(&escape(document.part(part)));
    }
    switch(&mut html, document, open, Marks::default());
    html
}

/// Closes the marks that end and opens those that begin: all marks inside the outermost difference.
fn switch(html: &mut String, document: &Document, open: Marks, next: Marks) {
    let same = open.iter().zip(&next).take_while(|(open, next)| open == next).count();
    for mark in open.iter().skip(same).rev().flatten() {
        html.push_str(match *mark {
            Mark::Quote(_) => "</blockquote>",
            Mark::Link(_) => "</a>",
            Mark::Code => "</code>",
            Mark::Block(block) if document.language(block).is_empty() => "</pre>",
            Mark::Block(_) => "</code></pre>",
            Mark::Bold => "</b>",
            Mark::Italic => "</i>",
            Mark::Struck => "</s>",
        });
    }
    for mark in next.iter().skip(same).flatten() {
        match *mark {
            Mark::Quote(_) => html.push_str("<blockquote>"),
            Mark::Link(link) => {
                html.push_str("<a href=\"");
                html.push_str(&escape(document.address(link)));
                html.push_str("\">");
            }
            Mark::Code => html.push_str("<code>"),
            Mark::Block(block) if document.language(block).is_empty() => html.push_str("<pre>"),
            Mark::Block(block) => {
                html.push_str("<pre><code class=\"language-");
                html.push_str(&escape(document.language(block)));
                html.push_str("\">");
            }
            Mark::Bold => html.push_str("<b>"),
            Mark::Italic => html.push_str("<i>"),
            Mark::Struck => html.push_str("<s>"),
        }
    }
}
