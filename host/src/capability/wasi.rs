//! WASI p2 for components whose language needs it, with nothing granted.
//!
//! There are no environment variables and no arguments. Files and sockets have no implementation at all ([`nothing`]).
//! Output to stdout and stderr goes to the host's log, within the limits of `log.write`. Clocks and random bytes work.
//! A wait ends with its call.

mod nothing;

use std::{pin::Pin, sync::Arc};

use axum::body::Bytes;
use parking_lot::{Mutex, MutexGuard};
use tokio::io::AsyncWrite;
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime_wasi::{
    WasiCtx, WasiCtxView, WasiView,
    cli::{IsTerminal, StdoutStream, WasiCli, WasiCliView as _},
    p2::{OutputStream, Pollable, StreamResult},
    random::WasiRandom,
};

use super::{
    Tenant,
    log::{Kind, LENGTH, Lines},
};
use crate::{
    contract::{self, imports::log::Level},
    sandbox::Resident,
};

/// The most resources (streams, timers and the like) that one instance may hold at a time. Each takes the host's
/// memory.
const RESOURCES: usize = 1000;
/// The most random bytes that one call returns.
const RANDOM: u64 = 64 << 10;

/// The WASI state of one instance, created at its first use.
pub(super) struct Wasi {
    context: WasiCtx,
    table: ResourceTable,
    voices: [Voice; 2],
}

impl std::fmt::Debug for Wasi {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Wasi")
    }
}

impl Wasi {
    fn new(channel: &str, lines: &Lines) -> Self {
        let voice = |kind| {
            let rest = Rest { channel: channel.to_owned(), lines: lines.clone(), kind, bytes: Vec::new() };
            Voice(Arc::new(Mutex::new(rest)))
        };
        let voices = [voice(Kind::Remark(Level::Info)), voice(Kind::Complaint(Level::Warn))];
        let [stdout, stderr] = voices.clone();
        let context = WasiCtx::builder().stdout(stdout).stderr(stderr).max_random_size(RANDOM).build();
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES);
        Self { context, table, voices }
    }

    /// Writes unfinished lines at the end of a call.
    pub(super) fn flush(&self) {
        for voice in &self.voices {
            voice.rest().flush();
        }
    }
}

/// Adds WASI to the linker if the component imports it.
pub(super) fn add_to_linker(
    linker: &mut Linker<Resident<Tenant>>,
    component: &Component,
) -> wasmtime::Result<()> {
    use wasmtime_wasi::p2::bindings::{cli, random};
    type Tenants = Resident<Tenant>;
    let engine = component.engine();
    if !component.component_type().imports(engine).any(|(name, _)| contract::is_wasi(name)) {
        return Ok(());
    }
    // Streams, polls, clocks and stdio.
    wasmtime_wasi::p2::add_to_linker_proxy_interfaces_async(linker)?;
    random::insecure::add_to_linker::<_, WasiRandom>(linker, |tenant: &mut Tenants| {
        tenant.ctx().ctx.random()
    })?;
    random::insecure_seed::add_to_linker::<_, WasiRandom>(linker, |tenant: &mut Tenants| {
        tenant.ctx().ctx.random()
    })?;
    cli::environment::add_to_linker::<_, WasiCli>(linker, Tenants::cli)?;
    cli::exit::add_to_linker::<_, WasiCli>(linker, Tenants::cli)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(linker, Tenants::cli)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(linker, Tenants::cli)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(linker, Tenants::cli)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(linker, Tenants::cli)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(linker, Tenants::cli)?;
    nothing::add_to_linker(linker, component)
}

impl WasiView for Resident<Tenant> {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let Tenant { surroundings, lines, wasi, .. } = &mut self.tenant;
        let wasi = wasi.get_or_insert_with(|| {
            // A guest that describes itself has no channel name yet.
            let channel = surroundings.as_ref().map_or("a new channel", |surroundings| &*surroundings.name);
            Box::new(Wasi::new(channel, lines))
        });
        WasiCtxView { ctx: &mut wasi.context, table: &mut wasi.table }
    }
}

/// Standard output, or standard error.
#[derive(Clone)]
struct Voice(Arc<Mutex<Rest>>);

/// A line that has not ended yet.
struct Rest {
    channel: String,
    lines: Lines,
    kind: Kind,
    bytes: Vec<u8>,
}

impl Voice {
    fn rest(&self) -> MutexGuard<'_, Rest> {
        self.0.lock()
    }
}

impl Rest {
    fn add(&mut self, mut bytes: &[u8]) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = bytes.split_at(end);
            self.bytes.extend_from_slice(line);
            self.line();
            bytes = rest.get(1..).unwrap_or_default();
        }
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() >= LENGTH {
            self.line();
        }
    }

    fn line(&mut self) {
        let text = String::from_utf8_lossy(&self.bytes);
        self.lines.write(&self.channel, self.kind, &text);
        self.bytes = Vec::new();
    }

    fn flush(&mut self) {
        if !self.bytes.is_empty() {
            self.line();
        }
    }
}

/// Writes the last line of an instance that has failed, as a part of the failure's report.
impl Drop for Rest {
    fn drop(&mut self) {
        let (Kind::Remark(level) | Kind::Complaint(level)) = self.kind;
        self.kind = Kind::Complaint(level);
        self.flush();
    }
}

impl IsTerminal for Voice {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Voice {
    /// Discards all bytes: only a later version of WASI calls this, and that version is not linked.
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl Pollable for Voice {
    /// Returns at once, because output never waits.
    fn ready<'a, 'b>(&'a mut self) -> Pin<Box<dyn Future<Output = ()> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(std::future::ready(()))
    }
}

impl OutputStream for Voice {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.rest().add(&bytes);
        Ok(())
    }

    /// Does nothing: programs flush in the middle of lines, and the log contains whole lines only.
    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(LENGTH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_becomes_lines() {
        let lines = Lines::default();
        let mut rest = Rest {
            channel: "x".into(),
            lines: lines.clone(),
            kind: Kind::Remark(Level::Info),
            bytes: Vec::new(),
        };
        rest.add(b"one\ntwo");
        assert_eq!(rest.bytes, b"two");
        rest.add(b" three\n\nfour");
        assert_eq!(rest.bytes, b"four");
        rest.flush();
        assert!(rest.bytes.is_empty());
        // A line without an end is cut at the limit of the log's lines.
        for _ in 0..100 {
            rest.add(&[b'x'; LENGTH / 2]);
            assert!(rest.bytes.len() < LENGTH);
        }
        lines.reset();
        rest.bytes = b"the end".to_vec();
        drop(rest);
        let texts: Vec<String> = lines.take_complaints().into_iter().map(|line| line.text).collect();
        assert_eq!(texts, ["the end"]);
    }
}
