//! The editor for the current line, with a history.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tui_input::{Input, InputRequest, backend::crossterm::EventHandler as _};

use super::completion::Vocabulary;

/// The number of lines in the history.
const REMEMBERED: usize = 500;

#[derive(Default)]
pub(super) struct Editor {
    input: Input,
    /// Earlier lines, the oldest first.
    history: Vec<String>,
    /// The index of the shown line of the history, and the text that was being typed before.
    recalled: Option<(usize, String)>,
    /// The candidates of the last Tab, until another key is pressed.
    pub(super) offered: Vec<String>,
}

/// The effect of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The line may have changed.
    Edited,
    /// The line is complete.
    Line(String),
    /// The person wants to quit.
    End,
    /// The screen must be cleared.
    Clear,
    /// The program must be suspended, as a shell does with Ctrl-Z.
    Suspend,
    Ignored,
}

impl Editor {
    pub(super) fn text(&self) -> &str {
        self.input.value()
    }

    /// Returns the part of the text before the cursor.
    pub(super) fn before(&self) -> &str {
        let text = self.input.value();
        let end = text.char_indices().nth(self.input.cursor()).map_or(text.len(), |(place, _)| place);
        text.get(..end).unwrap_or_default()
    }

    pub(super) fn handle(&mut self, event: &Event, vocabulary: &Vocabulary) -> Outcome {
        let key = match event {
            Event::Paste(text) => {
                self.insert(&text.replace("\r\n", "\n").replace('\r', "\n"));
                return Outcome::Edited;
            }
            Event::Resize(..) => return Outcome::Edited,
            Event::Key(key) if key.kind != KeyEventKind::Release => key,
            _ => return Outcome::Ignored,
        };
        if key.code == KeyCode::Tab {
            self.complete(vocabulary);
            return Outcome::Edited;
        }
        self.offered.clear();
        self.press(*key, event)
    }

    fn press(&mut self, key: KeyEvent, event: &Event) -> Outcome {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        match key.code {
            KeyCode::Enter if alt => self.insert("\n"),
            KeyCode::Char('j') if control => self.insert("\n"),
            KeyCode::Enter => return Outcome::Line(self.finish()),
            KeyCode::Char('c' | 'd') if control && self.text().is_empty() => return Outcome::End,
            KeyCode::Char('c') if control => self.set(String::new()),
            KeyCode::Char('d') if control => self.request(InputRequest::DeleteNextChar),
            KeyCode::Char('l') if control => return Outcome::Clear,
            KeyCode::Char('z') if control => return Outcome::Suspend,
            KeyCode::Up | KeyCode::Char('p') if control || key.code == KeyCode::Up => self.recall_earlier(),
            KeyCode::Down | KeyCode::Char('n') if control || key.code == KeyCode::Down => self.recall_later(),
            KeyCode::Char('b') | KeyCode::Left if alt => self.request(InputRequest::GoToPrevWord),
            KeyCode::Char('f') | KeyCode::Right if alt => self.request(InputRequest::GoToNextWord),
            KeyCode::Char('d') if alt => self.request(InputRequest::DeleteNextWord),
            KeyCode::Esc => {}
            _ => {
                return if self.input.handle_event(event).is_some() {
                    Outcome::Edited
                } else {
                    Outcome::Ignored
                };
            }
        }
        Outcome::Edited
    }

    fn request(&mut self, request: InputRequest) {
        self.input.handle(request);
    }

    fn insert(&mut self, text: &str) {
        let before = self.before().len();
        let mut value = self.text().to_owned();
        value.insert_str(before, text);
        let cursor = self.input.cursor() + text.chars().count();
        self.input = Input::new(value).with_cursor(cursor);
    }

    fn set(&mut self, text: String) {
        self.input = Input::new(text);
    }

    fn finish(&mut self) -> String {
        let line = self.input.value_and_reset();
        self.recalled = None;
        if !line.trim().is_empty() && self.history.last() != Some(&line) {
            self.history.push(line.clone());
            let surplus = self.history.len().saturating_sub(REMEMBERED);
            self.history.drain(..surplus);
        }
        line
    }

    fn recall_earlier(&mut self) {
        let place = self.recalled.as_ref().map_or(self.history.len(), |(place, _)| *place);
        let Some((place, line)) =
            place.checked_sub(1).and_then(|place| Some((place, self.history.get(place)?)))
        else {
            return;
        };
        let line = line.clone();
        let draft = self.recalled.take().map_or_else(|| self.text().to_owned(), |(_, draft)| draft);
        self.recalled = Some((place, draft));
        self.set(line);
    }

