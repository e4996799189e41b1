//! How fast and how small a release build is, beside the least that such a server can be.
//!
//! Machines differ and are busy, so the ratio of two figures of one run says more than either.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

use crate::{guests, process};

#[derive(Args)]
pub(crate) struct Options {
    /// How often everything is measured; medians are shown
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Messages one after the other
    #[arg(long, default_value_t = 3000)]
    messages: u32,
    /// Messages all at once
    #[arg(long, default_value_t = 50_000)]
    burst: u32,
}

/// What is measured, with its unit.
const ROWS: [(&str, &str); 11] = [
    ("start, to the answer to initialize", "ms"),
    ("stop on end of input", "ms"),
    ("memory idle (PSS)", "MiB"),
    ("memory after the burst (PSS)", "MiB"),
    ("page to notification, p50", "µs"),
    ("page to notification, p99", "µs"),
    ("CPU a message", "µs"),
    ("reply, p50", "µs"),
    ("reply, p99", "µs"),
    ("burst, messages a second", ""),
    ("burst, CPU a message", "µs"),
];

const STARTS: usize = 10;

pub(crate) fn run(program: &Path, options: &Options) -> anyhow::Result<()> {
    guests::build(guests::Set::All, false)?;
    let own = std::env::current_exe()?;
    let (mut tidegate, mut floor, mut further) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.runs {
        tidegate.push(measure(program, &["serve", "fakechat"], options)?);
        floor.push(measure(&own, &["floor"], options)?);
        further.push(another_channel(program)?);
    }
    process::say(&format!("{:<38} {:>12} {:>12} {:>8}", "medians", "tidegate", "floor", "ratio"));
    for (row, (name, unit)) in ROWS.iter().enumerate() {
        let of = |runs: &[[f64; ROWS.len()]]| {
            median(runs.iter().filter_map(|run| run.get(row).copied()).collect())
        };
        let (ours, least) = (of(&tidegate), of(&floor));
        let label = if unit.is_empty() { (*name).to_owned() } else { format!("{name} [{unit}]") };
        process::say(&format!("{label:<38} {ours:>12.2} {least:>12.2} {:>8.2}", ours / least));
    }
    process::say(&format!("{:<38} {:>12.2}", "each further channel (PSS) [MiB]", median(further)));
    Ok(())
}

fn measure(program: &Path, arguments: &[&str], options: &Options) -> anyhow::Result<[f64; ROWS.len()]> {
    let home = tempfile::tempdir()?;
    // Warms the compile cache.
    Server::start(program, arguments, home.path())?.stop()?;
    let (mut starts, mut stops) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let begun = Instant::now();
        let server = Server::start(program, arguments, home.path())?;
        starts.push(begun.elapsed().as_secs_f64() * 1e3);
        stops.push(server.stop()?.as_secs_f64() * 1e3);
    }
    let mut server = Server::start(program, arguments, home.path())?;
    let mut page = server.page()?;
    for number in 0..200 {
        page.send(frame(number))?;
        server.event()?;
    }
    thread::sleep(Duration::from_secs(1));
    let idle = server.memory();

    let (mut inward, cpu) = (Vec::new(), server.cpu());
    for number in 0..options.messages {
        let message = frame(number);
        let sent = Instant::now();
        page.send(message)?;
        server.event()?;
        inward.push(sent.elapsed().as_secs_f64() * 1e6);
    }
    let cpu = (server.cpu() - cpu) / f64::from(options.messages) * 1e6;

    let mut outward = Vec::new();
    for number in 0..options.messages / 2 {
        let text = format!("reply {number}");
        let sent = Instant::now();
        server.reply(&text)?;
        outward.push(sent.elapsed().as_secs_f64() * 1e6);
        while !page.read()?.to_text()?.contains(&text) {}
    }

    let burst_cpu = server.cpu();
    let begun = Instant::now();
    let burst = options.burst;
    let sender = thread::spawn(move || {
        for number in 0..burst {
            page.write(frame(number))?;
        }
        page.flush()?;
        Ok::<_, tungstenite::Error>(page)
    });
    for number in 0..burst {
        let line = server.event()?;
        if !line.contains(&format!("\"message {number}\"")) {
            bail!("message {number} is missing or out of order: {line}");
        }
    }
    let took = begun.elapsed().as_secs_f64();
    let burst_cpu = (server.cpu() - burst_cpu) / f64::from(burst) * 1e6;
    let after = server.memory();
    drop(sender.join());
    server.stop()?;
    Ok([
        median(starts),
        median(stops),
        idle,
        after,
        quantile(&mut inward, 50),
        quantile(&mut inward, 99),
        cpu,
        quantile(&mut outward, 50),
        quantile(&mut outward, 99),
        f64::from(burst) / took,
        burst_cpu,
    ])
}

