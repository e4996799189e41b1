//! Tells the program where the built-in channels are and which wasmtime it is built with.

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const CHANNELS: [&str; 2] = ["fakechat", "telegram"];

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("..");
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |path| root.join(path));
    let guests = guests(&root, &target.join("guests"))?;
    println!("cargo::rustc-env=TIDEGATE_GUESTS={}", guests.display());

    let lock = root.join("Cargo.lock");
    println!("cargo::rerun-if-changed={}", lock.display());
    let lock = fs::read_to_string(lock)?;
    let version = lock
        .split("[[package]]")
        .find(|package| package.contains("name = \"wasmtime\"\n"))
        .and_then(|package| package.split("version = \"").nth(1)?.split('"').next())
        .ok_or("Cargo.lock names no wasmtime")?;
    println!("cargo::rustc-env=TIDEGATE_WASMTIME={version}");
    Ok(())
}

/// The folder with the built-in channels. Where `cargo xtask guests` has built them, it is that one; otherwise, as under
/// `cargo install`, they are built here.
fn guests(root: &Path, built: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let files = |folder: &Path| CHANNELS.map(|name| folder.join(name).with_extension("wasm"));
    for file in files(built) {
        println!("cargo::rerun-if-changed={}", file.display());
    }
    if files(built).iter().all(|file| file.is_file()) {
        return Ok(built.to_owned());
    }
    for part in ["guests", "wit", "xtask"] {
        println!("cargo::rerun-if-changed={}", root.join(part).display());
    }
    // A target folder of its own: the other one is locked by the build that runs this.
    let target = PathBuf::from(env::var("OUT_DIR")?).join("channels");
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(root)
        .args(["run", "--quiet", "--package", "xtask", "--", "guests"])
        .env("CARGO_TARGET_DIR", &target)
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    let output = command.output()?;
    let folder = target.join("guests");
    if !output.status.success() || !files(&folder).iter().all(|file| file.is_file()) {
        println!("cargo::error=the built-in channels cannot be built; `cargo xtask guests` says:");
        for line in String::from_utf8_lossy(&output.stderr).lines() {
            println!("cargo::error={line}");
        }
    }
    Ok(folder)
}
