//! `multipart/form-data`, encoded as browsers do it (RFC 7578, and the WHATWG's HTML standard for quoted values).

use std::fmt::Write as _;

/// The line break after each part's content.
pub(super) const BREAK: &str = "\r\n";

/// Returns a boundary that no content contains: 128 random bits.
pub(super) fn boundary() -> Result<String, getrandom::Error> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)?;
    Ok(format!("tidegate{:032x}", u128::from_ne_bytes(random)))
}

/// Returns the media type of the body.
pub(super) fn media_type(boundary: &str) -> String {
    format!("multipart/form-data; boundary={boundary}")
}

/// Returns what precedes a part's content. The error names the field that cannot be written.
pub(super) fn head(
    boundary: &str,
    name: &str,
    filename: Option<&str>,
    media_type: Option<&str>,
) -> Result<String, &'static str> {
    let mut head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"", quoted(name));
    if let Some(filename) = filename {
        let _ = write!(head, "; filename=\"{}\"", quoted(filename));
    }
    if let Some(media_type) = media_type {
        if !media_type.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err("media type");
        }
        let _ = write!(head, "\r\nContent-Type: {media_type}");
    }
    head.push_str("\r\n\r\n");
    Ok(head)
}

/// Returns the line after the last part.
pub(super) fn end(boundary: &str) -> String {
    format!("--{boundary}--\r\n")
}

/// Percent-encodes quotes and line breaks, as browsers do, and replaces other control characters.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("%22"),
            '\r' => quoted.push_str("%0D"),
            '\n' => quoted.push_str("%0A"),
            character if character.is_control() => quoted.push('_'),
            character => quoted.push(character),
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_part_begins_as_browsers_begin_it() {
        assert_eq!(
            head("b", "photo", Some("ein Bild.png"), Some("image/png")).unwrap(),
            "--b\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"ein Bild.png\"\r\nContent-Type: image/png\r\n\r\n"
        );
        assert_eq!(
            head("b", "x", None, None).unwrap(),
            "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n"
        );
        assert_eq!(head("b", "x", None, Some("text/plain\r\nX: y")), Err("media type"));
        assert_ne!(boundary().unwrap(), boundary().unwrap());
    }

    proptest! {
        #[test]
        fn no_name_ends_its_quotes_or_its_line(name: String, filename in "[\"\r\n;=a\\\\\0]*") {
            let head = head("b", &name, Some(&filename), None).unwrap();
            prop_assert_eq!(head.matches("\r\n").count(), 3);
            prop_assert_eq!(head.matches(['\r', '\n']).count(), 6);
            prop_assert_eq!(head.matches('"').count(), 4);
        }
    }
}
