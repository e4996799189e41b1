//! Parses the channel options on a command line of Claude Code.
//!
//! The client's parser knows every option. This one knows only the options that take a value ([`WITH_VALUE`]), so that
//! it does not mistake such a value for an option: `--append-system-prompt -p` does not select print mode. An option
//! that is not on the list counts as one without a value. If it does have a value, and the value looks like `-p`, the
//! session counts as one that receives no messages, and its user is told. The opposite mistake would lose messages. The
//! same happens for a value that contains ` -p ` if the system gives the command line as one text (`ps`).

use std::fmt;

use super::plugin::plugin_of;

pub(super) const CHANNELS: &str = "--channels";
pub(super) const DEVELOPMENT: &str = "--dangerously-load-development-channels";

/// Options whose value is the next argument, even one that begins with a hyphen. From the client's `--help` and its
/// documentation. Excludes the options of [`FORMATS`], whose values matter, and options with an optional value: the
/// client does not use an argument that begins with a hyphen as such a value.
const WITH_VALUE: [&str; 36] = [
    "--add-dir",
    "--agent",
    "--agents",
    "--allowed-tools",
    "--allowedTools",
    "--append-system-prompt",
    "--append-system-prompt-file",
    "--autocompact",
    "--betas",
    "--debug-file",
    "--disallowed-tools",
    "--disallowedTools",
    "--effort",
    "--environment",
    "--fallback-model",
    "--file",
    "--json-schema",
    "--max-budget-usd",
    "--max-turns",
    "--mcp-config",
    "--model",
    "--name",
    "--permission-mode",
    "--permission-prompt-tool",
    "--permission-prompts",
    "--plugin-dir",
    "--plugin-url",
    "--remote-control-session-name-prefix",
    "--session-id",
    "--setting-sources",
    "--settings",
    "--system-prompt",
    "--system-prompt-file",
    "--system-prompt-snapshot",
    "--teammate-mode",
    "--tools",
];

/// Options of print mode. A program that controls the client passes `stream-json`, often without `--print`.
const FORMATS: [&str; 2] = ["--input-format", "--output-format"];

/// The parts of a command line that decide about channels.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct CommandLine<'a> {
    channels: Vec<Entry<'a>>,
    development: Vec<Entry<'a>>,
    /// True for print mode or a session of the SDK, where no user can answer a dialog.
    pub(super) print: bool,
}

/// The option that an entry belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flag {
    Channels,
    Development,
}

/// A server that the session was started with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry<'a> {
    /// A server by the name under which it is configured.
    Server(&'a str),
    /// A plugin by its name and its marketplace.
    Plugin(&'a str, &'a str),
}

impl<'a> CommandLine<'a> {
    /// Parses the arguments after Claude Code's program or script. After `--` there are no options.
    pub(super) fn parse(arguments: &'a [String]) -> Self {
        let mut line = Self::default();
        // The option whose list continues. It takes all arguments until the next one that begins with a hyphen. With
        // `=` it takes only that text.
        let mut open = None;
        let mut arguments = arguments.iter().map(String::as_str);
        while let Some(argument) = arguments.next().filter(|&argument| argument != "--") {
            if !argument.starts_with('-') {
                if let Some(flag) = open {
                    line.add(flag, argument);
                }
                continue;
            }
            let (option, value) = match argument.split_once('=') {
                Some((option, value)) => (option, Some(value)),
                None => (argument, None),
            };
            let flag = Flag::new(option);
            open = flag.filter(|_| value.is_none());
            if let (Some(flag), Some(list)) = (flag, value) {
                line.add(flag, list);
            } else if FORMATS.contains(&option) {
                line.print |= value.or_else(|| arguments.next()) == Some("stream-json");
            } else if WITH_VALUE.contains(&option) {
                if value.is_none() {
                    arguments.next();
                }
            } else if argument == "--print" {
                line.print = true;
            } else if let Some(letters) = argument.strip_prefix('-').filter(|rest| !rest.starts_with('-')) {
                let bundle = Bundle::parse(letters);
                line.print |= bundle.print;
                if bundle.wants_value {
                    arguments.next();
                }
            }
        }
        line
    }