/// What a second channel adds to the memory of the process, in MiB.
fn another_channel(program: &Path) -> anyhow::Result<f64> {
    let home = tempfile::tempdir()?;
    let file = guests::directory().join("chameleon.wasm");
    let file = file.to_string_lossy();
    let mut memory = Vec::new();
    for arguments in [
        vec!["serve", "fakechat"],
        vec!["serve", "fakechat", "--dangerously-load-development-channels", &file],
    ] {
        Server::start(program, &arguments, home.path())?.stop()?;
        let server = Server::start(program, &arguments, home.path())?;
        thread::sleep(Duration::from_millis(500));
        memory.push(server.memory());
        server.stop()?;
    }
    Ok(memory.iter().rev().copied().reduce(|more, less| more - less).unwrap_or_default())
}

fn frame(number: u32) -> Message {
    Message::text(format!("{{\"id\": \"u{number}\", \"text\": \"message {number}\"}}"))
}

struct Server {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    port: u16,
    line: String,
}

impl Server {
    fn start(program: &Path, arguments: &[&str], home: &Path) -> anyhow::Result<Self> {
        // Free a moment ago; nobody else asks for ports here.
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut child = Command::new(program)
            .args(arguments)
            .env("TIDEGATE_HOME", home)
            .env("FAKECHAT_PORT", port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let input = child.stdin.take().context("no stdin")?;
        let output = BufReader::with_capacity(1 << 20, child.stdout.take().context("no stdout")?);
        let mut server = Self { child, input, output, port, line: String::new() };
        server.request(&json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "0"}}}))?;
        server.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))?;
        Ok(server)
    }

    fn send(&mut self, message: &Value) -> anyhow::Result<()> {
        Ok(self.input.write_all(format!("{message}\n").as_bytes())?)
    }

    fn line(&mut self) -> anyhow::Result<&str> {
        self.line.clear();
        if self.output.read_line(&mut self.line)? == 0 {
            bail!("the server has gone");
        }
        Ok(&self.line)
    }

    fn event(&mut self) -> anyhow::Result<&str> {
        while !self.line()?.contains("notifications/claude/channel") {}
        Ok(&self.line)
    }

    fn request(&mut self, message: &Value) -> anyhow::Result<()> {
        self.send(message)?;
        while !self.line()?.contains("\"result\"") {}
        Ok(())
    }

    fn reply(&mut self, text: &str) -> anyhow::Result<()> {
        self.request(&json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {
            "name": "reply", "arguments": {"chat_id": "web", "text": text}}}))
    }

    fn page(&self) -> anyhow::Result<WebSocket<TcpStream>> {
        for _ in 0..500 {
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", self.port)) {
                stream.set_nodelay(true)?;
                let url = format!("ws://127.0.0.1:{}/ws", self.port);
                return Ok(tungstenite::client(url, stream).map_err(|error| anyhow::anyhow!("{error}"))?.0);
            }
            thread::sleep(Duration::from_millis(10));
        }
        bail!("nothing listens on port {}", self.port)
    }

    /// Proportional set size in MiB: shared pages count in part. Only Linux tells.
    fn memory(&self) -> f64 {
        let rollup =
            std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id())).unwrap_or_default();
        let kibibytes = rollup.lines().find_map(|line| {
            line.strip_prefix("Pss:")?.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok()
        });
        kibibytes.map_or(f64::NAN, |kibibytes| kibibytes / 1024.0)
    }

    /// Seconds of processor time so far, in hundredths. Only Linux tells.
    fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let fields: Vec<f64> = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .map(|field| field.parse().unwrap_or(0.0))
            .collect();
        fields.iter().skip(11).take(2).sum::<f64>() / 100.0
    }

    fn stop(mut self) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        drop(self.input);
        self.child.wait()?;
        Ok(begun.elapsed())
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    quantile(&mut values, 50)
}

/// So many hundredths of the values are smaller.
fn quantile(values: &mut [f64], hundredths: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = values.len() * hundredths / 100;
    values.get(index.min(values.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}
