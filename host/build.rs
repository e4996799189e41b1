//! Tells the program where the built-in channels are and which wasmtime it is built with.

use std::{env, error::Error, fs, path::PathBuf};

const CHANNELS: [&str; 2] = ["fakechat", "telegram"];

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("..");
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |path| root.join(path));
    let guests = target.join("guests");
    for name in CHANNELS {
        let path = guests.join(name).with_extension("wasm");
        println!("cargo::rerun-if-changed={}", path.display());
        if !path.is_file() {
            println!("cargo::error=the channel {name} is not built yet: run `cargo xtask guests` first");
        }
    }
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
