//! `fake-telegram [--port N] [--token T] [--latency-ms N]`: serves until it is killed, or until its standard input ends.

use std::{
    io::{Read as _, Write as _},
    process::ExitCode,
    time::Duration,
};

use fake_telegram::{Control, Server, TOKEN};
use serde_json::json;

const USAGE: &str = "usage: fake-telegram [--port N] [--token T] [--latency-ms N]";

struct Options {
    port: u16,
    token: String,
    latency: Duration,
}

fn options() -> Option<Options> {
    let mut options = Options { port: 0, token: TOKEN.to_owned(), latency: Duration::ZERO };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next()?;
        match name.as_str() {
            "--port" => options.port = value.parse().ok()?,
            "--token" => options.token = value,
            "--latency-ms" => options.latency = Duration::from_millis(value.parse().ok()?),
            _ => return None,
        }
    }
    Some(options)
}

fn main() -> ExitCode {
    let Some(options) = options() else {
        let _ = writeln!(std::io::stderr(), "{USAGE}");
        return ExitCode::from(2);
    };
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "fake-telegram: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> std::io::Result<()> {
    let server = Server::at(options.port, options.token);
    server.latency(options.latency);
    let (address, token) = (server.address(), server.token());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let control = runtime.block_on(Control::bind(server))?;
    let line = json!({"address": address, "token": token, "control": control.address()?});
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{line}")?;
    stdout.flush()?;
    // Whoever started this may be gone without a word.
    let (sender, gone) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = sender.send(());
    });
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = control.serve() => outcome,
            _ = gone => Ok(()),
        }
    });
    runtime.shutdown_background();
    outcome
}
