//! Parses a line that a person types.

use rmcp::model::{JsonObject, Tool};

use crate::settings::nearest;

/// A command of the person at the terminal.
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
    Pair(String),
    Accept,
    Deny,
}

/// What a command needs from the channels to be available.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    Nothing,
    Files,
    Edits,
    Reactions,
    Prompts,
}

/// The syntax of a command and what it does.
#[derive(Debug)]
pub(super) struct Usage {
    /// The name with its slash.
    pub(super) name: &'static str,
    /// The arguments after the name.
    pub(super) rest: &'static str,
    pub(super) about: &'static str,
    need: Need,
}

const USAGES: &[Usage] = &[
    Usage {
        name: "/pair",
        rest: "CODE",
        about: "let in the person who was given this code",
        need: Need::Nothing,
    },
    Usage { name: "/accept", rest: "", about: "say yes to the question that is open", need: Need::Nothing },
    Usage { name: "/deny", rest: "", about: "say no to it, or turn the person down", need: Need::Nothing },
    Usage { name: "/chat", rest: "ID", about: "reply to this chat from now on", need: Need::Nothing },
    Usage {
        name: "/file",
        rest: "PATH [TEXT]",
        about: "send a file (by its absolute path), with a text if you like",
        need: Need::Files,
    },
    Usage {
        name: "/edit",
        rest: "ID TEXT",
        about: "change a message that you sent (its id is in the answer to it)",
        need: Need::Edits,
    },
    Usage { name: "/react", rest: "ID EMOJI", about: "put an emoji on a message", need: Need::Reactions },
    Usage {
        name: "/ask",
        rest: "TOOL [TEXT]",
        about: "ask the people on the channels whether a tool may run, as a session does",
        need: Need::Prompts,
    },
    Usage { name: "/tools", rest: "", about: "list the tools of the session", need: Need::Nothing },
    Usage {
        name: "/call",
        rest: "NAME JSON",
        about: "call a tool yourself: /call reply {\"chat_id\": \"web\", \"text\": \"hi\"}",
        need: Need::Nothing,
    },
    Usage { name: "/help", rest: "", about: "show this list", need: Need::Nothing },
    Usage { name: "/quit", rest: "", about: "end (also Ctrl-D)", need: Need::Nothing },
];

/// The abilities of the channels of this session.
#[derive(Clone, Debug, Default)]
pub(super) struct Abilities {
    /// The names of the tools.
    pub(super) tools: Vec<String>,
    files: bool,
    /// At least one channel shows permission prompts.
    prompts: bool,
}

impl Abilities {
    pub(super) fn new(tools: &[Tool], prompts: bool) -> Self {
        let files = |tool: &Tool| {
            tool.input_schema.get("properties").is_some_and(|properties| properties.get("files").is_some())
        };
        Self {
            tools: tools.iter().map(|tool| tool.name.to_string()).collect(),
            files: tools.iter().any(files),
            prompts,
        }
    }

    fn have(&self, need: Need) -> bool {
        let tool = |name: &str| self.tools.iter().any(|tool| tool == name);
        match need {
            Need::Nothing => true,
            Need::Files => self.files,
            Need::Edits => tool("edit_message"),
            Need::Reactions => tool("react"),
            Need::Prompts => self.prompts,
        }
    }

    /// Returns the commands that these channels can carry out.
    pub(super) fn usages(&self) -> impl Iterator<Item = &'static Usage> + use<'_> {
        USAGES.iter().filter(|usage| self.have(usage.need))
    }

    /// Returns the text of `/help`.
    pub(super) fn help(&self) -> String {
        let width = USAGES.iter().map(|usage| usage.form().len()).max().unwrap_or_default() + 2;
        let line = |form: &str, about: &str| format!("{form:width$}{about}\n");
        let mut text = line("TEXT", "reply to the chat that the prompt names: the one that wrote last");
        text.extend(self.usages().map(|usage| line(&usage.form(), usage.about)));
        text + &line("//TEXT", "a reply that begins with a slash")
    }
}

impl Usage {
    /// Returns the syntax, such as `/file PATH [TEXT]`.
    pub(super) fn form(&self) -> String {
        format!("{} {}", self.name, self.rest).trim_end().to_owned()
    }
}

