//! Measures the way from a Bot API to the session, and back: with a short and with a long round trip.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::bail;
use clap::Args;
use fake_telegram::{Server as Platform, User};

use crate::{
    Subject,
    floor::{ADDRESS, TOKEN},
    server::Server,
    statistics::{Figure, median, quantile, table},
};

#[derive(Args)]
pub(crate) struct Options {
    /// How often everything is measured; the table shows medians
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Messages sent one after the other with a short round trip; a fifth of it with a long one
    #[arg(long, default_value_t = 1000)]
    messages: u32,
    /// Updates that wait at the start
    #[arg(long, default_value_t = 2000)]
    waiting: u32,
}

/// The long round trip.
const ROUND_TRIP: Duration = Duration::from_millis(50);

/// The duration of the idle measurement.
const IDLE: Duration = Duration::from_secs(4);

const STARTS: usize = 10;

/// The server under measurement.
#[derive(Clone, Copy)]
enum Candidate<'a> {
    Tidegate(&'a Path),
    Floor(&'a Path),
}

/// A candidate with a folder for its state.
#[derive(Clone, Copy)]
struct Setup<'a> {
    candidate: Candidate<'a>,
    home: &'a Path,
}

impl Setup<'_> {
    fn start(self, platform: &Platform) -> anyhow::Result<Server> {
        match self.candidate {
            Candidate::Tidegate(program) => serve(program, self.home, platform),
            Candidate::Floor(program) => floor(program, self.home, platform),
        }
    }
}

pub(crate) fn run(subject: &Subject, options: &Options) -> anyhow::Result<()> {
    let own = std::env::current_exe()?;
    let (mut tidegate, mut least) = (Vec::new(), Vec::new());
    for _ in 0..options.runs {
        tidegate.push(measure(options, Candidate::Tidegate(&subject.program))?);
        least.push(measure(options, Candidate::Floor(&own))?);
    }
    table(&tidegate, &least)
}

fn serve(program: &Path, home: &Path, platform: &Platform) -> anyhow::Result<Server> {
    let folder = home.join("telegram");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join(".env"), format!("TELEGRAM_BOT_TOKEN={}\n", platform.token()))?;
    let access = format!("{{\"dmPolicy\": \"allowlist\", \"allowFrom\": [\"{}\"]}}", person().id);
    std::fs::write(folder.join("access.json"), access)?;
    let settings = format!("[telegram.settings]\napi_base = \"{}\"\n", platform.address());
    std::fs::write(home.join("channels.toml"), settings)?;
    Server::start(program, &["serve", "telegram", "--opt-in", "always"], home, &[])
}

fn floor(program: &Path, home: &Path, platform: &Platform) -> anyhow::Result<Server> {
    let environment = [(ADDRESS, platform.address()), (TOKEN, platform.token())];
    Server::start(program, &["floor", "telegram"], home, &environment)
}

fn person() -> User {
    User::new(412_587_349, "Ada").username("ada")
}

fn measure(options: &Options, candidate: Candidate<'_>) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let home = tempfile::tempdir()?;
    let setup = Setup { candidate, home: home.path() };
    let platform = Platform::start();
    // Warms the compile cache.
    setup.start(&platform)?.stop()?;
    for (name, round_trip) in
        [("start, to the answer to initialize", Duration::ZERO), ("start, round trip 50 ms", ROUND_TRIP)]
    {
        platform.latency(round_trip);
        let mut starts = Vec::new();
        for _ in 0..STARTS {
            let begun = Instant::now();
            let server = setup.start(&platform)?;
            starts.push(begun.elapsed().as_secs_f64() * 1e3);
            server.stop()?;
        }
        figures.push((name, "ms", median(starts)));
    }
    platform.latency(Duration::ZERO);
    converse(options, setup, &platform, &mut figures)?;
    for (name, round_trip) in [
        ("waiting updates, a second", Duration::ZERO),
        ("waiting updates, a second, round trip 50 ms", ROUND_TRIP),
    ] {
        figures.push((name, "", waiting(options, setup, round_trip)?));
    }
    Ok(figures)
}

