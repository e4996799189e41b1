//! Files of messages.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tidegate_guest::{Fault, Saved, Wanted};

use crate::api::{self, Request};

/// Downloads files into the inbox, in this order.
pub(crate) fn fetch(wanted: &[Wanted]) -> Result<Vec<Saved>, Fault> {
    wanted
        .iter()
        .map(|file| {
            let path = api::call(&request(&file.id), path)?;
            let path = relative(&path)?;
            api::download(path, name(path, file.name.as_deref()))
        })
        .collect()
}

fn request(file: &str) -> Request {
    #[derive(Serialize)]
    struct GetFile<'a> {
        file_id: &'a str,
    }
    Request::json("getFile", &GetFile { file_id: file })
}

/// Reads `file_path` of a `File`.
fn path(result: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct File {
        file_path: String,
    }
    api::parse::<File>(Some(result)).map(|file| file.file_path)
}

/// Checks that a path can only refer to a file below the prefix that the host inserts. The token is part of the same
/// URL, so the path may contain only names of folders and of a file.
fn relative(path: &str) -> Result<&str, Fault> {
    let mut characters = path.chars();
    let (first, second) = (characters.next(), characters.next());
    if first == Some('/') || second == Some(':') {
        return Err(Fault::Rejected(
            "the Bot API server runs with --local and keeps files for itself: run it without".to_owned(),
        ));
    }
    let stray = |character: char| character.is_control() || "\\%?#:@".contains(character);
    let folder = |segment: &str| !matches!(segment, "" | "." | "..");
    if path.contains(stray) || !path.split('/').all(folder) {
        return Err(Fault::Rejected("Telegram answered with a file path that leads elsewhere".to_owned()));
    }
    Ok(path)
}

/// Returns the name that the sender gave the file, or else its name at Telegram.
fn name<'a>(path: &'a str, wanted: Option<&'a str>) -> &'a str {
    wanted.filter(|name| !name.trim().is_empty()).or_else(|| path.rsplit('/').next()).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_a_file_of_the_bots_own() {
        for path in ["photos/file_1.jpg", "documents/file 2 (a).pdf", "file", "a/b/c..d", "übung.pdf"] {
            assert_eq!(relative(path).unwrap(), path);
        }
        for path in [
            "",
            "..",
            "../secret",
            "photos/../../secret",
            "photos/./file",
            "photos//file",
            "photos/",
            "photos/%2e%2e/file",
            "photos\\..\\file",
            "photos/file?x",
            "photos/file#x",
            "https://example.org/file",
            "//example.org/file",
            "user@example.org/file",
            "a\nb",
        ] {
            assert!(matches!(relative(path), Err(Fault::Rejected(_))), "{path}");
        }
    }

    #[test]
    fn a_server_that_keeps_its_files_is_explained() {
        for path in ["/var/lib/telegram-bot-api/1:x/photos/file_1.jpg", "C:\\bot\\file_1.jpg"] {
            let Err(Fault::Rejected(text)) = relative(path) else { panic!("{path}") };
            assert!(text.contains("--local") && !text.contains("file_1"), "{text}");
        }
    }

    #[test]
    fn a_file_is_called_as_its_sender_called_it() {
        for (wanted, expected) in
            [(Some("plan.pdf"), "plan.pdf"), (Some(" "), "file_1.pdf"), (None, "file_1.pdf")]
        {
            assert_eq!(name("documents/file_1.pdf", wanted), expected);
        }
    }

    #[test]
    fn a_file_is_asked_for_by_its_id() {
        assert_eq!(request("AgAD-_x").parameters(), serde_json::json!({"file_id": "AgAD-_x"}));
        let answer = |text: &str| path(&RawValue::from_string(text.to_owned()).unwrap());
        assert_eq!(
            answer(r#"{"file_id":"x","file_size":"?","file_path":"photos/file_1.jpg"}"#).as_deref(),
            Some("photos/file_1.jpg")
        );
        assert_eq!(answer(r#"{"file_id":"x"}"#), None);
    }
}
