//! Parses Telegram's HTML as strictly as Telegram: <https://core.telegram.org/bots/api#html-style>.
//!
//! Where the documentation is not specific, refusals and their texts follow `TDLib`'s parser. An offset in an error
//! counts bytes from the beginning of the text.

use super::{Entity, Formatted, Kind, link};

const TAGS: [&str; 17] = [
    "a",
    "b",
    "blockquote",
    "code",
    "del",
    "em",
    "i",
    "ins",
    "pre",
    "s",
    "span",
    "strike",
    "strong",
    "tg-emoji",
    "tg-spoiler",
    "tg-time",
    "u",
];

/// An error in a text.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Error {
    #[error("Unclosed start tag at byte offset {0}")]
    UnclosedStart(usize),
    #[error("Unclosed start tag \"{0}\" at byte offset {1}")]
    UnclosedNamedStart(String, usize),
    #[error("Unsupported start tag \"{0}\" at byte offset {1}")]
    Unsupported(String, usize),
    #[error("Empty attribute name in the tag \"{0}\" at byte offset {1}")]
    EmptyAttribute(String, usize),
    #[error("Unexpected end of name token at byte offset {0}")]
    NameToken(usize),
    #[error("Tag \"span\" must have class \"tg-spoiler\" at byte offset {0}")]
    Span(usize),
    #[error("Unexpected end tag at byte offset {0}")]
    UnexpectedEnd(usize),
    #[error("Unclosed end tag at byte offset {0}")]
    UnclosedEnd(usize),
    #[error("Unmatched end tag at byte offset {offset}, expected \"</{expected}>\", found \"</{found}>\"")]
    Unmatched { offset: usize, expected: String, found: String },
    #[error("Can't find end tag corresponding to start tag \"{0}\"")]
    NoEnd(String),
    #[error("Invalid custom emoji identifier specified")]
    Emoji,
    #[error(
        "Text contains invalid Unicode characters after decoding HTML entities, check for unmatched surrogate code units"
    )]
    Surrogate,
}

/// An open tag.
struct Open {
    tag: String,
    /// The attribute that matters for this tag.
    argument: String,
    /// `unix` of `tg-time`.
    unix: i64,
    /// Its start in the result, in UTF-16 units and in bytes.
    offset: usize,
    begin: usize,
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    result: String,
    /// The result's length in UTF-16 units.
    units: usize,
    open: Vec<Open>,
    entities: Vec<Entity>,
    surrogates: bool,
}

pub(super) fn parse(text: &str) -> Result<Formatted, Error> {
    let mut parser = Parser {
        text,
        at: 0,
        result: String::with_capacity(text.len()),
        units: 0,
        open: Vec::new(),
        entities: Vec::new(),
        surrogates: false,
    };
    while let Some(c) = parser.rest().chars().next() {
        match c {
            '<' if parser.byte(1) == b'/' => parser.end_tag()?,
            '<' => parser.start_tag()?,
            '&' => match parser.reference() {
                Some(code) => parser.push_code(code),
                None => parser.push(c),
            },
            _ => parser.push(c),
        }
    }
    if let Some(open) = parser.open.pop() {
        return Err(Error::NoEnd(open.tag));
    }
    if parser.surrogates {
        return Err(Error::Surrogate);
    }
    for entity in &mut parser.entities {
        if let Kind::Code { language } = &mut entity.kind {
            language.clear();
        }
    }
    Ok(Formatted { text: parser.result, entities: parser.entities })
}