fn converse(
    options: &Options,
    setup: Setup<'_>,
    platform: &Platform,
    figures: &mut Vec<Figure>,
) -> anyhow::Result<()> {
    let (user, chat) = (person(), person().chat());
    let mut server = setup.start(platform)?;
    for number in 0..50 {
        platform.says(&user, &chat, format!("warm {number}"));
        server.event()?;
    }
    // Answered: nobody is shown that something is being worked on. Threads that waited for the disk are gone by then.
    server.reply(&chat.id.to_string(), "done")?;
    thread::sleep(Duration::from_secs(4));
    figures.push(("memory idle (PSS)", "MiB", server.memory()));
    let (cpu, wakeups) = (server.cpu(), server.wakeups());
    thread::sleep(IDLE);
    figures.push((
        "idle: CPU, of a second each second",
        "ms",
        (server.cpu() - cpu) / IDLE.as_secs_f64() * 1e3,
    ));
    figures.push(("idle: wake-ups a second", "", (server.wakeups() - wakeups) / IDLE.as_secs_f64()));

    for (names, round_trip, messages) in [
        (
            ["update to notification, p50", "update to notification, p99", "reply, p50", "reply, p99"],
            Duration::ZERO,
            options.messages,
        ),
        (
            [
                "update to notification, p50, round trip 50 ms",
                "update to notification, p99, round trip 50 ms",
                "reply, p50, round trip 50 ms",
                "reply, p99, round trip 50 ms",
            ],
            ROUND_TRIP,
            options.messages / 5,
        ),
    ] {
        platform.latency(round_trip);
        // Polls that began before have ended.
        platform.says(&user, &chat, "now");
        server.event()?;
        let (mut inward, mut outward) = (Vec::new(), Vec::new());
        for number in 0..messages {
            // The next poll has begun.
            thread::sleep(round_trip + Duration::from_millis(2));
            let sent = Instant::now();
            platform.says(&user, &chat, format!("message {number}"));
            server.event()?;
            inward.push(sent.elapsed().as_secs_f64() * 1e6);
        }
        for number in 0..messages / 2 {
            let sent = Instant::now();
            server.reply(&chat.id.to_string(), &format!("reply {number}"))?;
            outward.push(sent.elapsed().as_secs_f64() * 1e6);
        }
        let [inward_50, inward_99, outward_50, outward_99] = names;
        figures.push((inward_50, "µs", quantile(&mut inward, 50)));
        figures.push((inward_99, "µs", quantile(&mut inward, 99)));
        figures.push((outward_50, "µs", quantile(&mut outward, 50)));
        figures.push((outward_99, "µs", quantile(&mut outward, 99)));
    }
    platform.latency(Duration::ZERO);
    let cpu = server.cpu();
    for number in 0..options.waiting {
        platform.says(&user, &chat, format!("burst {number}"));
    }
    for number in 0..options.waiting {
        expect(&mut server, &format!("burst {number}"))?;
    }
    figures.push(("burst, CPU a message", "µs", (server.cpu() - cpu) / f64::from(options.waiting) * 1e6));
    figures.push(("memory after the burst (PSS)", "MiB", server.memory()));
    server.stop()?;
    Ok(())
}

/// Returns the rate from the session's start to the last of the waiting updates.
fn waiting(options: &Options, setup: Setup<'_>, round_trip: Duration) -> anyhow::Result<f64> {
    // Another platform: what is known of the last one is of no use.
    let home = tempfile::tempdir()?;
    let setup = Setup { home: home.path(), ..setup };
    let (user, chat) = (person(), person().chat());
    let platform = Platform::start();
    for number in 0..options.waiting {
        platform.says(&user, &chat, format!("waiting {number}"));
    }
    platform.latency(round_trip);
    let mut server = setup.start(&platform)?;
    let begun = Instant::now();
    for number in 0..options.waiting {
        expect(&mut server, &format!("waiting {number}"))?;
    }
    let took = begun.elapsed().as_secs_f64();
    server.stop()?;
    Ok(f64::from(options.waiting) / took)
}

fn expect(server: &mut Server, text: &str) -> anyhow::Result<()> {
    let line = server.event()?;
    if !line.contains(&format!("\"{text}\"")) {
        bail!("\"{text}\" is missing or out of order: {line}");
    }
    Ok(())
}
