//! Plugins: the folder of a plugin is stored in the home, and its servers are started as Claude Code starts them.

use std::{env, fs, path::PathBuf};

use anyhow::Context as _;
use serde_json::{Value, json};

/// Returns the path of the file that stores the installed plugin's folder.
fn note() -> anyhow::Result<PathBuf> {
    Ok(home()?.join("plugin"))
}

fn home() -> anyhow::Result<PathBuf> {
    Ok(PathBuf::from(env::var_os("HOME").context("there is no home")?))
}

/// Installs the plugin in this folder.
pub(crate) fn install(folder: &str) -> anyhow::Result<()> {
    let manifest = PathBuf::from(folder).join(".claude-plugin/plugin.json");
    let manifest: Value = serde_json::from_str(&fs::read_to_string(manifest)?)?;
    manifest.get("name").and_then(Value::as_str).context("the plugin has no name")?;
    Ok(fs::write(note()?, folder)?)
}

/// Returns the names and entries of its servers.
pub(crate) fn servers(plugin: &str) -> anyhow::Result<Vec<(String, Value)>> {
    let folder = fs::read_to_string(note()?).context("no plugin is installed")?;
    let data = home()?.join("data").join(format!("{plugin}-tidegate"));
    fs::create_dir_all(&data)?;
    let text = fs::read_to_string(PathBuf::from(&folder).join(".mcp.json"))?;
    let config: Value = serde_json::from_str(&text.replace("${CLAUDE_PLUGIN_ROOT}", &folder))?;
    let entries = config.get("mcpServers").and_then(Value::as_object).context("the plugin has no servers")?;
    let server = |(name, entry): (&String, &Value)| {
        let mut entry = entry.clone();
        // Whoever runs these tests may be a session that was started without this channel.
        if let Some(arguments) = entry.get_mut("args").and_then(Value::as_array_mut) {
            arguments.extend(["--opt-in".into(), "always".into()]);
        }
        if let Some(entry) = entry.as_object_mut() {
            entry.insert("env".into(), json!({"CLAUDE_PLUGIN_ROOT": folder, "CLAUDE_PLUGIN_DATA": data}));
        }
        (format!("plugin:{plugin}:{name}"), entry)
    };
    Ok(entries.iter().map(server).collect())
}
