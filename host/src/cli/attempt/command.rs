use rmcp::model::JsonObject;

use crate::settings::nearest;

/// What the person at the terminal wants.
#[derive(Debug, PartialEq)]
pub(super) enum Command {
    Nothing,
    Quit,
    Help,
    Tools,
    Chat(String),
    Reply(String),
    File(String, String),
    Edit(String, String),
    React(String, String),
    Permission(String, String),
    Call(String, JsonObject),
}

pub(super) const HELP: &str = "\
TEXT                 reply to whoever wrote last
/file PATH [TEXT]    send a file (by its absolute path), with a text if you like
/edit ID TEXT        change a message that you sent (its id is in the answer to it)
/react ID EMOJI      put an emoji on a message
/chat ID             reply to this chat from now on
/ask TOOL [TEXT]     ask whoever may decide whether a tool may run, as a session does
/tools               which tools the session has
/call NAME JSON      call a tool yourself: /call reply {\"chat_id\": \"web\", \"text\": \"hi\"}
/quit                end (also Ctrl-D)
//TEXT               a reply that begins with a slash
";

const NAMES: [&str; 9] = ["/file", "/edit", "/react", "/chat", "/ask", "/tools", "/call", "/help", "/quit"];

impl Command {
    /// Understands a line, or says what is wrong with it.
    pub(super) fn parse(line: &str) -> Result<Self, String> {
        let line = line.trim();
        if let Some(text) = line.strip_prefix("//") {
            return Ok(Self::Reply(format!("/{text}")));
        }
        if !line.starts_with('/') {
            return Ok(if line.is_empty() { Self::Nothing } else { Self::Reply(line.to_owned()) });
        }
        let (name, rest) = split(line);
        let (first, second) = split(rest);
        let both = |usage: &str| match (first, second) {
            ("", _) | (_, "") => Err(format!("usage: {usage}")),
            (first, second) => Ok((first.to_owned(), second.to_owned())),
        };
        match name {
            "/quit" | "/exit" => Ok(Self::Quit),
            "/help" | "/?" => Ok(Self::Help),
            "/tools" => Ok(Self::Tools),
            "/chat" if !first.is_empty() => Ok(Self::Chat(first.to_owned())),
            "/chat" => Err("usage: /chat ID".to_owned()),
            "/file" if !first.is_empty() => Ok(Self::File(first.to_owned(), second.to_owned())),
            "/file" => Err("usage: /file PATH [TEXT]".to_owned()),
            "/ask" if !first.is_empty() => Ok(Self::Permission(first.to_owned(), second.to_owned())),
            "/ask" => Err("usage: /ask TOOL [TEXT]".to_owned()),
            "/edit" => both("/edit ID TEXT").map(|(id, text)| Self::Edit(id, text)),
            "/react" => both("/react ID EMOJI").map(|(id, emoji)| Self::React(id, emoji)),
            "/call" => {
                let (tool, arguments) = both("/call NAME JSON")?;
                match serde_json::from_str(&arguments) {
                    Ok(arguments) => Ok(Self::Call(tool, arguments)),
                    Err(error) => Err(format!("the arguments are not a JSON object: {error}")),
                }
            }
            unknown => {
                Err(format!("there is no command {unknown}{} (/help lists them)", nearest(unknown, NAMES)))
            }
        }
    }
}

fn split(text: &str) -> (&str, &str) {
    text.split_once(char::is_whitespace).map_or((text, ""), |(first, rest)| (first, rest.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_understood() {
        assert_eq!(Command::parse("  hello there "), Ok(Command::Reply("hello there".into())));
        assert_eq!(Command::parse("//etc"), Ok(Command::Reply("/etc".into())));
        assert_eq!(Command::parse(""), Ok(Command::Nothing));
        assert_eq!(Command::parse("/edit m1 a b"), Ok(Command::Edit("m1".into(), "a b".into())));
        assert_eq!(Command::parse("/file /a.txt"), Ok(Command::File("/a.txt".into(), String::new())));
        assert!(
            matches!(Command::parse("/call reply {\"a\": 1}"), Ok(Command::Call(name, _)) if name == "reply")
        );
    }

    #[test]
    fn mistakes_are_explained() {
        for (line, expected) in [
            ("/edit m1", "usage: /edit ID TEXT"),
            ("/reakt a b", "did you mean \"/react\"?"),
            ("/call reply [1]", "not a JSON object"),
            ("/chat", "usage: /chat ID"),
        ] {
            let error = Command::parse(line).unwrap_err();
            assert!(error.contains(expected), "{line}: {error}");
        }
    }
}
