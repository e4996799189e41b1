//! Prepares a text for sending: removes control characters, trims the ends, and brings entities into the only order
//! that clients can show.

use std::{iter::Peekable, vec::IntoIter};

use super::{Entity, Formatted, Kind, find};
use crate::error::ApiError;

/// The rule for nesting an entity.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// It contains no entities, and is allowed only inside quotes.
    Pre,
    /// It contains only splittable entities.
    Continuous,
    Blockquote,
    /// It may be cut wherever another entity begins or ends.
    Splittable(usize),
}

/// The number of splittable kinds.
const SPLITTABLE: usize = 5;

impl Kind {
    fn class(&self) -> Class {
        match self {
            Self::Bold => Class::Splittable(0),
            Self::Italic => Class::Splittable(1),
            Self::Underline => Class::Splittable(2),
            Self::Strikethrough => Class::Splittable(3),
            Self::Spoiler => Class::Splittable(4),
            Self::Blockquote | Self::ExpandableBlockquote => Class::Blockquote,
            Self::Code { .. } | Self::Pre { .. } | Self::DateTime { .. } => Class::Pre,
            Self::BotCommand
            | Self::CustomEmoji(_)
            | Self::Hashtag
            | Self::Mention
            | Self::TextLink(_)
            | Self::TextMention(_)
            | Self::Url => Class::Continuous,
        }
    }

    fn splittable(index: usize) -> Option<Self> {
        [Self::Bold, Self::Italic, Self::Underline, Self::Strikethrough, Self::Spoiler].get(index).cloned()
    }

    /// Returns the rank among entities that cover the same text; a lower rank comes first.
    fn priority(&self) -> u8 {
        match self {
            Self::Blockquote | Self::ExpandableBlockquote => 0,
            Self::Pre { .. } => 10,
            Self::Code { .. } => 20,
            Self::DateTime { .. } => 30,
            Self::TextLink(_) | Self::TextMention(_) => 49,
            Self::BotCommand | Self::Hashtag | Self::Mention | Self::Url => 50,
            Self::Bold => 90,
            Self::Italic => 91,
            Self::Underline => 92,
            Self::Strikethrough => 93,
            Self::Spoiler => 94,
            Self::CustomEmoji(_) => 99,
        }
    }
}

/// Returns the text as Telegram stores it.
pub(super) fn cleaned(formatted: Formatted) -> Result<Formatted, ApiError> {
    let entities = fixed(formatted.entities);
    let mut formatted = trimmed(filtered(&formatted.text, entities)?);
    formatted.entities = fixed(formatted.entities);
    let all = |found: &Entity| {
        formatted.entities.iter().all(|entity| {
            matches!(entity.kind.class(), Class::Splittable(_) | Class::Blockquote)
                || entity.end() <= found.offset
                || entity.offset >= found.end()
        })
    };
    let mut found: Vec<Entity> =
        find::entities(&formatted.text).into_iter().filter(|found| all(found)).collect();
    if !found.is_empty() {
        found.extend(formatted.entities);
        formatted.entities = fixed(found);
    }
    Ok(formatted)
}

/// Replaces control characters by spaces, and removes carriage returns and characters that change the text direction.
fn filtered(text: &str, mut entities: Vec<Entity>) -> Result<Formatted, ApiError> {
    let mut result = String::with_capacity(text.len());
    // The new offset of each old one; `None` within a character.
    let mut places = Vec::with_capacity(text.len() + 1);
    let mut units = 0;
    for c in text.chars() {
        places.push(Some(units));
        places.extend((1..c.len_utf16()).map(|_| None));
        match c {
            '\n' => result.push(c),
            '\r' | '\u{2028}'..='\u{202e}' | '\u{333}' | '\u{33f}' | '\u{30a}' => continue,
            '\0'..' ' => result.push(' '),
            _ => result.push(c),
        }
        units += c.len_utf16();
    }
    places.push(Some(units));
    for entity in &mut entities {
        let offset = entity.offset;
        let end = entity.end();
        let beyond = || {
            ApiError::bad_request(format!(
                "entity beginning at UTF-16 offset {offset} ends after the end of the text at UTF-16 offset {end}"
            ))
        };
        let middle = || {
            ApiError::bad_request(format!(
                "entity beginning at UTF-16 offset {offset} begins or ends in a middle of a UTF-16 symbol"
            ))
        };
        let begin = places.get(offset).ok_or_else(beyond)?.ok_or_else(middle)?;
        let stop = places.get(end).ok_or_else(beyond)?.ok_or_else(middle)?;
        entity.offset = begin;
        entity.length = stop - begin;
    }
    entities.retain(|entity| entity.length > 0);
    Ok(Formatted { text: result, entities })
}

