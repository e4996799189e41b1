//! Completes a line with the Tab key.

use std::path::Path;

use super::command::Abilities;

/// The words that can complete a line, besides the names of commands.
#[derive(Clone, Debug, Default)]
pub(super) struct Vocabulary {
    pub(super) abilities: Abilities,
    /// Chats from which messages came, the latest first.
    pub(super) chats: Vec<String>,
    /// The ids of messages that were sent from here, the latest first.
    pub(super) sent: Vec<String>,
    /// The ids of messages that were received, the latest first.
    pub(super) received: Vec<String>,
}

/// The candidates that may replace the last word.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Completion {
    /// The byte offset in the line where the last word begins.
    pub(super) start: usize,
    /// Whole words, none of them empty.
    pub(super) words: Vec<String>,
}

/// The largest number of files to offer.
const FILES: usize = 100;

impl Vocabulary {
    /// Returns the candidates for the end of this line.
    pub(super) fn complete(&self, line: &str) -> Completion {
        let start = line.rfind(char::is_whitespace).map_or(0, |place| place + 1);
        let (before, word) = line.split_at(start);
        let mut given = before.split_whitespace();
        let begins = |words: &[String]| -> Vec<String> {
            words.iter().filter(|candidate| candidate.starts_with(word)).cloned().collect()
        };
        let words = match (given.next(), given.next()) {
            (None, _) if word.starts_with('/') => {
                let names = self.abilities.usages().map(|usage| usage.name);
                names.filter(|name| name.starts_with(word)).map(String::from).collect()
            }
            (Some("/chat"), None) => begins(&self.chats),
            (Some("/edit"), None) => begins(&self.sent),
            (Some("/react"), None) => begins(&self.received),
            (Some("/call"), None) => begins(&self.abilities.tools),
            (Some("/file"), None) => files(word),
            _ => Vec::new(),
        };
        Completion { start, words }
    }

    /// Returns the syntax of the command that this line begins with.
    pub(super) fn hint(&self, line: &str) -> Option<String> {
        let name = line.split_whitespace().next().filter(|name| name.starts_with('/'))?;
        let usage = self.abilities.usages().find(|usage| usage.name == name)?;
        Some(format!("{}  {}", usage.form(), usage.about))
    }
}

impl Completion {
    /// Returns the longest common prefix of all words.
    pub(super) fn common(&self) -> &str {
        let Some((first, others)) = self.words.split_first() else { return "" };
        let mut end = first.len();
        for other in others {
            let alike =
                first.char_indices().zip(other.chars()).take_while(|((_, left), right)| left == right);
            end = end.min(alike.last().map_or(0, |((place, letter), _)| place + letter.len_utf8()));
        }
        first.get(..end).unwrap_or_default()
    }
}

/// Returns the files and folders whose path begins like this. Folders end with a slash. Hidden files are omitted unless
/// the name begins with a dot.
fn files(begun: &str) -> Vec<String> {
    let (folder, name) = begun.rsplit_once('/').map_or(("", begun), |(folder, name)| (folder, name));
    let shown = if begun.contains('/') { format!("{folder}/") } else { String::new() };
    let Ok(entries) = std::fs::read_dir(if shown.is_empty() { Path::new(".") } else { Path::new(&shown) })
    else {
        return Vec::new();
    };
    let found = entries.filter_map(Result::ok).filter_map(|entry| {
        let file = entry.file_name().into_string().ok()?;
        let wanted = file.starts_with(name) && (!file.starts_with('.') || name.starts_with('.'));
        let is_folder = wanted && entry.path().is_dir();
        wanted.then(|| format!("{shown}{file}{}", if is_folder { "/" } else { "" }))
    });
    let mut found: Vec<String> = found.take(FILES).collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vocabulary() -> Vocabulary {
        Vocabulary {
            chats: vec!["web".into(), "dm-7".into()],
            sent: vec!["m2".into()],
            ..Vocabulary::default()
        }
    }

    fn words(line: &str) -> Vec<String> {
        vocabulary().complete(line).words
    }

    #[test]
    fn commands_chats_and_messages_are_completed() {
        assert_eq!(words("/de"), ["/deny"]);
        assert_eq!(words("/chat "), ["web", "dm-7"]);
        assert_eq!(words("/chat w"), ["web"]);
        assert_eq!(words("/edit "), ["m2"]);
        for plain in ["", "hello /de", "/edit m2 m", "/fi"] {
            assert_eq!(words(plain), Vec::<String>::new(), "{plain:?}");
        }
    }

    #[test]
    fn paths_are_completed() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["picture.png", "pictures", ".hidden"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        std::fs::create_dir(folder.path().join("plain")).unwrap();
        let path = |name: &str| format!("{}/{name}", folder.path().display());
        let completion = vocabulary().complete(&format!("/file {}", path("pi")));
        assert_eq!(completion.words, [path("picture.png"), path("pictures")]);
        assert_eq!(completion.common(), path("picture"));
        assert_eq!(vocabulary().complete(&format!("/file {}", path("pl"))).words, [path("plain/")]);
        assert_eq!(vocabulary().complete("/file /no/such/folder/x").words, Vec::<String>::new());
    }

    #[test]
    fn what_words_have_in_common_ends_between_letters() {
        for (words, common) in
            [(&["é1", "é2"][..], "é"), (&["é", "è"], ""), (&["ab", "abc"], "ab"), (&[], "")]
        {
            let completion =
                Completion { start: 0, words: words.iter().map(|word| (*word).to_owned()).collect() };
            assert_eq!(completion.common(), common);
        }
    }
}
