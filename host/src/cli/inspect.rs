//! `tidegate inspect`: shows what a component is and what it requires.

use std::{fmt::Write as _, path::PathBuf};

use clap::{Args, ValueHint};
use serde::Serialize;

use super::{
    Common, logging,
    output::{self, Paint},
};
use crate::{
    builtin,
    contract::{self, Source},
    guest::{Blueprint, Credential, Descriptor, Place},
    launch, text,
};

/// Show what a component is and what it asks for, without running it as a channel
#[derive(Args)]
pub(super) struct Inspect {
    /// A component file, or the name of a built-in channel
    #[arg(value_hint = ValueHint::FilePath)]
    file: PathBuf,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// The number of choices of a setting that are shown.
const SHOWN: usize = 12;

#[derive(Serialize)]
struct Report<'a> {
    digest: String,
    size: usize,
    contract: &'static str,
    source: Source,
    imports: &'a [String],
    descriptor: &'a Descriptor,
}

impl Inspect {
    pub(super) fn run(&self, common: &Common) -> anyhow::Result<()> {
        logging::start(common.log, None);
        let runtime = super::runtime()?;
        let blueprint = runtime.block_on(self.load())?;
        let text = if self.json { json(&blueprint)? } else { describe(&blueprint, Paint::stdout()) };
        Ok(output::print(&text)?)
    }

    async fn load(&self) -> anyhow::Result<Blueprint> {
        let engine = launch::engine()?;
        let builtin = self.file.to_str().filter(|_| !self.file.exists()).and_then(builtin::find);
        if builtin.is_none() && self.file.components().count() == 1 && !self.file.exists() {
            anyhow::bail!(
                "\"{}\" is neither a built-in channel nor a file in this folder",
                output::harmless(&self.file.to_string_lossy())
            );
        }
        match builtin {
            Some(builtin) => Ok(launch::load(&engine, builtin.name, builtin.bytes).await?),
            None => Ok(launch::read(&engine, &self.file).await?),
        }
    }
}

fn json(blueprint: &Blueprint) -> serde_json::Result<String> {
    let report = Report {
        digest: blueprint.digest.to_string(),
        size: blueprint.size,
        contract: contract::VERSION,
        source: blueprint.source,
        imports: &blueprint.imports,
        descriptor: &blueprint.descriptor,
    };
    Ok(serde_json::to_string_pretty(&report)? + "\n")
}

fn describe(blueprint: &Blueprint, paint: Paint) -> String {
    let descriptor = &blueprint.descriptor;
    let mut text = format!(
        "{} {}\n{}\n\n",
        paint.bold(&descriptor.title),
        paint.dim(&descriptor.version),
        descriptor.summary
    );
    let mut row = |label: &str, value: &str| {
        let _ = writeln!(text, "{}  {value}", paint.cyan(&format!("{label:<12}")));
    };
    row("name", &descriptor.name);
    row("source", &source(blueprint));
    row("digest", &format!("sha256:{}", blueprint.digest));
    row("size", &format!("{} KiB", blueprint.size.div_ceil(1024)));
    row("contract", contract::VERSION);
    row("can", &features(descriptor));
    row("limits", &limits(descriptor));
    row("network", &listed(&descriptor.hosts, "no host at all"));
    if descriptor.credentials.is_empty() {
        row("secrets", "none");
    }
    for credential in &descriptor.credentials {
        let hosts = listed(&credential.hosts, "nobody");
        let place = match &credential.place {
            Place::Header(name, _) => Some(format!("in the header {name}")),
            Place::Path(_) => Some("in the URL's path".to_owned()),
            Place::Frame(pointer) => Some(format!("in socket frames at {pointer}")),
            Place::Verify => None,
        };
        let sent = place.map_or_else(
            || "never sent: it only checks signatures".to_owned(),
            |place| format!("sent to {hosts}, {place}"),
        );
        let Credential { name, env, help, .. } = credential;
        row("secret", &format!("{name} (variable {env}), {sent}. {help}"));
    }
    for setting in &descriptor.settings {
        let default =
            setting.default.as_deref().map_or("unset".to_owned(), |default| format!("\"{default}\""));
        let choices = match &*setting.choices {
            [] => String::new(),
            choices => match choices.split_at_checked(SHOWN) {
                Some((first, rest)) if !rest.is_empty() => {
                    format!(", one of {} and {} more, which --json has", first.join(", "), rest.len())
                }
                _ => format!(", one of {}", choices.join(", ")),
            },
        };
        row("setting", &format!("{} (default {default}{choices}): {}", setting.name, setting.help));
    }
    let (wasi, own): (Vec<&String>, Vec<&String>) =
        blueprint.imports.iter().partition(|import| import.starts_with("wasi:"));
    let imports: Vec<String> = own
        .into_iter()
        .filter_map(|import| import.split('/').nth(1)?.split('@').next())
        .filter(|import| *import != "types")
        .map(str::to_owned)
        .collect();
    row("imports", &listed(&imports, "nothing"));
    if !wasi.is_empty() {
        row("WASI", "there, and empty: no files, no sockets, no environment");
    }
    text
}

fn source(blueprint: &Blueprint) -> String {
    match (blueprint.source, blueprint.descriptor.port) {
        (Source::Web, Some(port @ 1..)) => format!("web: a page on http://127.0.0.1:{port}"),
        (Source::Web, None | Some(0)) => "web: a page on a free loopback port".to_owned(),
        (Source::Poll, _) => "poll: asks the platform for news".to_owned(),
        (Source::Socket, _) => "socket: the platform pushes over a WebSocket".to_owned(),
    }
}

fn features(descriptor: &Descriptor) -> String {
    let features = descriptor.features;
    let all = [
        ("reply", features.reply),
        ("edit", features.edit),
        ("react", features.react),
        ("typing", features.typing),
        ("history", features.history),
        ("attachments", features.attachments),
        ("uploads", features.uploads),
        ("buttons", features.buttons),
        ("splits", features.splits),
        ("threads", features.threads),
    ];
    let able: Vec<String> =
        all.iter().filter(|(_, able)| *able).map(|(name, _)| (*name).to_owned()).collect();
    listed(&able, "nothing but receive")
}

fn limits(descriptor: &Descriptor) -> String {
    let mut text = format!("{} characters a message", descriptor.max_text);
    if descriptor.features.uploads {
        let _ = write!(text, ", {} files of {}", descriptor.max_uploads, text::size(descriptor.max_upload));
    }
    text
}

fn listed<T: ToString>(list: &[T], nothing: &str) -> String {
    if list.is_empty() {
        return nothing.to_owned();
    }
    list.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}