/// Removes spaces and newlines at the end, and those at the beginning before the first entity.
fn trimmed(formatted: Formatted) -> Formatted {
    let blank = [' ', '\n'];
    let text = formatted.text.trim_end_matches(blank);
    let units = text.encode_utf16().count();
    let mut entities = formatted.entities;
    for entity in &mut entities {
        entity.length = entity.length.min(units.saturating_sub(entity.offset));
    }
    entities.retain(|entity| entity.length > 0);
    let first = entities.iter().map(|entity| entity.offset).min().unwrap_or(usize::MAX);
    let leading = text.len() - text.trim_start_matches(blank).len();
    let leading = leading.min(first);
    for entity in &mut entities {
        entity.offset -= leading;
    }
    Formatted { text: text.get(leading..).unwrap_or_default().to_owned(), entities }
}

fn sort(entities: &mut [Entity]) {
    entities.sort_by(|a, b| {
        (a.offset, b.length, a.kind.priority()).cmp(&(b.offset, a.length, b.kind.priority()))
    });
}

/// Returns entities that do not cross and do not repeat a format.
fn fixed(mut entities: Vec<Entity>) -> Vec<Entity> {
    entities.retain(|entity| entity.length > 0);
    sort(&mut entities);
    if are_valid(&entities) {
        return entities;
    }
    let (splittable, others): (Vec<_>, Vec<_>) =
        entities.into_iter().partition(|entity| matches!(entity.kind.class(), Class::Splittable(_)));
    let (mut quotes, mut others): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|entity| entity.kind.class() == Class::Blockquote);
    first_of_each(&mut others);
    first_of_each(&mut quotes);
    others.retain(|entity| {
        quotes.iter().all(|quote| {
            quote.end() <= entity.offset
                || entity.end() <= quote.offset
                || (quote.offset <= entity.offset && entity.end() <= quote.end())
        })
    });
    others.extend(quotes);
    sort(&mut others);
    let mut result = split(splittable, &others);
    result.extend(others);
    sort(&mut result);
    result
}

fn are_valid(entities: &[Entity]) -> bool {
    let mut around: Vec<&Entity> = Vec::new();
    let mut ends = [None; SPLITTABLE];
    for entity in entities {
        around.retain(|outer| entity.offset < outer.end());
        let class = entity.kind.class();
        let nests = around.iter().all(|outer| {
            let fits = match outer.kind.class() {
                Class::Pre | Class::Splittable(_) => false,
                Class::Continuous => matches!(class, Class::Splittable(_)),
                Class::Blockquote => class != Class::Blockquote,
            };
            fits && entity.end() <= outer.end()
        });
        if !nests {
            return false;
        }
        if let Class::Splittable(index) = class
            && let Some(end) = ends.get_mut(index)
        {
            if end.is_some_and(|end| end >= entity.offset) {
                return false;
            }
            *end = Some(entity.end());
        }
        around.push(entity);
    }
    true
}

/// Keeps only the first of overlapping entities. The entities are in order.
fn first_of_each(entities: &mut Vec<Entity>) {
    let mut end = 0;
    entities.retain(|entity| {
        let stays = entity.offset >= end;
        if stays {
            end = entity.end();
        }
        stays
    });
}

/// Cuts splittable entities wherever one of the others begins or ends, and joins adjacent ones.
fn split(splittable: Vec<Entity>, others: &[Entity]) -> Vec<Entity> {
    let mut splitter =
        Splitter { waiting: splittable.into_iter().peekable(), open: [None; SPLITTABLE], result: Vec::new() };
    let mut around: Vec<&Entity> = Vec::new();
    for other in others.iter().map(Some).chain([None]) {
        let begin = other.map_or(usize::MAX, |other| other.offset);
        while let Some(inner) = around.pop_if(|inner| inner.end() <= begin) {
            let before = splitter.result.len();
            splitter.advance(inner.end());
            if inner.kind.class() == Class::Pre {
                splitter.result.truncate(before);
            }
        }
        splitter.advance(begin);
        around.extend(other);
    }
    splitter.result
}

struct Splitter {
    waiting: Peekable<IntoIter<Entity>>,
    /// The start and end of the open entity of each kind.
    open: [Option<(usize, usize)>; SPLITTABLE],
    result: Vec<Entity>,
}

impl Splitter {
    /// Adds all entities that begin before `end`, and closes or cuts there.
    fn advance(&mut self, end: usize) {
        while let Some(entity) = self.waiting.next_if(|entity| entity.offset < end) {
            let Class::Splittable(index) = entity.kind.class() else { continue };
            let open = self.open.get(index).copied().flatten();
            let joined = match open {
                Some((begin, until)) if entity.offset <= until => (begin, until.max(entity.end())),
                _ => {
                    self.flush(entity.offset);
                    (entity.offset, entity.end())
                }
            };
            if let Some(open) = self.open.get_mut(index) {
                *open = Some(joined);
            }
        }
        self.flush(end);
    }

