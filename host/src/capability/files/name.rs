//! Safe and unique names of files.

use std::io;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::clock;

/// The longest name of a file, in bytes; file systems allow 255.
const NAME: usize = 120;

/// Returns a name that is safe to create and unique: the time, random bytes, and the safe part of `name`.
pub(super) fn unique(name: &str) -> io::Result<String> {
    let mut nonce = [0; 4];
    getrandom::fill(&mut nonce).map_err(io::Error::other)?;
    Ok(format!("{}-{:08x}-{}", clock::now(), u32::from_ne_bytes(nonce), safe_name(name)))
}

/// Returns the safe part of a name that comes from others: no path, no invisible characters, and nothing that a shell,
/// a browser or a file system interprets.
pub fn safe_name(name: &str) -> String {
    let base = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = base
        .chars()
        .map(|character| match character {
            character if character.is_alphanumeric() => character,
            '-' | '_' | '.' | ' ' | '(' | ')' | '+' | ',' | '@' => character,
            _ => '_',
        })
        .collect();
    let clean = clean.trim_start_matches(['.', ' ', '-']).trim_end_matches([' ', '.']);
    let (stem, extension) = match clean.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() && extension.len() <= 12 => (stem, extension),
        _ => (clean, ""),
    };
    let room = NAME - extension.len() - 1;
    let stem = stem.get(..stem.floor_char_boundary(room)).unwrap_or_default();
    match (stem, extension) {
        ("", _) => "file".to_owned(),
        (stem, "") => stem.to_owned(),
        (stem, extension) => format!("{stem}.{extension}"),
    }
}

/// Guesses the media type from the extension of a name.
pub fn media_type(name: &str) -> String {
    mime_guess::from_path(name).first_or_octet_stream().to_string()
}

const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Percent-encodes one segment of a path.
pub fn percent_encode(segment: &str) -> String {
    utf8_percent_encode(segment, PLAIN).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_what_makes_them_dangerous() {
        for (name, safe) in [
            ("photo.png", "photo.png"),
            ("../../etc/passwd", "passwd"),
            ("C:\\temp\\a b.txt", "a b.txt"),
            (".bashrc", "bashrc"),
            ("-rf", "rf"),
            ("", "file"),
            ("..", "file"),
            ("a\u{202e}gnp.exe", "a_gnp.exe"),
            ("new\nline<b>.md", "new_line_b_.md"),
            ("übung.pdf", "übung.pdf"),
        ] {
            assert_eq!(safe_name(name), safe, "{name:?}");
        }
        let long = safe_name(&format!("{}.jpeg", "ä".repeat(300)));
        assert!(long.len() <= NAME && long.get(long.len() - 5..) == Some(".jpeg"), "{long}");
    }
}
