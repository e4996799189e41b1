//! The program that runs clients.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    clients::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    use std::io::Write as _;
    let line = "SKIPPED clients: only Linux has a network with nothing in it to run them in";
    let _ = writeln!(std::io::stderr(), "{line}");
    ExitCode::SUCCESS
}
