//! What a command line of Claude Code says about channels.
//!
//! The client's parser knows each option. This one knows by name only the options that take a value
//! ([`WITH_VALUE`]), so that such a value is not taken for an option: `--append-system-prompt -p` asks for no print
//! mode. An option that is not on the list counts as one without a value. If it has one, and the value looks like
//! `-p`, a session counts as one that takes no messages, which its user is told. The opposite mistake would lose
//! messages.
//! The same holds where the system gives the command line as one text (`ps`), for a value with ` -p ` in it.

use std::fmt;

use super::plugin::plugin_of;

pub(super) const CHANNELS: &str = "--channels";
pub(super) const DEVELOPMENT: &str = "--dangerously-load-development-channels";

/// Options whose value is the next argument, even one that begins with a hyphen: from the client's `--help` and its
/// documentation. Those of [`FORMATS`] are read, so they are not here. Nor are options whose value is optional: the
/// client does not take an argument with a hyphen for such a value.
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

/// Options of print mode. A program that drives the client asks for `stream-json`, often without `--print`.
const FORMATS: [&str; 2] = ["--input-format", "--output-format"];

/// The part of a command line that decides about channels.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct CommandLine<'a> {
    channels: Vec<Entry<'a>>,
    development: Vec<Entry<'a>>,
    /// Print mode or a session of the SDK: there is nobody to ask.
    pub(super) print: bool,
}

/// The option that an entry belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flag {
    Channels,
    Development,
}

/// A server that a session is started with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry<'a> {
    /// By the name under which it is configured.
    Server(&'a str),
    /// By its plugin and the marketplace of that.
    Plugin(&'a str, &'a str),
}

impl<'a> CommandLine<'a> {
    /// Reads the arguments behind Claude Code's program or script. Behind `--` there are no options.
    pub(super) fn parse(arguments: &'a [String]) -> Self {
        let mut line = Self::default();
        // The option whose list goes on: it takes all arguments up to the next that begins with a hyphen. With `=`
        // it takes that one text.
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

    /// Adds the entries of one argument, which may be several with commas between.
    fn add(&mut self, flag: Flag, list: &'a str) {
        let entries = match flag {
            Flag::Channels => &mut self.channels,
            Flag::Development => &mut self.development,
        };
        entries.extend(list.split(',').filter_map(|text| Entry::new(text.trim())));
    }

    /// All entries in the order in which Claude Code searches them, whatever their order on the command line.
    pub(super) fn entries(&self) -> impl Iterator<Item = (Flag, Entry<'a>)> {
        let with = |flag| move |&entry| (flag, entry);
        let channels = self.channels.iter().map(with(Flag::Channels));
        channels.chain(self.development.iter().map(with(Flag::Development)))
    }
}

/// What several options of one letter behind one hyphen mean: `-cp` is `-c -p`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Bundle {
    print: bool,
    /// The next argument is the value of the last letter.
    wants_value: bool,
}

impl Bundle {
    fn parse(letters: &str) -> Self {
        let mut bundle = Self::default();
        for (index, letter) in letters.char_indices() {
            match letter {
                'p' => bundle.print = true,
                // --name. What follows in the same argument is its value.
                'n' => {
                    bundle.wants_value = index + 1 == letters.len();
                    break;
                }
                // --debug, --resume and --worktree, likewise, but their values are optional.
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
    /// `None` for a text that is neither kind: Claude Code refuses to start with it, so nothing can depend on it.
    fn new(text: &'a str) -> Option<Self> {
        // It comes back in a sentence for people.
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

    /// Does this entry stand for the server of this name?
    ///
    /// Claude Code calls a plugin's server `plugin:PLUGIN:SERVER`. Where only a channel's name is known, a plugin of
    /// that name is taken for the one that started it.
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

    /// At white space; `''` is an empty argument.
    fn split(line: &str) -> Vec<String> {
        line.split_whitespace().map(|argument| argument.replace("''", "")).collect()
    }

    /// The entries, with `D` for the development option and `C` for the other.
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
            // Neither kind of entry.
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
            // Of an option that is not known, no value is known either.
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
