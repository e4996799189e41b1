//! Computes the expected characters from the parser's events alone: all text, and the documented additions.
//!
//! White space is not compared. Where a layout depends on the width of the text, each documented layout is accepted.

use pulldown_cmark::{Event, Parser, Tag, TagEnd};

use super::super::OPTIONS;

/// An expected part of the text.
enum Part {
    Text(String),
    /// One of these sequences.
    Either(Vec<Vec<Self>>),
    /// The line under a table's header, with this number of columns.
    Rule(usize),
}

/// The cells of a table, as text.
#[derive(Default)]
struct Table {
    rows: Vec<Vec<String>>,
}

struct Anchor {
    address: String,
    start: usize,
    is_link: bool,
}

/// Reduces a text to the characters that are compared.
pub(super) type Filter = fn(&str) -> String;

/// Returns whether this is an expected rendering of the Markdown.
pub(super) fn is_seen(markdown: &str, seen: &str, filter: Filter) -> bool {
    let seen = filter(seen);
    ends(&parts(markdown), &seen, vec![0], filter).contains(&seen.len())
}

/// Removes white space.
pub(super) fn solid(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// Removes white space, and characters that Telegram removes or does not show: Telegram refuses a message of only
/// these.
pub(super) fn visible(text: &str) -> String {
    let is_hidden = |c: char| {
        let zero_width = ('\u{200b}'..='\u{200f}').contains(&c) || c == '\u{feff}' || c == '\u{180e}';
        let removed =
            ('\u{2028}'..='\u{202e}').contains(&c) || ['\u{30a}', '\u{333}', '\u{33f}'].contains(&c);
        let blank = ['\u{2800}', '\u{fffc}'].contains(&c) || ('\u{e0000}'..='\u{e007f}').contains(&c);
        c.is_whitespace() || c.is_control() || zero_width || removed || blank
    };
    text.chars().filter(|c| !is_hidden(*c)).collect()
}

/// Returns the positions in `seen` at which the parts can end, if they begin at one of `places`.
fn ends(parts: &[Part], seen: &str, mut places: Vec<usize>, filter: Filter) -> Vec<usize> {
    for part in parts {
        places = match part {
            Part::Text(text) => {
                let text = filter(text);
                let fits = places.iter().filter(|at| seen[**at..].starts_with(&text));
                fits.map(|at| at + text.len()).collect()
            }
            Part::Either(choices) => {
                choices.iter().flat_map(|choice| ends(choice, seen, places.clone(), filter)).collect()
            }
            Part::Rule(columns) => {
                places.iter().flat_map(|at| rule_ends(&seen[*at..], *at, *columns)).collect()
            }
        };
        places.sort_unstable();
        places.dedup();
    }
    places
}

fn rule_ends(seen: &str, at: usize, columns: usize) -> Vec<usize> {
    let is_rule =
        |rule: &str| rule.split('+').count() == columns && rule.split('+').all(|dashes| !dashes.is_empty());
    let longest = seen.find(|c| c != '-' && c != '+').unwrap_or(seen.len());
    (1..=longest).filter(|end| is_rule(&seen[..*end])).map(|end| at + end).collect()
}

fn parts(markdown: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut lists: Vec<Option<u64>> = Vec::new();
    let mut item = None;
    let mut anchors: Vec<Anchor> = Vec::new();
    let mut table: Option<Table> = None;
    for event in Parser::new_ext(markdown, OPTIONS) {
        // A task's box replaces the bullet.
        if let Some(bullet) = item.take() {
            let gives_way = matches!(event, Event::TaskListMarker(_));
            if matches!(event, Event::Start(Tag::Paragraph | Tag::Heading { .. })) {
                item = Some(bullet);
            } else if !gives_way {
                text.push_str(bullet);
            }
        }
        match event {
            Event::Text(seen) | Event::Code(seen) | Event::Html(seen) | Event::InlineHtml(seen) => {
                text.push_str(&seen);
            }
            Event::FootnoteReference(label) | Event::Start(Tag::FootnoteDefinition(label)) => {
                text.extend(["[", &*label, "]"]);
            }
            Event::SoftBreak | Event::HardBreak => text.push('\n'),
            Event::Rule => text.push_str("———"),
            Event::TaskListMarker(is_done) => text.push(if is_done { '☑' } else { '☐' }),
            Event::Start(Tag::List(first)) => lists.push(first),
            Event::End(TagEnd::List(_)) => drop(lists.pop()),
            Event::Start(Tag::Item) => match lists.last_mut() {
                Some(Some(number)) => {
                    text.extend([&*number.to_string(), "."]);
                    *number += 1;
                }
                _ => item = Some("•"),
            },
            Event::Start(Tag::BlockQuote(Some(kind))) => text.extend([format!("{kind:?}")]),
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                let is_link = !anchors.iter().any(|outer| outer.is_link) && is_link(&dest_url);
                anchors.push(Anchor { address: dest_url.into_string(), start: text.len(), is_link });
            }
            Event::End(TagEnd::Link | TagEnd::Image) => {
                let anchor = anchors.pop().unwrap();
                let is_inside = anchors.iter().any(|outer| outer.is_link);
                spell_out(&anchor, is_inside, &mut text);
            }
            Event::Start(Tag::Table(_)) => {
                parts.push(Part::Text(std::mem::take(&mut text)));
                table = Some(Table::default());
            }
            Event::Start(Tag::TableHead | Tag::TableRow) => table.as_mut().unwrap().rows.push(Vec::new()),
            Event::End(TagEnd::TableCell) => {
                let cell = std::mem::take(&mut text).trim().to_owned();
                table.as_mut().unwrap().rows.last_mut().unwrap().push(cell);
            }
            Event::End(TagEnd::Table) => parts.push(table.take().unwrap().layouts()),
            _ => {}
        }
    }
    parts.push(Part::Text(text));
    parts
}

