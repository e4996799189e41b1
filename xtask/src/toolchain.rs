//! Finds or installs a toolchain that compiles Rust to `wasm32-unknown-unknown`.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::bail;

use crate::process;

const TARGET: &str = "wasm32-unknown-unknown";

/// Debian's second toolchain, with the standard library's sources.
const PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

/// A way to build for [`TARGET`].
pub(crate) enum Toolchain {
    /// The toolchain that runs this task has the target's standard library.
    Installed,
    /// Another toolchain that has the standard library's sources and also builds the library.
    Sources { cargo: PathBuf, rustc: PathBuf },
}

impl Toolchain {
    /// Searches in this order: the target's own library, `rustup target add`, a toolchain with sources, Debian's
    /// packages if `install` allows it.
    pub(crate) fn find(install: bool) -> anyhow::Result<Self> {
        if has_target() {
            return Ok(Self::Installed);
        }
        if let Some(toolchain) = with_sources() {
            return Ok(toolchain);
        }
        if process::exists("rustup") {
            process::say(&format!("adding the target {TARGET} with rustup"));
            process::output(Command::new("rustup").args(["target", "add", TARGET]));
            if has_target() {
                return Ok(Self::Installed);
            }
        }
        if process::apt(&PACKAGES, install)
            && let Some(toolchain) = with_sources()
        {
            return Ok(toolchain);
        }
        bail!(
            "nothing here compiles Rust to {TARGET}, which the channels need. Run one of\n  \
             rustup target add {TARGET}\n  \
             apt-get install --no-install-recommends {}   (Debian, where rustup cannot download)\n\
             and this command again, or add --install to have it done.",
            PACKAGES.join(" ")
        );
    }

    /// Returns the command `cargo build` for the target.
    pub(crate) fn build(&self) -> Command {
        match self {
            Self::Installed => {
                let mut command = process::cargo();
                command.args(["build", "--target", TARGET]);
                command
            }
            Self::Sources { cargo, rustc } => {
                let mut command = Command::new(cargo);
                command
                    .current_dir(process::root())
                    .args(["build", "--target", TARGET, "-Zbuild-std=std,panic_abort"])
                    .env("RUSTC", rustc)
                    // With this variable, every compiler can build the standard library.
                    .env("RUSTC_BOOTSTRAP", "1")
                    // With these variables, rustup's proxies would call the other toolchain.
                    .env_remove("RUSTUP_TOOLCHAIN")
                    .env_remove("CARGO");
                if let Some(linker) = linker() {
                    command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
                }
                command
            }
        }
    }
}

fn rustc() -> Command {
    Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}

fn has_target() -> bool {
    let directory = process::output(rustc().args(["--print", "target-libdir", "--target", TARGET]));
    directory.is_some_and(|directory| {
        std::fs::read_dir(directory).is_ok_and(|mut entries| {
            entries.any(|entry| {
                entry.is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with("libstd"))
            })
        })
    })
}

/// Returns the toolchain in use, or the system's own, if it has sources.
fn with_sources() -> Option<Toolchain> {
    let own =
        process::output(rustc().args(["--print", "sysroot"])).map(|sysroot| Path::new(&sysroot).join("bin"));
    own.into_iter().chain([PathBuf::from("/usr/bin")]).find_map(|bin| {
        let (cargo, rustc) = (bin.join("cargo"), bin.join("rustc"));
        let sysroot = process::output(Command::new(&rustc).args(["--print", "sysroot"]))?;
        let sources = Path::new(&sysroot).join("lib/rustlib/src/rust/library/std/Cargo.toml");
        (sources.is_file() && cargo.is_file()).then_some(Toolchain::Sources { cargo, rustc })
    })
}

/// Returns the wasm linker of rustup's toolchain; a system's toolchain may have none.
fn linker() -> Option<PathBuf> {
    let sysroot = process::output(rustc().args(["--print", "sysroot"]))?;
    let host = process::output(rustc().args(["--print", "host-tuple"]))?;
    let linker = Path::new(&sysroot).join("lib/rustlib").join(host).join("bin/rust-lld");
    linker.is_file().then_some(linker)
}
