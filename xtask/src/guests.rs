//! Builds the channels: compiles each crate to a core module and converts that into a component.

use std::{fs, path::PathBuf};

use anyhow::Context as _;
use wit_component::ComponentEncoder;

use crate::{process, toolchain::Toolchain};

/// The channels that are embedded in the program.
const SHIPPED: [&str; 2] = ["fakechat", "telegram"];
/// The guests that only tests load.
const FIXTURES: [&str; 4] = ["bazaar", "chameleon", "courier", "postman"];

/// Which guests to build.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Set {
    Shipped,
    All,
}

/// Returns the folder of the components, which the host's build script and the tests read.
pub(crate) fn directory() -> PathBuf {
    process::target().join("guests")
}

pub(crate) fn build(set: Set, install: bool) -> anyhow::Result<()> {
    let toolchain = Toolchain::find(install)?;
    let names: Vec<&str> = match set {
        Set::Shipped => SHIPPED.to_vec(),
        Set::All => SHIPPED.into_iter().chain(FIXTURES).collect(),
    };
    // Separate from the host's own target folder, because another toolchain may be used here.
    let target = process::target().join("wasm");
    fs::create_dir_all(directory())?;
    for name in names {
        // One at a time, because the features of the guest crate differ from channel to channel.
        let mut command = toolchain.build();
        command.args(["--quiet", "--profile", "guest", "--package", name, "--target-dir"]).arg(&target);
        process::run(&mut command)?;
        let module = target.join("wasm32-unknown-unknown/guest").join(name).with_extension("wasm");
        let component =
            encode(&module).with_context(|| format!("cannot make a component of {}", module.display()))?;
        let path = directory().join(name).with_extension("wasm");
        // An unchanged file keeps its modification time, so that the host is not built again.
        if fs::read(&path).ok().as_deref() != Some(&component) {
            fs::write(&path, &component).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    Ok(())
}

fn encode(module: &PathBuf) -> anyhow::Result<Vec<u8>> {
    ComponentEncoder::default().validate(true).module(&fs::read(module)?)?.encode()
}
