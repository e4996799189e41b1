//! The plugin that this server belongs to, as Claude Code names it.
//!
//! Claude Code calls a plugin's server `plugin:PLUGIN:SERVER`, which does not include the marketplace. It also passes a
//! data folder to the plugin's servers, in `CLAUDE_PLUGIN_DATA`. The name of that folder is documented:
//! `PLUGIN@MARKETPLACE`, with every character replaced by `-` except ASCII letters, digits, `_` and `-`.

use std::path::Path;

/// The variable with the folder for a plugin's data.
const DATA: &str = "CLAUDE_PLUGIN_DATA";

/// The placeholder for an unknown marketplace.
const UNKNOWN: &str = "MARKETPLACE";

/// The plugin that this server belongs to, as the name of its data folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plugin(String);

impl Plugin {
    /// Reads the plugin from this process's environment. Returns `None` for a server that belongs to no plugin.
    pub(super) fn find() -> Option<Self> {
        Self::new(Path::new(&std::env::var_os(DATA)?))
    }

    /// Creates a plugin from the path of its data folder. Returns `None` for a path in a form that Claude Code does not
    /// use.
    pub(super) fn new(data: &Path) -> Option<Self> {
        let name = data.file_name()?.to_str()?;
        (name == folder_name(name)).then(|| Self(name.to_owned()))
    }

    /// Returns true if this is the plugin of this name from this marketplace.
    pub(super) fn is(&self, name: &str, marketplace: &str) -> bool {
        self.0 == folder_name(&format!("{name}@{marketplace}"))
    }

    /// Returns the plugin's marketplace, if `name` is the plugin's name. By Claude Code's rules, a marketplace's name
    /// has only characters that are not replaced.
    fn marketplace(&self, name: &str) -> Option<&str> {
        let rest = self.0.strip_prefix(folder_name(name).as_str())?;
        rest.strip_prefix('-').filter(|marketplace| !marketplace.is_empty())
    }

    /// Returns the entry for the plugin on a command line, if `name` is the plugin's name.
    pub(super) fn entry(&self, name: &str) -> Option<String> {
        self.marketplace(name).map(|marketplace| format!("plugin:{name}@{marketplace}"))
    }
}

/// Replaces every character that a folder name cannot contain by a hyphen.
fn folder_name(id: &str) -> String {
    let stays = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
    id.chars().map(|character| if stays(character) { character } else { '-' }).collect()
}

/// Returns PLUGIN of `plugin:PLUGIN:SERVER`.
pub(super) fn plugin_of(server: &str) -> Option<&str> {
    server.strip_prefix("plugin:")?.split(':').next()
}

/// Returns the entry that a person has to write for the server of this name. `plugin` is the plugin that this server
/// belongs to.
pub(super) fn entry_for(server: &str, plugin: Option<&Plugin>) -> String {
    let Some(name) = plugin_of(server) else { return format!("server:{server}") };
    plugin.and_then(|plugin| plugin.entry(name)).unwrap_or_else(|| format!("plugin:{name}@{UNKNOWN}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugin(folder: &str) -> Option<Plugin> {
        Plugin::new(&Path::new("/home/a/.claude/plugins/data").join(folder))
    }

    #[test]
    fn the_entry_for_a_server_is_what_a_person_writes() {
        for (server, folder, entry) in [
            ("a", "", "server:a"),
            ("plugin", "", "server:plugin"),
            ("plugin:a:b", "", "plugin:a@MARKETPLACE"),
            ("plugin:a:b", "a-m", "plugin:a@m"),
            ("plugin:a:b", "a-m-n_2", "plugin:a@m-n_2"),
            ("plugin:a-b:c", "a-b-m", "plugin:a-b@m"),
            // The folder of another plugin.
            ("plugin:a:b", "ab-m", "plugin:a@MARKETPLACE"),
            ("plugin:a:b", "a-", "plugin:a@MARKETPLACE"),
            ("plugin:a:b", "a", "plugin:a@MARKETPLACE"),
            // A server outside a plugin has the name that it is configured under.
            ("a", "a-m", "server:a"),
        ] {
            assert_eq!(entry_for(server, plugin(folder).as_ref()), entry, "{server} {folder}");
        }
    }

    #[test]
    fn a_plugin_is_known_by_the_folder_for_its_data() {
        for (folder, name, marketplace, expected) in [
            ("a-m", "a", "m", true),
            ("a-m", "a", "n", false),
            ("a-m", "b", "m", false),
            ("a-m-n", "a", "m.n", true),
            ("a-m-n", "a-m", "n", true),
        ] {
            assert_eq!(
                plugin(folder).unwrap().is(name, marketplace),
                expected,
                "{folder} {name}@{marketplace}"
            );
        }
        for folder in ["..", "a m", "a@m", "a\u{1b}m", ""] {
            assert_eq!(Plugin::new(&Path::new("/").join(folder)), None, "{folder:?}");
        }
    }
}
