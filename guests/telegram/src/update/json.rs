//! JSON whose members are parsed only on access.
//!
//! A field that is not used, or has another type than expected, causes no error: it counts as missing. Only the
//! outermost object has to be well-formed.

use std::{borrow::Cow, fmt, str};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// A well-formed value in its original spelling.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value<'a>(&'a str);

impl<'a> Value<'a> {
    /// Returns a string. A lone surrogate becomes U+FFFD, which has the same length in UTF-16, so offsets into the text
    /// stay valid.
    pub(super) fn text(self) -> Option<Cow<'a, str>> {
        let inside = self.0.strip_prefix('"')?.strip_suffix('"')?;
        if !inside.contains('\\') {
            return Some(Cow::Borrowed(inside));
        }
        let text = serde_json::from_str(self.0).or_else(|_| serde_json::from_str(&mended(self.0)));
        text.ok().map(Cow::Owned)
    }

    /// Returns a number in its original spelling.
    pub(super) fn number(self) -> Option<&'a str> {
        self.0.starts_with(|first: char| first == '-' || first.is_ascii_digit()).then_some(self.0)
    }

    /// Returns a number without a fraction or an exponent, of 64 bits at most.
    pub(super) fn integer(self) -> Option<i64> {
        self.0.parse().ok()
    }

    pub(super) fn object(self) -> Option<Object<'a>> {
        Object::parse(self.0)
    }

    /// Returns the members of a list; an empty list if the value is not a list.
    pub(super) fn list(self) -> Vec<Self> {
        let list: Vec<&RawValue> = serde_json::from_str(self.0).unwrap_or_default();
        list.into_iter().map(|value| Value(value.get())).collect()
    }
}

/// Replaces the escapes of lone surrogates in a string's spelling.
fn mended(spelled: &str) -> String {
    let mut mended = String::with_capacity(spelled.len());
    let mut rest = spelled;
    while let Some((before, escape)) = rest.find('\\').and_then(|at| rest.split_at_checked(at)) {
        mended.push_str(before);
        let pair = escape.split_at_checked(6).map(|(first, next)| (surrogate(first), surrogate(next)));
        let (kept, dropped) = match pair {
            Some((Some(Surrogate::High), Some(Surrogate::Low))) => (12, 0),
            Some((Some(_), _)) => (0, 6),
            _ => (2, 0),
        };
        if dropped > 0 {
            mended.push(char::REPLACEMENT_CHARACTER);
        }
        mended.push_str(escape.get(..kept).unwrap_or_default());
        rest = escape.get(kept + dropped..).unwrap_or_default();
    }
    mended.push_str(rest);
    mended
}

#[derive(Clone, Copy)]
enum Surrogate {
    High,
    Low,
}

/// Returns the surrogate whose escape begins this text.
fn surrogate(text: &str) -> Option<Surrogate> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    match u16::from_str_radix(digits, 16).ok()? {
        0xd800..=0xdbff => Some(Surrogate::High),
        0xdc00..=0xdfff => Some(Surrogate::Low),
        _ => None,
    }
}