impl Command {
    /// Parses a line. The error says what is wrong with it.
    pub(super) fn parse(line: &str, abilities: &Abilities) -> Result<Self, String> {
        let line = line.trim();
        if let Some(text) = line.strip_prefix("//") {
            return Ok(Self::Reply(format!("/{text}")));
        }
        if !line.starts_with('/') {
            return Ok(if line.is_empty() { Self::Nothing } else { Self::Reply(line.to_owned()) });
        }
        let (name, rest) = split(line);
        let name = match name {
            "/exit" => "/quit",
            "/?" => "/help",
            name => name,
        };
        let Some(usage) = USAGES.iter().find(|usage| usage.name == name) else {
            let known = nearest(name, abilities.usages().map(|usage| usage.name));
            return Err(format!("there is no command {name}{known} (/help lists them)"));
        };
        if !abilities.have(usage.need) {
            return Err(format!("no channel here can do that ({}): /help lists what there is", usage.about));
        }
        let wrong = || Err(format!("usage: {}", usage.form()));
        let (first, second) = split(rest);
        let (given, both) = (!first.is_empty(), !second.is_empty());
        let (first, second) = (first.to_owned(), second.to_owned());
        match name {
            "/quit" => Ok(Self::Quit),
            "/tools" => Ok(Self::Tools),
            "/accept" => Ok(Self::Accept),
            "/deny" => Ok(Self::Deny),
            // A code may be typed in groups of characters, so take the whole rest.
            "/pair" if given => Ok(Self::Pair(rest.to_owned())),
            "/chat" if given => Ok(Self::Chat(first)),
            "/file" if given => Ok(Self::File(first, second)),
            "/ask" if given => Ok(Self::Permission(first, second)),
            "/edit" if both => Ok(Self::Edit(first, second)),
            "/react" if both => Ok(Self::React(first, second)),
            "/call" if both => match serde_json::from_str(&second) {
                Ok(arguments) => Ok(Self::Call(first, arguments)),
                Err(error) => Err(format!("the arguments are not a JSON object: {error}")),
            },
            "/help" => Ok(Self::Help),
            _ => wrong(),
        }
    }
}

fn split(text: &str) -> (&str, &str) {
    text.split_once(char::is_whitespace).map_or((text, ""), |(first, rest)| (first, rest.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn able() -> Abilities {
        let tools = ["reply", "edit_message", "react"].map(String::from).to_vec();
        Abilities { tools, files: true, prompts: true }
    }

    fn parse(line: &str) -> Result<Command, String> {
        Command::parse(line, &able())
    }

    #[test]
    fn lines_are_understood() {
        assert_eq!(parse("  hello there "), Ok(Command::Reply("hello there".into())));
        assert_eq!(parse("//etc"), Ok(Command::Reply("/etc".into())));
        assert_eq!(parse(""), Ok(Command::Nothing));
        assert_eq!(parse("/edit m1 a b"), Ok(Command::Edit("m1".into(), "a b".into())));
        assert_eq!(parse("/file /a.txt"), Ok(Command::File("/a.txt".into(), String::new())));
        assert_eq!(parse("/pair abc 234"), Ok(Command::Pair("abc 234".into())));
        assert_eq!(parse("/deny"), Ok(Command::Deny));
        assert!(matches!(parse("/call reply {\"a\": 1}"), Ok(Command::Call(name, _)) if name == "reply"));
    }

    #[test]
    fn mistakes_are_explained() {
        for (line, expected) in [
            ("/edit m1", "usage: /edit ID TEXT"),
            ("/reakt a b", "did you mean \"/react\"?"),
            ("/call reply [1]", "not a JSON object"),
            ("/chat", "usage: /chat ID"),
            ("/pair", "usage: /pair CODE"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(expected), "{line}: {error}");
        }
    }

    #[test]
    fn every_command_that_is_listed_is_understood() {
        for usage in USAGES {
            let line = format!("{} a {{}}", usage.name);
            assert!(parse(&line).is_ok(), "{line}");
        }
    }

    #[test]
    fn what_no_channel_can_do_is_neither_listed_nor_done() {
        let poor = Abilities { tools: vec!["reply".to_owned()], ..Abilities::default() };
        for line in ["/file /a", "/edit 1 x", "/react 1 x", "/ask Bash"] {
            let name = line.split(' ').next().unwrap();
            assert!(able().help().contains(name) && !poor.help().contains(name), "{name}");
            assert!(
                Command::parse(line, &poor).unwrap_err().contains("no channel here can do that"),
                "{line}"
            );
        }
    }
}