    /// Adds the entries of one argument. Commas separate several entries.
    fn add(&mut self, flag: Flag, list: &'a str) {
        let entries = match flag {
            Flag::Channels => &mut self.channels,
            Flag::Development => &mut self.development,
        };
        entries.extend(list.split(',').filter_map(|text| Entry::new(text.trim())));
    }

    /// Returns all entries in the order in which Claude Code searches them, regardless of their order on the command
    /// line.
    pub(super) fn entries(&self) -> impl Iterator<Item = (Flag, Entry<'a>)> {
        let with = |flag| move |&entry| (flag, entry);
        let channels = self.channels.iter().map(with(Flag::Channels));
        channels.chain(self.development.iter().map(with(Flag::Development)))
    }
}

/// The meaning of several one-letter options after one hyphen: `-cp` is `-c -p`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Bundle {
    print: bool,
    /// The value of the last letter is the next argument.
    wants_value: bool,
}

impl Bundle {
    fn parse(letters: &str) -> Self {
        let mut bundle = Self::default();
        for (index, letter) in letters.char_indices() {
            match letter {
                'p' => bundle.print = true,
                // `--name`. The rest of the same argument is its value.
                'n' => {
                    bundle.wants_value = index + 1 == letters.len();
                    break;
                }
                // `--debug`, `--resume` and `--worktree` are similar, but their values are optional.
                'd' | 'r' | 'w' => break,
                _ => {}
            }
        }
        bundle
    }
}

impl Flag {
    fn new(option: &str) -> Option<Self> {
        match option {
            CHANNELS => Some(Self::Channels),
            DEVELOPMENT => Some(Self::Development),
            _ => None,
        }
    }
}

impl<'a> Entry<'a> {
    /// Parses an entry. Returns `None` for a text of neither kind: Claude Code refuses to start with such an entry, so
    /// no session has one.
    fn new(text: &'a str) -> Option<Self> {
        // Sentences for people quote the word, so it must not contain white space or control characters.
        let word =
            |text: &str| !text.is_empty() && !text.contains(|c: char| c.is_control() || c.is_whitespace());
        match text.split_once(':')? {
            ("server", name) if word(name) => Some(Self::Server(name)),
            ("plugin", rest) => {
                let (name, marketplace) = rest.split_once('@')?;
                (word(name) && word(marketplace)).then_some(Self::Plugin(name, marketplace))
            }
            _ => None,
        }
    }

    /// Returns true if this entry names the server of this name.
    ///
    /// Claude Code calls a plugin's server `plugin:PLUGIN:SERVER`. If only a channel's name is known, a plugin of the
    /// same name counts as the one that started it.
    pub(super) fn stands_for(self, server: &str) -> bool {
        match self {
            Self::Server(name) => name == server,
            Self::Plugin(name, _) => plugin_of(server).unwrap_or(server) == name,
        }
    }
}

