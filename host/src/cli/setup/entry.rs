//! The server's entry in Claude Code's configuration.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde_json::{Map, Value, json};
use tokio::process::Command;

use super::super::{
    answers::Answers,
    output::{self, Paint},
};
use crate::atomic_file::{self, Readers};

/// The name of the file in a project's folder.
const FILE: &str = ".mcp.json";

pub(super) struct Entry {
    /// The server's name, which is the channel's.
    name: String,
    program: String,
    arguments: Vec<String>,
}

/// What a project's file contains under the server's name.
enum Found {
    Nothing,
    Same,
    Other(Value),
}

impl Entry {
    /// Creates the entry that serves this channel. It includes the state folder and the page's port if they are not the
    /// defaults.
    pub(super) fn new(channel: &str, home: Option<&Path>, port: Option<u16>) -> Self {
        let mut arguments = vec!["serve".to_owned(), channel.to_owned()];
        if let Some(home) = home {
            let absolute = std::path::absolute(home).unwrap_or_else(|_| home.to_owned());
            arguments.extend(["--home".to_owned(), absolute.display().to_string()]);
        }
        // With port 0 the port would differ at each start.
        if let Some(port) = port.filter(|port| *port != 0) {
            arguments.extend(["--port".to_owned(), port.to_string()]);
        }
        Self { name: channel.to_owned(), program: program(), arguments }
    }

    fn value(&self) -> Value {
        json!({"command": self.program, "args": self.arguments})
    }

    /// Shows the entry and writes it where the person chooses. Returns true if the entry exists afterwards.
    pub(super) async fn place(&self, answers: &mut Answers, paint: Paint) -> anyhow::Result<bool> {
        let file = std::env::current_dir()?.join(FILE);
        let mut document = read(&file)?;
        let found = self.find(&document);
        if matches!(found, Found::Same) {
            let done = paint.green("✓");
            output::print(&format!("{done} {} has the server's entry already.\n", file.display()))?;
            return Ok(true);
        }
        let shown = json!({"mcpServers": {self.name.as_str(): self.value()}});
        let shown = paint.cyan(&serde_json::to_string_pretty(&shown)?);
        output::print(&format!("Claude Code starts the server by this entry:\n{shown}\n"))?;
        if let Found::Other(other) = &found {
            let text = format!("{} has another entry of that name: {other}\n", file.display());
            output::print(&output::harmless(&text))?;
        }
        let verb = if matches!(found, Found::Other(_)) { "replace the one in" } else { "write it into" };
        let mut choices = format!("  1  {verb} {}, for this project\n", file.display());
        let claude = on_path("claude").is_some();
        if claude {
            let command = self.command_line().join(" ");
            choices.extend(["  2  add it for all your projects: ", &command, "\n"]);
        }
        output::print(&format!("{choices}  Enter  leave it: you do it yourself\n"))?;
        loop {
            match answers.ask("Which? ").await?.as_str() {
                "1" => {
                    self.write(&file, &mut document)?;
                    let done = paint.green("✓");
                    output::print(&format!("{done} Written into {}.\n", file.display()))?;
                    return Ok(true);
                }
                "2" if claude => return self.add(paint).await,
                "" => return Ok(false),
                _ if claude => output::print("Type 1 or 2, or press Enter.\n")?,
                _ => output::print("Type 1, or press Enter.\n")?,
            }
        }
    }

    fn find(&self, document: &Map<String, Value>) -> Found {
        match document.get("mcpServers").and_then(|servers| servers.get(&self.name)) {
            None => Found::Nothing,
            Some(entry) if *entry == self.value() => Found::Same,
            Some(entry) => Found::Other(entry.clone()),
        }
    }

    /// Adds the entry to the file and keeps the other content.
    fn write(&self, file: &Path, document: &mut Map<String, Value>) -> anyhow::Result<()> {
        let servers = document.entry("mcpServers").or_insert_with(|| json!({}));
        let Some(servers) = servers.as_object_mut() else {
            anyhow::bail!(
                "\"mcpServers\" in {} is not an object, so the file is left as it is",
                file.display()
            );
        };
        servers.insert(self.name.clone(), self.value());
        let text = serde_json::to_string_pretty(document)? + "\n";
        atomic_file::replace(file, text.as_bytes(), Readers::AsBefore)
            .with_context(|| format!("cannot write {}", file.display()))
    }

    fn command_line(&self) -> Vec<&str> {
        let mut words = vec!["claude", "mcp", "add", "--scope", "user", &self.name, "--", &self.program];
        words.extend(self.arguments.iter().map(String::as_str));
        words
    }

    /// Runs Claude Code to add the entry, which does not replace an existing one. Returns true on success.
    async fn add(&self, paint: Paint) -> anyhow::Result<bool> {
        let words = self.command_line();
        let (program, arguments) = words.split_first().context("there is no command")?;
        let output = Command::new(program).args(arguments).output().await.context("cannot run claude")?;
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        let said = output::harmless(said.trim());
        if output.status.success() {
            output::print(&format!("{} {said}\n", paint.green("✓")))?;
            return Ok(true);
        }
        output::print(&format!(
            "{} Claude Code did not add it: {said}\nThe command was: {}\n",
            paint.red("✗"),
            words.join(" ")
        ))?;
        Ok(false)
    }
}

/// Returns the command for this program: its name if that is found on the PATH, else its path.
fn program() -> String {
    let own = std::env::current_exe().and_then(fs::canonicalize).ok();
    let found = on_path("tidegate").and_then(|path| fs::canonicalize(path).ok());
    match own {
        Some(own) if found.as_ref() != Some(&own) => own.display().to_string(),
        _ => "tidegate".to_owned(),
    }
}

fn on_path(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.is_file())
}

fn read(file: &Path) -> anyhow::Result<Map<String, Value>> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Map::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
    };
    serde_json::from_str(&text).with_context(|| {
        format!("{} is not a JSON object: correct it, and run `tidegate setup` again", file.display())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_added_beside_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        fs::write(&file, r#"{"z": 1, "mcpServers": {"other": {"command": "x"}}}"#).unwrap();
        let entry =
            Entry { name: "fakechat".into(), program: "tidegate".into(), arguments: vec!["serve".into()] };
        let mut document = read(&file).unwrap();
        assert!(matches!(entry.find(&document), Found::Nothing));
        entry.write(&file, &mut document).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        let written: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(written["mcpServers"]["other"]["command"], "x");
        assert_eq!(written["mcpServers"]["fakechat"], json!({"command": "tidegate", "args": ["serve"]}));
        assert!(text.starts_with("{\n  \"z\": 1,"), "keys keep their order: {text}");
        assert!(matches!(entry.find(&read(&file).unwrap()), Found::Same));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_is_something_else_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        for text in ["{", "[]"] {
            fs::write(&file, text).unwrap();
            assert!(format!("{:#}", read(&file).unwrap_err()).contains("is not a JSON object"), "{text}");
        }
        fs::write(&file, r#"{"mcpServers": []}"#).unwrap();
        let entry = Entry { name: "fakechat".into(), program: "tidegate".into(), arguments: Vec::new() };
        assert!(entry.write(&file, &mut read(&file).unwrap()).is_err());
        assert_eq!(fs::read_to_string(&file).unwrap(), r#"{"mcpServers": []}"#);
    }
}