    fn flush(&mut self, at: usize) {
        for (index, open) in self.open.iter_mut().enumerate() {
            let Some((begin, end)) = *open else { continue };
            if begin >= at {
                continue;
            }
            self.result.extend(Kind::splittable(index).map(|kind| Entity {
                offset: begin,
                length: end.min(at) - begin,
                kind,
            }));
            *open = (end > at).then_some((at, end));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(html: &str) -> (String, Vec<String>) {
        let formatted = Formatted::from_bot(html, "HTML", None).unwrap();
        let entities = formatted.entities.iter().map(|entity| {
            let name = entity.to_json()["type"].as_str().unwrap().to_owned();
            format!("{name} {}+{}", entity.offset, entity.length)
        });
        (formatted.text.clone(), entities.collect())
    }

    #[test]
    fn entities_are_cut_and_joined_so_that_none_cross() {
        for (html, text, entities) in [
            ("<b>a</b><b>b</b>", "ab", &["bold 0+2"][..]),
            ("<b>a<b>b</b></b>", "ab", &["bold 0+2"]),
            ("<b>a<i>b</i>c</b>", "abc", &["bold 0+1", "bold 1+2", "italic 1+1"]),
            ("<b>a<code>b</code>c</b>", "abc", &["bold 0+1", "code 1+1", "bold 2+1"]),
            ("<b><code>b</code></b>", "b", &["code 0+1"]),
            ("<pre>a<b>b</b></pre>", "ab", &["pre 0+2"]),
            ("<a href='a.b'>x<code>y</code></a>", "xy", &["text_link 0+2"]),
            ("<blockquote><b>a</b></blockquote>", "a", &["blockquote 0+1", "bold 0+1"]),
            ("<blockquote>a<blockquote>b</blockquote></blockquote>", "ab", &["blockquote 0+2"]),
            ("<a href='a.b'><b>x</b></a>", "x", &["text_link 0+1", "bold 0+1"]),
        ] {
            let entities: Vec<String> = entities.iter().map(|&entity| entity.to_owned()).collect();
            assert_eq!(shown(html), (text.to_owned(), entities), "{html}");
        }
    }

    #[test]
    fn the_ends_are_trimmed_and_control_characters_go() {
        for (html, text, entities) in [
            ("  a \n", "a", &[][..]),
            ("<b> a </b>", " a", &["bold 0+2"]),
            ("  <b>a</b>", "a", &["bold 0+1"]),
            ("a\tb\r\nc\u{1}d", "a b\nc d", &[]),
            ("\r<b>a</b>", "a", &["bold 0+1"]),
            ("  \n", "", &[]),
        ] {
            let entities: Vec<String> = entities.iter().map(|&entity| entity.to_owned()).collect();
            assert_eq!(shown(html), (text.to_owned(), entities), "{html:?}");
        }
    }

    #[test]
    fn what_telegram_finds_itself_is_added_where_nothing_else_is() {
        for (html, entities) in [
            ("ask @ada_l about /start", &["mention 4+6", "bot_command 17+6"][..]),
            ("<code>@ada_l</code>", &["code 0+6"]),
            ("<b>@ada_l</b>", &["mention 0+6", "bold 0+6"]),
        ] {
            assert_eq!(shown(html).1, entities, "{html}");
        }
    }

    #[test]
    fn entities_that_leave_the_text_are_refused() {
        let bold = |offset: usize, length: usize| serde_json::json!([{"type": "bold", "offset": offset, "length": length}]);
        assert!(Formatted::from_bot("a😀", "", Some(&bold(1, 2))).is_ok());
        assert!(Formatted::from_bot("a😀", "", Some(&bold(1, 1))).is_err());
        assert!(Formatted::from_bot("a😀", "", Some(&bold(1, 3))).is_err());
    }

    fn any_entities() -> impl Strategy<Value = Vec<Entity>> {
        let kind = prop_oneof![
            Just(Kind::Bold),
            Just(Kind::Italic),
            Just(Kind::Spoiler),
            Just(Kind::Blockquote),
            Just(Kind::Url),
            Just(Kind::Pre { language: String::new() }),
        ];
        let entity = (0_usize..20, 1_usize..20, kind).prop_map(|(offset, length, kind)| Entity {
            offset,
            length,
            kind,
        });
        proptest::collection::vec(entity, 0..8)
    }

    proptest! {
        #[test]
        fn whatever_comes_in_nothing_crosses_in_the_end(entities in any_entities()) {
            let fixed = fixed(entities);
            for (at, a) in fixed.iter().enumerate() {
                prop_assert!(a.length > 0);
                for b in fixed.iter().skip(at + 1) {
                    prop_assert!(a.offset <= b.offset);
                    let apart = a.end() <= b.offset;
                    let inside = b.end() <= a.end();
                    prop_assert!(apart || inside, "{a:?} crosses {b:?}");
                    if a.kind.class() == b.kind.class() {
                        prop_assert!(apart, "{a:?} is marked again by {b:?}");
                    }
                }
            }
        }
    }
}