/// An object whose members are found by name. Of duplicate names the last one counts; `null` counts as missing.
#[derive(Debug, Default)]
pub(super) struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Object<'a> {
    /// Parses a text that consists of one object.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    pub(super) fn get(&self, name: &str) -> Option<Value<'a>> {
        let (_, value) = self.0.iter().rev().find(|(key, _)| key == name)?;
        (value.get() != "null").then(|| Value(value.get()))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Returns a string, if it is not empty.
    pub(super) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name)?.text().filter(|text| !text.is_empty())
    }

    pub(super) fn number(&self, name: &str) -> Option<&'a str> {
        self.get(name)?.number()
    }

    pub(super) fn integer(&self, name: &str) -> Option<i64> {
        self.get(name)?.integer()
    }

    /// Returns whether the value is literally `true`.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.0 == "true")
    }

    pub(super) fn object(&self, name: &str) -> Option<Self> {
        self.get(name)?.object()
    }

    pub(super) fn list(&self, name: &str) -> Vec<Value<'a>> {
        self.get(name).map(Value::list).unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some((Name(name), value)) = map.next_entry()? {
                    members.push((name, value));
                }
                Ok(Object(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// A member's name; empty if it is not valid text, as with lone surrogates.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl<'de> Visitor<'de> for Bytes {
            type Value = Name<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a name")
            }

            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(str::from_utf8(bytes).unwrap_or_default())))
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(str::from_utf8(bytes).unwrap_or_default().to_owned())))
            }
        }

        deserializer.deserialize_bytes(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;

    fn text(spelled: &str) -> Option<String> {
        Value(spelled).text().map(Cow::into_owned)
    }

    #[test]
    fn a_field_of_another_type_is_as_good_as_missing() {
        let object = Object::parse(
            r#" { "n": 9007199254740993, "f": 1.0, "e": 1e999, "s": "x", "z": null, "t": true,
                  "l": [1, 2], "o": {"a": 1} } "#,
        )
        .unwrap();
        assert_eq!(object.integer("n"), Some(9_007_199_254_740_993));
        for other in ["f", "e", "s", "z", "t", "l", "o", "none"] {
            assert_eq!(object.integer(other), None, "{other}");
        }
        assert_eq!(object.number("f"), Some("1.0"));
        assert_eq!(object.number("e"), Some("1e999"));
        assert_eq!(object.number("s"), None);
        for other in ["n", "z", "t", "l", "o", "none"] {
            assert_eq!(object.text(other), None, "{other}");
            assert!(object.object(other).is_none() || other == "o");
            assert!(object.list(other).is_empty() || other == "l");
        }
        assert!(object.flag("t") && !object.flag("n") && !object.flag("none"));
        assert!(object.has("f") && !object.has("z"));
        assert_eq!(object.list("l").len(), 2);
    }

    #[test]
    fn odd_objects_are_read_as_far_as_they_go() {
        let object = Object::parse(r#"{"a":1,"a":2,"\u0062":3,"\ud800":4,"c\\":5}"#).unwrap();
        assert_eq!(object.integer("a"), Some(2));
        assert_eq!(object.integer("b"), Some(3));
        assert_eq!(object.integer("c\\"), Some(5));
        for text in ["", "[]", "7", "null", "{", "{}x", r#"{"a":}"#, "{\"a\":\"\n\"}"] {
            assert!(Object::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn lone_surrogates_are_replaced_and_nothing_else() {
        for (spelled, expected) in [
            (r#""plain""#, "plain"),
            (r#""\ud83d\ude00""#, "😀"),
            (r#""a\ud83dz""#, "a\u{fffd}z"),
            (r#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
            (r#""\ud83d\\ude00""#, "\u{fffd}\\ude00"),
            (r#""\\ud83d\n\ud83d""#, "\\ud83d\n\u{fffd}"),
            (r#""\uD83D\"\u00e9é😀""#, "\u{fffd}\"éé😀"),
        ] {
            assert_eq!(text(spelled).as_deref(), Some(expected), "{spelled}");
        }
        assert_eq!(text("7"), None);
    }

    proptest! {
        #[test]
        fn escapes_mean_what_utf_16_says(units: Vec<u16>) {
            let mut spelled = String::from("\"");
            for unit in &units {
                write!(spelled, "\\u{unit:04x}").unwrap();
            }
            spelled.push('"');
            prop_assert_eq!(text(&spelled).unwrap(), String::from_utf16_lossy(&units));
        }

        #[test]
        fn what_serde_reads_is_read_the_same(expected: String) {
            let spelled = serde_json::to_string(&expected).unwrap();
            prop_assert_eq!(text(&spelled).unwrap(), expected.clone());
            prop_assert_eq!(mended(&spelled), spelled);
        }
    }
}