impl fmt::Display for Entry<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(name) => write!(formatter, "server:{name}"),
            Self::Plugin(name, marketplace) => write!(formatter, "plugin:{name}@{marketplace}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Splits at white space; `''` is an empty argument.
    fn split(line: &str) -> Vec<String> {
        line.split_whitespace().map(|argument| argument.replace("''", "")).collect()
    }

    /// Returns the entries, with `D` for the development option and `C` for the other option.
    fn entries(line: &str) -> String {
        let line = line.replace("DEV", DEVELOPMENT).replace("CH", CHANNELS);
        let arguments = split(&line);
        let shown = |(flag, entry)| match flag {
            Flag::Channels => format!("C {entry}"),
            Flag::Development => format!("D {entry}"),
        };
        CommandLine::parse(&arguments).entries().map(shown).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn an_option_takes_what_follows_up_to_the_next_option() {
        for (line, expected) in [
            ("", ""),
            ("server:a", ""),
            ("DEV", ""),
            ("DEV server:a", "D server:a"),
            ("DEV=server:a", "D server:a"),
            ("DEV server:a server:b", "D server:a, D server:b"),
            ("DEV server:a,server:b", "D server:a, D server:b"),
            ("DEV=server:a,server:b", "D server:a, D server:b"),
            ("DEV=server:a server:b", "D server:a"),
            ("DEV= server:a", ""),
            ("DEV server:a DEV server:b", "D server:a, D server:b"),
            ("DEV plugin:a@b CH plugin:c@d", "C plugin:c@d, D plugin:a@b"),
            (
                "DEV server:a CH server:b DEV server:c CH server:d",
                "C server:b, C server:d, D server:a, D server:c",
            ),
            ("DEV server:a -p server:b", "D server:a"),
            ("DEV server:a - server:b", "D server:a"),
            ("DEV server:a --model opus server:b", "D server:a"),
            ("DEV server:a -- server:b", "D server:a"),
            ("-- DEV server:a", ""),
            ("DEVx server:a", ""),
            // Values of other options.
            ("--append-system-prompt DEV server:a", ""),
            ("--append-system-prompt -- DEV server:a", "D server:a"),
            ("--append-system-prompt=-- DEV server:a", "D server:a"),
            ("--output-format DEV server:a", ""),
            ("-n DEV server:a", ""),
            ("-cn DEV server:a", ""),
            ("-nx DEV server:a", "D server:a"),
            ("--unknown DEV server:a", "D server:a"),
            // Texts that are neither kind of entry.
            ("DEV a", ""),
            ("DEV server:", ""),
            ("DEV plugin:a", ""),
            ("DEV plugin:a@", ""),
            ("DEV plugin:@b", ""),
            ("DEV Server:a", ""),
            ("DEV '' server:a", "D server:a"),
        ] {
            assert_eq!(entries(line), expected, "{line}");
        }
    }

    #[test]
    fn print_mode_is_recognised_among_other_options() {
        for (line, print) in [
            ("", false),
            ("-p", true),
            ("--print", true),
            ("hello -p", true),
            ("-p hello", true),
            ("-cp", true),
            ("-pc hello", true),
            ("-c -p", true),
            ("--model opus -p", true),
            ("--model=opus -p", true),
            ("--verbose -p", true),
            ("--debug -p", true),
            ("-d -p", true),
            ("-r -p", true),
            ("--resume -p", true),
            ("-n x -p", true),
            ("-nx -p", true),
            ("--output-format stream-json", true),
            ("--input-format=stream-json", true),
            ("--output-format text --input-format stream-json", true),
            ("--dangerously-load-development-channels server:a -p", true),
            // An unknown option counts as one without a value.
            ("--unknown -p", true),
            ("--print=1", false),
            ("--printer", false),
            ("--p", false),
            ("-", false),
            ("p", false),
            ("-c", false),
            ("-dp", false),
            ("-rp", false),
            ("-wp", false),
            ("-np", false),
            ("-n -p", false),
            ("-cn -p", false),
            ("--append-system-prompt -p", false),
            ("--model -p", false),
            ("--output-format text", false),
            ("--output-format json", false),
            ("stream-json", false),
            ("--model stream-json", false),
            ("-- -p", false),
            ("hello -- --print", false),
        ] {
            assert_eq!(CommandLine::parse(&split(line)).print, print, "{line}");
        }
    }

    #[test]
    fn options_with_a_value_are_sorted_and_no_others_are_among_them() {
        assert!(WITH_VALUE.is_sorted());
        assert!(!WITH_VALUE.iter().any(|option| FORMATS.contains(option) || Flag::new(option).is_some()));
    }

    #[test]
    fn an_entry_stands_for_one_server() {
        for (entry, server, expected) in [
            ("server:a", "a", true),
            ("server:a", "A", false),
            ("server:a", "ab", false),
            ("server:a", "plugin:a:a", false),
            ("server:plugin:a:b", "plugin:a:b", true),
            ("plugin:a@m", "a", true),
            ("plugin:a@m", "m", false),
            ("plugin:a@m", "plugin:a:server", true),
            ("plugin:a@m", "plugin:b:a", false),
            ("plugin:a@m", "plugin:ab:a", false),
            ("plugin:a@m", "plugin:a", true),
        ] {
            assert_eq!(Entry::new(entry).unwrap().stands_for(server), expected, "{entry} {server}");
        }
    }

    #[test]
    fn nothing_invisible_reaches_a_sentence() {
        for text in ["plugin:a@b\u{1b}[2J", "plugin:a@b c", "server:a\nb", "plugin:a\u{85}@b"] {
            assert_eq!(Entry::new(text), None, "{text:?}");
        }
    }
}