    fn recall_later(&mut self) {
        let Some((place, draft)) = self.recalled.take() else { return };
        match self.history.get(place + 1).cloned() {
            Some(line) => {
                self.recalled = Some((place + 1, draft));
                self.set(line);
            }
            None => self.set(draft),
        }
    }

    /// Inserts the common prefix of the candidates, and offers them if there is more than one.
    fn complete(&mut self, vocabulary: &Vocabulary) {
        let completion = vocabulary.complete(self.before());
        let [word] = completion.words.as_slice() else {
            self.extend(completion.start, completion.common());
            self.offered = completion.words;
            return;
        };
        let end = if word.ends_with('/') { "" } else { " " };
        self.extend(completion.start, &format!("{word}{end}"));
        self.offered.clear();
    }

    /// Inserts the rest of this word, whose beginning is between `start` and the cursor.
    fn extend(&mut self, start: usize, word: &str) {
        let before = self.before();
        let begun = before.get(start..).unwrap_or_default();
        if let Some(rest) = word.strip_prefix(begun) {
            let rest = rest.to_owned();
            self.insert(&rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(code: KeyCode, modifiers: KeyModifiers) -> Event {
        Event::Key(KeyEvent::new(code, modifiers))
    }

    fn plain(code: KeyCode) -> Event {
        key(code, KeyModifiers::NONE)
    }

    fn control(letter: char) -> Event {
        key(KeyCode::Char(letter), KeyModifiers::CONTROL)
    }

    fn typed(editor: &mut Editor, text: &str) {
        for letter in text.chars() {
            editor.handle(&plain(KeyCode::Char(letter)), &Vocabulary::default());
        }
    }

    fn press(editor: &mut Editor, event: &Event) -> Outcome {
        editor.handle(event, &Vocabulary::default())
    }

    #[test]
    fn a_line_is_edited_in_the_middle_and_finished() {
        let mut editor = Editor::default();
        typed(&mut editor, "hllo");
        for _ in 0..3 {
            press(&mut editor, &plain(KeyCode::Left));
        }
        typed(&mut editor, "é");
        assert_eq!((editor.before(), editor.text()), ("hé", "héllo"));
        assert_eq!(press(&mut editor, &plain(KeyCode::Enter)), Outcome::Line("héllo".into()));
        assert_eq!(editor.text(), "");
    }

    #[test]
    fn earlier_lines_come_back_and_the_draft_after_them() {
        let mut editor = Editor::default();
        for line in ["one", "two", "two"] {
            typed(&mut editor, line);
            press(&mut editor, &plain(KeyCode::Enter));
        }
        typed(&mut editor, "draft");
        let mut shown = |code| {
            press(&mut editor, &plain(code));
            editor.text().to_owned()
        };
        assert_eq!(shown(KeyCode::Up), "two");
        assert_eq!(shown(KeyCode::Up), "one");
        assert_eq!(shown(KeyCode::Up), "one");
        assert_eq!(shown(KeyCode::Down), "two");
        assert_eq!(shown(KeyCode::Down), "draft");
        assert_eq!(shown(KeyCode::Down), "draft");
    }

    #[test]
    fn a_paste_is_one_text_with_its_lines() {
        let mut editor = Editor::default();
        typed(&mut editor, "<>");
        press(&mut editor, &plain(KeyCode::Left));
        press(&mut editor, &Event::Paste("a\r\nb\rc".into()));
        assert_eq!(editor.text(), "<a\nb\nc>");
        assert_eq!(editor.before(), "<a\nb\nc");
    }

    #[test]
    fn control_c_empties_a_line_and_ends_an_empty_one() {
        let mut editor = Editor::default();
        typed(&mut editor, "x");
        assert_eq!(press(&mut editor, &control('c')), Outcome::Edited);
        assert_eq!(editor.text(), "");
        assert_eq!(press(&mut editor, &control('c')), Outcome::End);
        assert_eq!(press(&mut editor, &control('d')), Outcome::End);
    }

    #[test]
    fn tab_adds_what_is_certain_and_offers_the_rest() {
        let vocabulary = Vocabulary { chats: vec!["dm-1".into(), "dm-2".into()], ..Vocabulary::default() };
        let mut editor = Editor::default();
        typed(&mut editor, "/ch");
        editor.handle(&plain(KeyCode::Tab), &vocabulary);
        assert_eq!(editor.text(), "/chat ");
        editor.handle(&plain(KeyCode::Tab), &vocabulary);
        assert_eq!((editor.text(), editor.offered.len()), ("/chat dm-", 2));
        typed(&mut editor, "2");
        assert_eq!(editor.offered.len(), 0);
        editor.handle(&plain(KeyCode::Tab), &vocabulary);
        assert_eq!(editor.text(), "/chat dm-2 ");
    }
}
