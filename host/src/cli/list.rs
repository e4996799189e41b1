//! `tidegate list`: lists the channels.

use std::fmt::Write as _;

use clap::Args;
use serde::Serialize;

use super::{
    Common,
    output::{self, Paint},
    survey::Survey,
};
use crate::{builtin, contract::Source, launch, settings::Settings};

/// Show which channels there are
#[derive(Args)]
pub(super) struct List {
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Entry {
    name: String,
    title: String,
    version: String,
    summary: String,
    source: Source,
    port: Option<u16>,
    /// The process that serves the channel now.
    owner: Option<String>,
    folder: String,
}

impl List {
    pub(super) fn run(&self, common: &Common) -> anyhow::Result<()> {
        let launcher = common.launcher(common.log)?;
        let settings = Settings::read(&launcher.root().settings())?;
        let runtime = super::runtime()?;
        let mut entries = Vec::new();
        for builtin in builtin::ALL {
            let blueprint = runtime.block_on(launch::load(launcher.engine(), builtin.name, builtin.bytes))?;
            let descriptor = blueprint.descriptor;
            let folder = launcher.root().folder(&descriptor.name);
            let owner = Survey::owner(&folder);
            entries.push(Entry {
                port: settings.channel(&descriptor.name, &descriptor.settings)?.port.or(descriptor.port),
                name: descriptor.name.to_string(),
                title: descriptor.title,
                version: descriptor.version,
                summary: descriptor.summary,
                source: blueprint.source,
                owner,
                folder: folder.display().to_string(),
            });
        }
        let text = if self.json {
            serde_json::to_string_pretty(&entries)? + "\n"
        } else {
            table(&entries, Paint::stdout())
        };
        Ok(output::print(&text)?)
    }
}

fn table(entries: &[Entry], paint: Paint) -> String {
    let mut text = String::new();
    for entry in entries {
        let _ = writeln!(text, "{}  {}", paint.bold(&entry.name), entry.summary);
        let state = match (&entry.owner, entry.port) {
            (Some(owner), _) => paint.green(&format!("served ({owner})")),
            (None, Some(port)) => {
                paint.dim(&format!("not served; its page would be http://127.0.0.1:{port}"))
            }
            (None, None) => paint.dim("not served"),
        };
        let _ = writeln!(text, "  {state}\n  {}", paint.dim(&entry.folder));
    }
    text.push_str(
        "\nTry one here with `tidegate try NAME`; look into a component file with `tidegate inspect FILE`.\n",
    );
    text
}
