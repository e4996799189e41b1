//! Measures the way from a chat page to the session, and back.

use std::{
    net::TcpStream,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::bail;
use clap::Args;
use tungstenite::{Message, WebSocket};

use crate::{
    Subject,
    client::{self, Log},
    say,
    server::Server,
    statistics::{Figure, median, quantile, table},
};

#[derive(Args)]
pub(crate) struct Options {
    /// How often everything is measured; the table shows medians
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Messages sent one after the other
    #[arg(long, default_value_t = 3000)]
    messages: u32,
    /// Messages sent at once
    #[arg(long, default_value_t = 50_000)]
    burst: u32,
}

const STARTS: usize = 10;

pub(crate) fn run(subject: &Subject, options: &Options) -> anyhow::Result<()> {
    let own = std::env::current_exe()?;
    let (mut tidegate, mut floor, mut further) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.runs {
        tidegate.push(measure(&subject.program, &["serve", "fakechat", "--opt-in", "always"], options)?);
        floor.push(measure(&own, &["floor", "fakechat"], options)?);
        further.push(another_channel(subject)?);
    }
    table(&tidegate, &floor)?;
    let mut logged = Vec::new();
    let mut unlogged = Vec::new();
    for _ in 0..options.runs.max(3) {
        unlogged.push(burst_with_log(&subject.program, options.burst * 4, false)?);
        logged.push(burst_with_log(&subject.program, options.burst * 4, true)?);
    }
    let (logged, unlogged) = (median(logged), median(unlogged));
    say(&format!("{:<50} {logged:>12.2}", "burst, the client's log growing, messages a second"))?;
    say(&format!("{:<50} {:>12.2}", "… and compared with one that is not followed", logged / unlogged))?;
    say(&format!("{:<50} {:>12.2}", "each further channel (PSS) [MiB]", median(further)))
}

fn measure(program: &Path, arguments: &[&str], options: &Options) -> anyhow::Result<Vec<Figure>> {
    let home = tempfile::tempdir()?;
    let start =
        |port: u16| Server::start(program, arguments, home.path(), &[("FAKECHAT_PORT", port.to_string())]);
    // Warms the compile cache.
    start(free_port()?)?.stop()?;
    let (mut starts, mut stops) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let begun = Instant::now();
        let server = start(free_port()?)?;
        starts.push(begun.elapsed().as_secs_f64() * 1e3);
        stops.push(server.stop()?.as_secs_f64() * 1e3);
    }
    let port = free_port()?;
    let mut server = start(port)?;
    let mut page = page(port)?;
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
        server.reply("web", &text)?;
        outward.push(sent.elapsed().as_secs_f64() * 1e6);
        while !page.read()?.to_text()?.contains(&text) {}
    }

    let burst_cpu = server.cpu();
    let (page, throughput) = burst(&mut server, page, options.burst, None)?;
    let burst_cpu = (server.cpu() - burst_cpu) / f64::from(options.burst) * 1e6;
    let after = server.memory();
    drop(page);
    server.stop()?;
    Ok(vec![
        ("start, to the answer to initialize", "ms", median(starts)),
        ("stop on end of input", "ms", median(stops)),
        ("memory idle (PSS)", "MiB", idle),
        ("memory after the burst (PSS)", "MiB", after),
        ("page to notification, p50", "µs", quantile(&mut inward, 50)),
        ("page to notification, p99", "µs", quantile(&mut inward, 99)),
        ("CPU a message", "µs", cpu),
        ("reply, p50", "µs", quantile(&mut outward, 50)),
        ("reply, p99", "µs", quantile(&mut outward, 99)),
        ("burst, messages a second", "", throughput),
        ("burst, CPU a message", "µs", burst_cpu),
    ])
}

/// Sends this number of messages at once and reads them from the session, in order. Returns messages per second.
fn burst(
    server: &mut Server,
    mut page: WebSocket<TcpStream>,
    count: u32,
    mut log: Option<Log>,
) -> anyhow::Result<(WebSocket<TcpStream>, f64)> {
    let begun = Instant::now();
    let sender = thread::spawn(move || {
        for number in 0..count {
            page.write(frame(number))?;
        }
        page.flush()?;
        Ok::<_, tungstenite::Error>(page)
    });
    for number in 0..count {
        let line = server.event()?;
        let text = format!("message {number}");
        if !line.contains(&format!("\"{text}\"")) {
            bail!("message {number} is missing or out of order: {line}");
        }
        if let Some(log) = &mut log {
            log.receipt(text.len())?;
        }
    }
    let took = begun.elapsed().as_secs_f64();
    let page = sender.join().map_err(|_| anyhow::anyhow!("the page failed"))??;
    Ok((page, f64::from(count) / took))
}

/// Measures the same burst below a client that writes a log. It writes the same lines in both cases; the server finds
/// and follows them, or they are in a place where it does not look.
fn burst_with_log(program: &Path, count: u32, followed: bool) -> anyhow::Result<f64> {
    let home = tempfile::tempdir()?;
    let client = client::program(home.path())?;
    let arguments = client::arguments(program);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let port = free_port()?;
    let caches = home.path().join("caches");
    let environment = [
        ("FAKECHAT_PORT", port.to_string()),
        ("XDG_CACHE_HOME", caches.display().to_string()),
        ("CLAUDE_PROJECT_DIR", home.path().display().to_string()),
    ];
    let mut server = Server::start(&client, &arguments, home.path(), &environment)?;
    let place = if followed { caches } else { home.path().join("elsewhere") };
    let log = Log::open(&place, home.path(), server.version())?;
    let page = listening_page(port)?;
    let (page, throughput) = burst(&mut server, page, count, Some(log))?;
    drop(page);
    server.stop()?;
    Ok(throughput)
}

/// Opens the page, once the server accepts messages.
fn listening_page(port: u16) -> anyhow::Result<WebSocket<TcpStream>> {
    loop {
        let mut page = page(port)?;
        // The history comes to whom the server listens; others are told to come again.
        if page.read()?.is_text() {
            return Ok(page);
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Returns the memory that a second channel adds to the process, in MiB.
fn another_channel(subject: &Subject) -> anyhow::Result<f64> {
    let home = tempfile::tempdir()?;
    let file = subject.guests.join("chameleon.wasm");
    let file = file.to_string_lossy();
    let port = [("FAKECHAT_PORT", free_port()?.to_string())];
    let mut memory = Vec::new();
    for arguments in [
        vec!["serve", "fakechat"],
        vec!["serve", "fakechat", "--dangerously-load-development-channels", &file],
    ] {
        Server::start(&subject.program, &arguments, home.path(), &port)?.stop()?;
        let server = Server::start(&subject.program, &arguments, home.path(), &port)?;
        thread::sleep(Duration::from_millis(500));
        memory.push(server.memory());
        server.stop()?;
    }
    Ok(memory.iter().rev().copied().reduce(|more, less| more - less).unwrap_or_default())
}

fn frame(number: u32) -> Message {
    Message::text(format!("{{\"id\": \"u{number}\", \"text\": \"message {number}\"}}"))
}

/// Returns a port that was free a moment ago; no other program requests ports during the benchmark.
fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn page(port: u16) -> anyhow::Result<WebSocket<TcpStream>> {
    for _ in 0..500 {
        if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) {
            stream.set_nodelay(true)?;
            let url = format!("ws://127.0.0.1:{port}/ws");
            return Ok(tungstenite::client(url, stream).map_err(|error| anyhow::anyhow!("{error}"))?.0);
        }
        thread::sleep(Duration::from_millis(10));
    }
    bail!("nothing listens on port {port}")
}
