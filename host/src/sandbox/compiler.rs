//! The compiler, in a separate, short-lived process.
//!
//! Compiling inside the host would leave the compiler's memory behind (325 MB after a 12 MB component), and an
//! untrusted component that exploits the compiler would gain all of the host's rights.

use std::{
    io::{self, Read as _, Write as _},
    path::Path,
    process::Stdio,
    time::Duration,
};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::configuration::configuration;

/// The hidden subcommand that runs the compiler.
pub const SUBCOMMAND: &str = "compile-component";

/// The time limit of the compiler. A 12 MB component written in JavaScript takes 9 s.
const TIME: Duration = Duration::from_mins(2);

/// The limit of the compiler's address space, in bytes. The same component needs 380 MB.
const MEMORY: u64 = 4 << 30;

/// Why there is no compiled form.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes are not a component, or a broken one.
    #[error("it is not a valid WebAssembly component: {0}")]
    Invalid(String),
    /// The compiler took too long.
    #[error("compiling it took longer than {} s", TIME.as_secs())]
    Slow,
    /// The compiler died, most likely because it ran out of memory.
    #[error("the compiler ended with {0}; it may use {memory} GiB of memory", memory = MEMORY >> 30)]
    Died(std::process::ExitStatus),
    /// The compiler could not be started, or communication with it failed.
    #[error("the compiler cannot be run: {0}")]
    Start(#[from] io::Error),
}

/// The first bytes of every component.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
/// The first bytes of every core module.
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// Rejects bytes that do not begin like a component, without running the compiler.
pub(super) fn check(bytes: &[u8]) -> Result<(), Error> {
    if bytes.starts_with(MODULE) {
        let hint = "it is a core module; `wasm-tools component new` makes a component of one";
        return Err(Error::Invalid(hint.to_owned()));
    }
    if !bytes.starts_with(COMPONENT) {
        return Err(Error::Invalid("it does not begin like one".to_owned()));
    }
    Ok(())
}

/// Compiles into a file, in a child process that gets only the bytes and the path.
pub(super) async fn compile(bytes: &[u8], output: &Path) -> Result<(), Error> {
    let mut child = tokio::process::Command::new(std::env::current_exe()?)
        .arg(SUBCOMMAND)
        .arg(output)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let (mut stdin, mut stderr) = (child.stdin.take(), child.stderr.take());
    let work = async {
        let feed = async {
            if let Some(mut stdin) = stdin.take() {
                // A child that rejects the bytes gives the reason on stderr.
                let _ = stdin.write_all(bytes).await;
            }
        };
        let mut complaint = Vec::new();
        let listen = async {
            if let Some(stderr) = &mut stderr {
                let _ = stderr.take(4096).read_to_end(&mut complaint).await;
            }
        };
        tokio::join!(feed, listen);
        let status = child.wait().await?;
        Ok::<_, io::Error>((status, complaint))
    };
    let (status, complaint) = tokio::time::timeout(TIME, work).await.map_err(|_| Error::Slow)??;
    match status.code() {
        Some(0) => Ok(()),
        Some(1) => Err(Error::Invalid(one_line(&String::from_utf8_lossy(&complaint)))),
        _ => Err(Error::Died(status)),
    }
}

/// Runs in the child: reads the component from stdin, and writes its compiled form to the file. The error is for
/// stderr.
pub fn run(output: &Path) -> Result<(), String> {
    restrict().map_err(|error| format!("cannot set limits: {error}"))?;
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    let engine = wasmtime::Engine::new(&configuration(true)).map_err(|error| format!("{error:#}"))?;
    let compiled = engine.precompile_component(&bytes).map_err(|error| format!("{error:#}"))?;
    let write = || {
        let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).open(output)?;
        file.write_all(&compiled)?;
        file.sync_all()
    };
    write().map_err(|error| format!("cannot write {}: {error}", output.display()))
}

/// Joins the lines of a message, and cuts it to 300 bytes.
fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.get(..line.floor_char_boundary(300)).unwrap_or_default().to_owned()
}

fn restrict() -> rustix::io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let limit = |value| Rlimit { current: Some(value), maximum: Some(value) };
    setrlimit(Resource::As, limit(MEMORY))?;
    setrlimit(Resource::Cpu, limit(TIME.as_secs()))?;
    setrlimit(Resource::Core, limit(0))
}