fn is_space(byte: u8) -> bool {
    matches!(byte, 0 | b' ' | b'\t' | b'\r' | b'\n' | 0x0b)
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Returns the byte at this distance; zero beyond the end.
    fn byte(&self, ahead: usize) -> u8 {
        self.text.as_bytes().get(self.at + ahead).copied().unwrap_or(0)
    }

    /// Advances while the current byte matches; returns the skipped text.
    fn skip(&mut self, wanted: impl Fn(u8) -> bool) -> String {
        let begin = self.at;
        while self.at < self.text.len() && wanted(self.byte(0)) {
            self.at += 1;
        }
        // Only ASCII ends a run, so that no character is torn.
        self.text.get(begin..self.at).unwrap_or_default().to_owned()
    }

    fn push(&mut self, c: char) {
        self.at += c.len_utf8();
        self.append(c);
    }

    fn append(&mut self, c: char) {
        self.units += c.len_utf16();
        self.result.push(c);
    }

    fn push_code(&mut self, code: u32) {
        match char::from_u32(code) {
            Some(c) => self.append(c),
            None => self.surrogates = true,
        }
    }

    /// Reads a character reference and advances past it; returns `None` if the text is not a reference.
    fn reference(&mut self) -> Option<u32> {
        let rest = self.rest().strip_prefix('&')?;
        let (code, length) = if let Some(number) = rest.strip_prefix('#') {
            let (digits, radix, prefix) = match number.strip_prefix('x') {
                Some(digits) => (digits, 16, 3),
                None => (number, 10, 2),
            };
            let count = digits.bytes().take_while(|byte| char::from(*byte).is_digit(radix)).count();
            let code = u32::from_str_radix(digits.get(..count)?, radix).ok()?;
            if code == 0 || code >= 0x10_ffff || prefix + count >= 10 {
                return None;
            }
            (code, prefix + count)
        } else {
            let count = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
            let code = match rest.get(..count)? {
                "lt" => '<',
                "gt" => '>',
                "amp" => '&',
                "quot" => '"',
                _ => return None,
            };
            (u32::from(code), 1 + count)
        };
        self.at += length;
        if self.byte(0) == b';' {
            self.at += 1;
        }
        Some(code)
    }

    fn start_tag(&mut self) -> Result<(), Error> {
        let begin = self.at;
        self.at += 1;
        let tag = self.skip(|byte| !is_space(byte) && byte != b'>').to_ascii_lowercase();
        if self.byte(0) == 0 {
            return Err(Error::UnclosedStart(begin));
        }
        if !TAGS.contains(&tag.as_str()) {
            return Err(Error::Unsupported(tag, begin));
        }
        let mut open =
            Open { tag, argument: String::new(), unix: 0, offset: self.units, begin: self.result.len() };
        while self.byte(0) != b'>' {
            self.attribute(&mut open, begin)?;
        }
        self.at += 1;
        if open.tag == "span" && open.argument != "spoiler" {
            return Err(Error::Span(begin));
        }
        self.open.push(open);
        Ok(())
    }

    fn spaces(&mut self) {
        self.skip(|byte| byte != 0 && is_space(byte));
    }

    fn attribute(&mut self, open: &mut Open, begin: usize) -> Result<(), Error> {
        self.spaces();
        if self.byte(0) == b'>' {
            return Ok(());
        }
        let name = self.skip(|byte| !is_space(byte) && !b"=>/\"'".contains(&byte));
        if name.is_empty() {
            return Err(Error::EmptyAttribute(open.tag.clone(), begin));
        }
        self.spaces();
        let unclosed = || Error::UnclosedNamedStart(open.tag.clone(), begin);
        if self.byte(0) != b'=' {
            if self.byte(0) == 0 {
                return Err(unclosed());
            }
            if open.tag == "blockquote" && name == "expandable" {
                "1".clone_into(&mut open.argument);
            }
            return Ok(());
        }
        self.at += 1;
        self.spaces();
        if self.byte(0) == 0 {
            return Err(unclosed());
        }
        let value = self.value()?;
        if self.byte(0) == 0 {
            return Err(Error::UnclosedStart(begin));
        }
        match (open.tag.as_str(), name.as_str()) {
            ("a", "href") | ("tg-emoji", "emoji-id") | ("tg-time", "format") => open.argument = value,
            ("code", "class") => {
                if let Some(language) = value.strip_prefix("language-") {
                    language.clone_into(&mut open.argument);
                }
            }
            ("span", "class") => {
                if let Some(class) = value.strip_prefix("tg-") {
                    class.clone_into(&mut open.argument);
                }
            }
            ("blockquote", "expandable") => "1".clone_into(&mut open.argument),
            ("tg-time", "unix") => open.unix = value.parse().unwrap_or(0),
            _ => {}
        }
        Ok(())
    }

    /// Reads a value in quotes, or a bare word of letters, digits, periods and hyphens.
    fn value(&mut self) -> Result<String, Error> {
        let quote = self.byte(0);
        if !b"\"'".contains(&quote) {
            let begin = self.at;
            let word = self.skip(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
            if !is_space(self.byte(0)) && self.byte(0) != b'>' {
                return Err(Error::NameToken(begin));
            }
            return Ok(word.to_ascii_lowercase());
        }
        self.at += 1;
        let mut value = String::new();
        while let Some(c) = self.rest().chars().next().filter(|c| *c != char::from(quote) && *c != '\0') {
            if c == '&'
                && let Some(code) = self.reference()
            {
                value.extend(char::from_u32(code));
                continue;
            }
            self.at += c.len_utf8();
            value.push(c);
        }
        if self.byte(0) == quote {
            self.at += 1;
        }
        Ok(value)
    }

    fn end_tag(&mut self) -> Result<(), Error> {
        let begin = self.at;
        if self.open.is_empty() {
            return Err(Error::UnexpectedEnd(begin));
        }
        self.at += 2;
        let tag = self.skip(|byte| !is_space(byte) && byte != b'>').to_ascii_lowercase();
        self.spaces();
        if self.byte(0) != b'>' {
            return Err(Error::UnclosedEnd(begin));
        }
        self.at += 1;
        let Some(open) = self.open.pop() else { return Err(Error::UnexpectedEnd(begin)) };
        // Yes, `</>` closes anything.
        if !tag.is_empty() && tag != open.tag {
            return Err(Error::Unmatched { offset: begin, expected: open.tag, found: tag });
        }
        if self.units > open.offset {
            self.close(open)?;
        }
        Ok(())
    }

    /// Turns a tag that contains text into an entity.
    fn close(&mut self, open: Open) -> Result<(), Error> {
        let Open { tag, argument, unix, offset, begin } = open;
        let length = self.units - offset;
        // What ended just now, if it covers the same text.
        let inner = self.entities.last_mut().filter(|last| last.offset == offset && last.length == length);
        let kind = match tag.as_str() {
            "b" | "strong" => Kind::Bold,
            "i" | "em" => Kind::Italic,
            "s" | "strike" | "del" => Kind::Strikethrough,
            "u" | "ins" => Kind::Underline,
            "span" | "tg-spoiler" => Kind::Spoiler,
            "tg-emoji" => match argument.parse() {
                Ok(id) if id != 0 => Kind::CustomEmoji(id),
                _ => return Err(Error::Emoji),
            },
            "tg-time" => {
                if unix <= 0 {
                    return Ok(());
                }
                Kind::DateTime { unix, format: argument }
            }
            "a" => {
                let url = if argument.is_empty() {
                    self.result.get(begin..).unwrap_or_default()
                } else {
                    &argument
                };
                match (link::user(url), link::checked(url)) {
                    (Some(user), _) => Kind::TextMention(user),
                    (None, Some(url)) => Kind::TextLink(url),
                    (None, None) => return Ok(()),
                }
            }
            "pre" => {
                if let Some(Entity { kind, .. }) = inner
                    && let Kind::Code { language } = kind
                    && !language.is_empty()
                {
                    *kind = Kind::Pre { language: std::mem::take(language) };
                    return Ok(());
                }
                Kind::Pre { language: String::new() }
            }
            "code" => {
                if let Some(Entity { kind: Kind::Pre { language }, .. }) = inner
                    && language.is_empty()
                    && !argument.is_empty()
                {
                    *language = argument;
                    return Ok(());
                }
                Kind::Code { language: argument }
            }
            "blockquote" if argument.is_empty() => Kind::Blockquote,
            _ => Kind::ExpandableBlockquote,
        };
        self.entities.push(Entity { offset, length, kind });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entity(offset: usize, length: usize, kind: Kind) -> Entity {
        Entity { offset, length, kind }
    }

    #[test]
    fn each_tag_makes_its_entity() {
        let text_link = |url: &str| Kind::TextLink(url.into());
        let pre = |language: &str| Kind::Pre { language: language.into() };
        let code = || Kind::Code { language: String::new() };
        for (html, kind) in [
            ("<b>x</b>", Kind::Bold),
            ("<STRONG>x</strong>", Kind::Bold),
            ("<b>x</>", Kind::Bold),
            ("<b >x</b >", Kind::Bold),
            ("<b class=whatever data-x='1'>x</b>", Kind::Bold),
            ("<i>x</i>", Kind::Italic),
            ("<em>x</em>", Kind::Italic),
            ("<u>x</u>", Kind::Underline),
            ("<ins>x</ins>", Kind::Underline),
            ("<s>x</s>", Kind::Strikethrough),
            ("<strike>x</strike>", Kind::Strikethrough),
            ("<del>x</del>", Kind::Strikethrough),
            ("<span class=\"tg-spoiler\">x</span>", Kind::Spoiler),
            ("<span class=tg-spoiler>x</span>", Kind::Spoiler),
            ("<tg-spoiler>x</tg-spoiler>", Kind::Spoiler),
            ("<a href=\"https://example.com/?a=1&amp;b=2\">x</a>", text_link("https://example.com/?a=1&b=2")),
            ("<a href='tg://user?id=7'>x</a>", Kind::TextMention(7)),
            (
                "<tg-emoji emoji-id=\"5368324170671202286\">x</tg-emoji>",
                Kind::CustomEmoji(5_368_324_170_671_202_286),
            ),
            ("<code>x</code>", code()),
            ("<code class=\"language-rust\">x</code>", code()),
            ("<pre>x</pre>", pre("")),
            ("<pre><code class=\"language-rust\">x</code></pre>", pre("rust")),
            ("<code class=\"language-rust\"><pre>x</pre></code>", pre("rust")),
            ("<blockquote>x</blockquote>", Kind::Blockquote),
            ("<blockquote expandable>x</blockquote>", Kind::ExpandableBlockquote),
        ] {
            let expected = Formatted { text: "x".into(), entities: vec![entity(0, 1, kind)] };
            assert_eq!(parse(html), Ok(expected), "{html}");
        }
    }

    #[test]
    fn what_is_refused_is_refused_in_telegrams_words() {
        for (html, expected) in [
            ("a<x>b</x>", "Unsupported start tag \"x\" at byte offset 1"),
            ("a <p>", "Unsupported start tag \"p\" at byte offset 2"),
            ("1 < 2", "Unsupported start tag \"\" at byte offset 2"),
            ("1<2", "Unclosed start tag at byte offset 1"),
            ("é<b", "Unclosed start tag at byte offset 2"),
            ("<br/>", "Unsupported start tag \"br/\" at byte offset 0"),
            ("<b>x", "Can't find end tag corresponding to start tag \"b\""),
            ("<b><i>x</i>", "Can't find end tag corresponding to start tag \"b\""),
            ("<b>x</i>", "Unmatched end tag at byte offset 4, expected \"</b>\", found \"</i>\""),
            ("x</b>", "Unexpected end tag at byte offset 1"),
            ("<b>x</b", "Unclosed end tag at byte offset 4"),
            ("<span>x</span>", "Tag \"span\" must have class \"tg-spoiler\" at byte offset 0"),
            ("<span class=\"red\">x</span>", "Tag \"span\" must have class \"tg-spoiler\" at byte offset 0"),
            ("<a href=\"x\"/>", "Empty attribute name in the tag \"a\" at byte offset 0"),
            ("<a =x>", "Empty attribute name in the tag \"a\" at byte offset 0"),
            ("<a href=x:y>", "Unexpected end of name token at byte offset 8"),
            ("<a href", "Unclosed start tag \"a\" at byte offset 0"),
            ("<a href=", "Unclosed start tag \"a\" at byte offset 0"),
            ("<a href=\"x", "Unclosed start tag at byte offset 0"),
            ("<tg-emoji>x</tg-emoji>", "Invalid custom emoji identifier specified"),
            (
                "&#xd83d;",
                "Text contains invalid Unicode characters after decoding HTML entities, check for unmatched surrogate code units",
            ),
        ] {
            assert_eq!(parse(html).unwrap_err().to_string(), expected, "{html}");
        }
    }

    #[test]
    fn references_are_decoded_and_what_is_none_stays() {
        for (html, expected) in [
            ("&lt;b&gt; &amp; &quot;x&quot;", "<b> & \"x\""),
            ("&lt", "<"),
            ("&#65;&#x42;&#x1F600;", "AB😀"),
            ("&nbsp;&copy;&apos;", "&nbsp;&copy;&apos;"),
            ("&&amp;lt;", "&&lt;"),
            ("a & b", "a & b"),
            ("&#0;&#x110000;", "&#0;&#x110000;"),
            ("&", "&"),
            ("&#", "&#"),
        ] {
            assert_eq!(parse(html).map(|formatted| formatted.text), Ok(expected.to_owned()), "{html}");
        }
    }

    #[test]
    fn offsets_are_in_utf_16_units() {
        let formatted = parse("😀é <b>😀</b>&lt;<i>x</i>").unwrap();
        assert_eq!(formatted.text, "😀é 😀<x");
        assert_eq!(formatted.entities, [entity(4, 2, Kind::Bold), entity(7, 1, Kind::Italic)]);
    }

    #[test]
    fn what_marks_nothing_or_leads_nowhere_is_left_out() {
        for html in
            ["<b></b>x", "<a href=\"nowhere\">x</a>", "<a href=\"http://localhost/\">x</a>", "<a>x</a>"]
        {
            assert_eq!(parse(html), Ok(Formatted { text: "x".into(), entities: vec![] }), "{html}");
        }
    }

    proptest! {
        #[test]
        fn escaped_text_comes_back(text in "[^\0]*") {
            let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let expected = Formatted { text: text.clone(), entities: vec![] };
            prop_assert_eq!(parse(&escaped), Ok(expected));
        }

        #[test]
        fn entities_lie_within_the_text(html in "(<b>|</b>|<i>|</i>|<pre>|</pre>|<a href='a.b'>|</a>|&amp;|x|😀|<|>|\")*") {
            if let Ok(formatted) = parse(&html) {
                for entity in &formatted.entities {
                    prop_assert!(entity.length > 0);
                    prop_assert!(entity.offset + entity.length <= formatted.units());
                }
            }
        }
    }
}
