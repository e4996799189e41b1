//! A client's dialogs, and the keys that answer them.

use serde::Deserialize;

/// A dialog of a client, and the answer that a person would choose.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dialog {
    /// A text that identifies the dialog on the screen.
    pub(crate) shows: String,
    /// The beginning of the option to choose. Without one, the answer is Enter.
    pub(crate) choose: Option<String>,
}

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Up,
    Down,
    Enter,
}

impl Key {
    /// Returns the bytes that a terminal sends for it.
    pub(crate) fn bytes(self) -> &'static [u8] {
        match self {
            Self::Up => b"\x1b[A",
            Self::Down => b"\x1b[B",
            Self::Enter => b"\r",
        }
    }
}

/// Returns the open dialog: the one whose text is lowest on the screen.
pub(crate) fn open<'a>(dialogs: &'a [Dialog], screen: &str) -> Option<&'a Dialog> {
    let place = |dialog: &Dialog| screen.rfind(&dialog.shows);
    dialogs.iter().filter(|dialog| place(dialog).is_some()).max_by_key(|dialog| place(dialog))
}

impl Dialog {
    /// Returns the next key towards the answer; `None` while the option or the cursor is not on the screen.
    pub(crate) fn key(&self, screen: &str, cursor: &str) -> Option<Key> {
        let Some(choose) = &self.choose else { return Some(Key::Enter) };
        let lines: Vec<&str> = screen.lines().collect();
        let start = lines.iter().rposition(|line| line.contains(&self.shows))?;
        let lines = lines.get(start..)?;
        let target = lines.iter().position(|line| option(line, cursor).starts_with(choose.as_str()))?;
        let now = lines.iter().position(|line| line.trim_start().starts_with(cursor))?;
        Some(match target.cmp(&now) {
            std::cmp::Ordering::Less => Key::Up,
            std::cmp::Ordering::Greater => Key::Down,
            std::cmp::Ordering::Equal => Key::Enter,
        })
    }
}

/// Returns the line with the cursor.
pub(crate) fn cursor_line<'a>(screen: &'a str, cursor: &str) -> Option<&'a str> {
    screen.lines().rev().find(|line| line.trim_start().starts_with(cursor))
}

/// Returns a line without the cursor and without the number that some options have.
fn option<'a>(line: &'a str, cursor: &str) -> &'a str {
    let line = line.trim_start();
    let line = line.strip_prefix(cursor).unwrap_or(line).trim_start();
    match line.split_once(". ") {
        Some((number, rest)) if number.bytes().all(|byte| byte.is_ascii_digit()) => rest.trim_start(),
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::description::Description;

    const TRUST: &str = "\
─────────────────────────────────────────
 Accessing workspace:

 /work/project

 Quick safety check: Is this a project you created or one you trust?

 ❯ No, exit
   Yes, I trust this folder

 Enter to confirm · Esc to cancel";

    const SERVER: &str = "\
─────────────────────────────────────────
  New MCP server found in this project: telegram

    Use this MCP server
    Use this and all future MCP servers in this project
  ❯ Continue without using this MCP server

  Enter to confirm · Esc to cancel";

    const SERVERS: &str = "\
  2 new MCP servers found in this project
  Select any you wish to enable.
  ❯ [✔] fakechat
    [✔] telegram
    Enable selected
  Space to select · Esc to reject all";

    const SERVERS_BEFORE: &str = "\
  2 new MCP servers found in this project
  Select any you wish to enable.
  ❯ [✔] fakechat
    [✔] telegram
  Space to select · Enter to confirm · Esc to reject all";

    const KEY: &str = "\
  Detected a custom API key in your environment

  Do you want to use this API key?

    1. Yes
  ❯ 2. No (recommended)";

    const DEVELOPMENT: &str = "\
  WARNING: Loading development channels

  ❯ 1. I am using this for local development
    2. Exit";

    const PROMPT: &str = "\
 ▝▝   ▝▝   /work/project
─────────────────────────────────────────
❯
─────────────────────────────────────────
  ⏵⏵ auto mode on (shift+tab to cycle) · ← for agents";

    fn claude() -> Description {
        Description::read(None).unwrap()["claude-code"].clone()
    }

    fn key(screen: &str) -> Option<Key> {
        let claude = claude();
        open(&claude.dialogs, screen)?.key(screen, &claude.interactive.cursor)
    }

    /// Returns the same screen with the cursor one line further up or down.
    fn moved(screen: &str, key: Key) -> String {
        let mut lines: Vec<String> = screen.lines().map(str::to_owned).collect();
        let at = lines.iter().position(|line| line.contains('❯')).unwrap();
        let to = if key == Key::Up { at - 1 } else { at + 1 };
        lines[at] = lines[at].replace('❯', " ");
        let text = lines[to].split_off("  ".len());
        lines[to] = format!("  ❯ {}", text.trim_start());
        lines.join("\n")
    }

    #[test]
    fn each_dialog_of_claude_code_is_answered_as_a_person_would() {
        for (screen, keys, chosen) in [
            (TRUST, vec![Key::Down], "Yes, I trust this folder"),
            (SERVER, vec![Key::Up, Key::Up], "Use this MCP server"),
            (SERVERS, vec![Key::Down, Key::Down], "Enable selected"),
            (SERVERS_BEFORE, vec![], "[✔] fakechat"),
            (KEY, vec![Key::Up], "1. Yes"),
            (DEVELOPMENT, vec![], "1. I am using this for local development"),
        ] {
            let mut screen = screen.to_owned();
            for expected in keys {
                assert_eq!(key(&screen), Some(expected), "{screen}");
                screen = moved(&screen, expected);
            }
            assert_eq!(key(&screen), Some(Key::Enter), "{screen}");
            let line = screen.lines().find(|line| line.contains('❯')).unwrap();
            assert_eq!(line.trim_start().trim_start_matches("❯ "), chosen);
        }
    }

    #[test]
    fn a_dialog_without_options_takes_enter() {
        assert_eq!(key(" Security notes:\n\n Press Enter to continue…"), Some(Key::Enter));
    }

    #[test]
    fn the_prompt_is_no_dialog_and_is_known_as_ready() {
        assert_eq!(key(PROMPT), None);
        let ready = claude().interactive.ready;
        assert!(ready.iter().any(|text| PROMPT.contains(text.as_str())));
        for screen in [TRUST, SERVER, SERVERS, SERVERS_BEFORE, KEY, DEVELOPMENT] {
            assert!(!ready.iter().any(|text| screen.contains(text.as_str())), "{screen}");
        }
    }

    #[test]
    fn of_two_dialogs_the_lower_one_is_open() {
        assert_eq!(key(&format!("{TRUST}\n{SERVER}")), Some(Key::Up));
        assert_eq!(key(&format!("{SERVER}\n{TRUST}")), Some(Key::Down));
    }

    #[test]
    fn a_dialog_that_is_not_drawn_to_its_end_is_waited_for() {
        let (above, _) = TRUST.split_once("   Yes").unwrap();
        assert_eq!(key(above), None);
        assert_eq!(key(&TRUST.replace('❯', " ")), None);
    }
}
