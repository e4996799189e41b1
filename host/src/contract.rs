//! The contract between host and guest, generated from `wit/`, and the check of a component against it.

use std::fmt;

use wasmtime::{Engine, component::types::ComponentItem};

#[expect(missing_docs, reason = "generated; wit/ has the documentation")]
mod generated {
    wasmtime::component::bindgen!({
        path: "../wit",
        inline: "
            package tidegate:host;
            world guest {
                include tidegate:channel/poll-channel@0.1.0;
                include tidegate:channel/socket-channel@0.1.0;
                include tidegate:channel/web-channel@0.1.0;
            }
        ",
        world: "tidegate:host/guest",
        imports: {
            "tidegate:channel/http.send": async | trappable,
            "tidegate:channel/http.download": async | trappable,
            "tidegate:channel/web.publish": async | trappable,
            default: trappable,
        },
        exports: { default: async },
    });
}

pub use generated::{exports::tidegate::channel as exports, tidegate::channel as imports};

/// The prefix of the contract's interface names.
const PACKAGE: &str = "tidegate:channel/";

/// The version of the contract that this host supports.
pub const VERSION: &str = "0.1.0";

/// The packages of WASI 0.2 that components may import. `wasi:http` is not one of them: guests use the import `http`.
const WASI: [&str; 6] = ["cli", "clocks", "filesystem", "io", "random", "sockets"];

/// The source of a channel's events, recognised by the exports of its component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The host polls the platform.
    Poll,
    /// The platform pushes events over a WebSocket that the host opens.
    Socket,
    /// A page or webhook that the host serves on loopback.
    Web,
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Poll => "poll",
            Self::Socket => "socket",
            Self::Web => "web",
        })
    }
}

/// Why a component is not a channel for this host.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum Mismatch {
    /// It was built for another version of the contract.
    #[error(
        "it is built for version {found} of the channel contract; this tidegate speaks {VERSION}: \
         get a build of the channel for {VERSION}, or a tidegate that speaks {found}"
    )]
    Version {
        /// The version that its exports carry.
        found: String,
    },
    /// It does not export the contract's `channel`.
    #[error("it exports no {PACKAGE}channel: it is a component, but not a tidegate channel")]
    NoChannel,
    /// It exports a channel without a source.
    #[error(
        "it exports none of poll-source, socket-source and web-source: nothing would ever arrive from it"
    )]
    NoSource,
    /// It exports more than one source.
    #[error("it exports more than one source ({0}): a channel has exactly one")]
    ManySources(String),
    /// It exports a channel without `outbound`.
    #[error("it exports no {PACKAGE}outbound, which every channel must")]
    NoOutbound,
    /// It imports something that no channel gets.
    #[error("it imports {0}, which no channel gets here: build it without")]
    Import(String),
}

/// Returns the source of a component's events. Checks the names of its interfaces only, and runs no code of the
/// component.
pub fn recognise(engine: &Engine, component: &wasmtime::component::Component) -> Result<Source, Mismatch> {
    let shape = component.component_type();
    let exports = shape.exports(engine).filter(|(_, item)| is_instance(&item.ty)).map(|(name, _)| name);
    let imports = shape.imports(engine).filter(|(_, item)| is_instance(&item.ty)).map(|(name, _)| name);
    judge(exports, imports)
}

fn is_instance(item: &ComponentItem) -> bool {
    matches!(item, ComponentItem::ComponentInstance(_))
}

fn judge<'a>(
    exports: impl Iterator<Item = &'a str>,
    imports: impl Iterator<Item = &'a str>,
) -> Result<Source, Mismatch> {
    let mut sources = Vec::new();
    let (mut channel, mut outbound) = (false, false);
    for name in exports {
        match ours(name)? {
            Some("channel") => channel = true,
            Some("outbound") => outbound = true,
            Some("poll-source") => sources.push(Source::Poll),
            Some("socket-source") => sources.push(Source::Socket),
            Some("web-source") => sources.push(Source::Web),
            _ => {}
        }
    }
    for name in imports {
        if ours(name)?.is_none() && !is_wasi(name) {
            return Err(Mismatch::Import(name.to_owned()));
        }
    }
    match (channel, outbound, sources.as_slice()) {
        (false, ..) => Err(Mismatch::NoChannel),
        (_, false, _) => Err(Mismatch::NoOutbound),
        (.., []) => Err(Mismatch::NoSource),
        (.., [source]) => Ok(*source),
        (.., many) => {
            Err(Mismatch::ManySources(many.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")))
        }
    }
}

/// Returns whether this is a WASI interface that a component may import. Only clocks, random bytes and the log work.
pub fn is_wasi(name: &str) -> bool {
    let interface = name.strip_prefix("wasi:").and_then(|name| name.split_once('/'));
    interface.is_some_and(|(package, rest)| {
        WASI.contains(&package)
            && rest.split_once('@').is_some_and(|(_, version)| version.starts_with("0.2."))
    })
}

/// Returns the interface's name without package and version, if it belongs to the contract. Fails if its version
/// differs.
fn ours(name: &str) -> Result<Option<&str>, Mismatch> {
    let Some(rest) = name.strip_prefix(PACKAGE) else { return Ok(None) };
    match rest.split_once('@') {
        Some((interface, VERSION)) => Ok(Some(interface)),
        Some((_, found)) => Err(Mismatch::Version { found: found.to_owned() }),
        None => Err(Mismatch::Version { found: "(none)".to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(exports: &[&str], imports: &[&str]) -> Result<Source, Mismatch> {
        judge(exports.iter().copied(), imports.iter().copied())
    }

    #[test]
    fn a_component_is_recognised_by_its_exports() {
        const CHANNEL: &str = "tidegate:channel/channel@0.1.0";
        const OUTBOUND: &str = "tidegate:channel/outbound@0.1.0";
        const POLL: &str = "tidegate:channel/poll-source@0.1.0";
        const WEB: &str = "tidegate:channel/web-source@0.1.0";
        assert_eq!(judged(&[CHANNEL, OUTBOUND, WEB], &[]), Ok(Source::Web));
        assert_eq!(judged(&[OUTBOUND, POLL, CHANNEL], &["tidegate:channel/http@0.1.0"]), Ok(Source::Poll));
        assert_eq!(judged(&["wasi:cli/run@0.2.0"], &[]), Err(Mismatch::NoChannel));
        assert_eq!(judged(&[CHANNEL, OUTBOUND], &[]), Err(Mismatch::NoSource));
        assert_eq!(judged(&[CHANNEL, WEB], &[]), Err(Mismatch::NoOutbound));
        assert_eq!(
            judged(&[CHANNEL, OUTBOUND, WEB, POLL], &[]),
            Err(Mismatch::ManySources("web, poll".into()))
        );
        for wasi in ["wasi:cli/environment@0.2.0", "wasi:sockets/tcp@0.2.6", "wasi:io/poll@0.2.12"] {
            assert_eq!(judged(&[CHANNEL, OUTBOUND, WEB], &[wasi]), Ok(Source::Web));
        }
        for other in [
            "wasi:http/outgoing-handler@0.2.0",
            "wasi:cli/environment@0.3.0",
            "wasi:cli/environment",
            "x:y/z@0.2.0",
        ] {
            assert_eq!(judged(&[CHANNEL, OUTBOUND, WEB], &[other]), Err(Mismatch::Import(other.into())));
        }
    }

    #[test]
    fn another_version_is_named_together_with_ours() {
        let error = judged(&["tidegate:channel/channel@0.2.0"], &[]).unwrap_err().to_string();
        assert!(error.contains("0.2.0") && error.contains(VERSION), "{error}");
    }
}