/// Appends the address, if the link has no other text, or if Telegram makes no link of it.
fn spell_out(anchor: &Anchor, is_inside: bool, text: &mut String) {
    let address = &*anchor.address;
    let is_mail =
        address.len() >= 7 && address.is_char_boundary(7) && address[..7].to_lowercase() == "mailto:";
    let shown = match address {
        _ if is_mail => &address[7..],
        _ if address.starts_with('#') => "",
        _ => address,
    };
    let inner = text[anchor.start..].trim();
    if inner.is_empty() {
        text.push_str(shown);
    } else if !anchor.is_link && !is_inside && inner != address && inner != shown && !shown.is_empty() {
        text.extend([" (", shown, ")"]);
    }
}

/// The documented rule, implemented in another way.
fn is_link(address: &str) -> bool {
    let lower = address.to_lowercase();
    let Some(rest) = ["http://", "https://", "tg://"].iter().find_map(|scheme| lower.strip_prefix(scheme))
    else {
        return false;
    };
    let is_telegram = lower.starts_with("tg:");
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let mut host = &rest[..end];
    if let Some((name, port)) = host.rsplit_once(':') {
        let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        if is_telegram || !digits || !matches!(port.parse::<u32>(), Ok(1..=65_535)) {
            return false;
        }
        host = name;
    }
    let is_name = |c: char| {
        c == '-'
            || c == '_'
            || if is_telegram { c.is_ascii_alphanumeric() } else { c.is_alphanumeric() || c == '.' }
    };
    address.len() <= 1_500
        && !address.contains(|c: char| c.is_whitespace() || c.is_control())
        && host.chars().all(is_name)
        && host.contains(char::is_alphanumeric)
        && (is_telegram || host.contains('.'))
}

impl Table {
    /// Returns the possible layouts: columns, or records with or without labels.
    fn layouts(self) -> Part {
        let text = |text: &str| Part::Text(text.to_owned());
        if self.rows.iter().flatten().all(String::is_empty) {
            return text("");
        }
        let (head, rows) = self.rows.split_first().unwrap();
        let mut columns = Vec::new();
        if !head.iter().all(String::is_empty) {
            columns.extend([text(&head.join("|")), Part::Rule(head.len())]);
        }
        columns.extend(rows.iter().map(|row| text(&row.join("|"))));
        let mut records = Vec::new();
        for row in rows {
            for (label, cell) in head.iter().zip(row).filter(|(_, cell)| !cell.is_empty()) {
                let colon = if label.is_empty() { "" } else { ":" };
                records.push(text(&format!("{label}{colon}{cell}")));
            }
        }
        let unlabelled = self.rows.iter().flatten().map(|cell| text(cell)).collect();
        let mut layouts = vec![columns, unlabelled];
        if !rows.is_empty() {
            layouts.push(records);
        }
        Part::Either(layouts)
    }
}

#[test]
fn the_rule_refuses_what_is_missing_added_or_moved() {
    let markdown = "# A\n- b [c](d)\n\n|e|f|\n|-|-|\n|g|-|\n\n`h`";
    let seen = "A • b c (d) e | f --+-- g | - h";
    assert!(is_seen(markdown, seen, solid));
    assert!(is_seen(markdown, "A • b c (d) e: g f: - h", solid));
    for (from, to) in [
        ("•", ""),
        (" (d)", ""),
        ("h", ""),
        ("h", "hh"),
        ("A", "b"),
        ("--+--", "--"),
        ("--+--", ""),
        ("g |", "g"),
    ] {
        assert!(!is_seen(markdown, &seen.replace(from, to), solid), "{from} {to}");
    }
}
