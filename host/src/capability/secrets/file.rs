//! The file with a channel's secrets: one `NAME=value` per line, as the official plugins write it.

use std::{collections::BTreeMap, fs, io, path::Path};

use crate::atomic_file::{self, Readers};

/// Returns the values by name, without the quotes around them.
pub(super) fn parse(text: &str) -> BTreeMap<&str, &str> {
    text.lines()
        .filter_map(|line| {
            let (name, value) = assignment(line)?;
            let bare =
                ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
            Some((name, bare.unwrap_or(value)))
        })
        .collect()
}

fn assignment(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
    (!name.starts_with('#')).then_some((name.trim(), value.trim()))
}

/// Returns the text of the file, which is empty if the file does not exist.
pub(super) fn read(path: &Path) -> io::Result<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        other => other,
    }
}

/// Sets these values and keeps all other lines. A reader sees either the old file or the new one, and only the user can
/// read it.
pub(super) fn write(path: &Path, values: &BTreeMap<String, String>) -> io::Result<()> {
    atomic_file::replace(path, with(&read(path)?, values).as_bytes(), Readers::User)
}

fn with(text: &str, values: &BTreeMap<String, String>) -> String {
    let kept =
        text.lines().filter(|line| assignment(line).is_none_or(|(name, _)| !values.contains_key(name)));
    let new = values.iter().map(|(name, value)| format!("{name}={value}"));
    kept.map(str::to_owned).chain(new).map(|line| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_official_plugins_is_understood() {
        let values = parse("# a comment\nA=1:x=y\n export B=\"two words\" \n#C=3\nD='4'\nE=\nnonsense\n");
        assert_eq!(values["A"], "1:x=y");
        assert_eq!(values["B"], "two words");
        assert_eq!(values["D"], "4");
        assert_eq!(values["E"], "");
        assert_eq!(values.len(), 4);
    }

    #[test]
    fn what_else_is_in_the_file_stays() {
        let new = [("A".to_owned(), "2".to_owned()), ("B".to_owned(), "3".to_owned())].into();
        assert_eq!(with("# mine\nexport A=1\nC=x", &new), "# mine\nC=x\nA=2\nB=3\n");
        assert_eq!(with("", &new), "A=2\nB=3\n");
    }

    #[test]
    fn only_the_user_can_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".env");
        fs::write(&path, "A=1\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        write(&path, &[("A".to_owned(), "2".to_owned())].into()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "A=2\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
