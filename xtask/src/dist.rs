//! Builds the release: an archive for each platform, with the program, its manual and its completions, and checksums.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest as _, Sha256};

use crate::{guests, process};

/// The shells whose completions are in the archive, and the names of the files.
const COMPLETIONS: [(&str, &str); 3] =
    [("bash", "tidegate.bash"), ("fish", "tidegate.fish"), ("zsh", "_tidegate")];

/// The file with the checksums of all archives, in the format of `sha256sum --check`.
const SUMS: &str = "SHA256SUMS";

/// Builds archives for these platforms into `target/archives`; if there are none, for this machine's platform.
pub(crate) fn run(platforms: &[String], install: bool) -> anyhow::Result<()> {
    guests::build(guests::Set::Shipped, install)?;
    let own = process::output(Command::new("rustc").args(["--print", "host-tuple"]))
        .context("rustc does not say which platform this is")?;
    // The manual can only be written by a program for this machine's platform.
    let native = program(&own, &own)?;
    let common = process::target().join("dist-files");
    let _ = fs::remove_dir_all(&common);
    describe(&native, &common)?;
    let platforms = if platforms.is_empty() { std::slice::from_ref(&own) } else { platforms };
    let folder = process::target().join("archives");
    fs::create_dir_all(&folder)?;
    for platform in platforms {
        let program = program(platform, &own)?;
        let name = format!("tidegate-{}-{platform}", env!("CARGO_PKG_VERSION"));
        let archive = folder.join(format!("{name}.tar.gz"));
        pack(&archive, &name, &program, &common)
            .with_context(|| format!("cannot write {}", archive.display()))?;
        process::say(&format!("packed {}", archive.display()));
    }
    sum_up(&folder)
}

/// Builds the program for a platform.
fn program(platform: &str, own: &str) -> anyhow::Result<PathBuf> {
    let mut command = process::cargo();
    command.args(["build", "--package", "tidegate", "--profile", "dist"]);
    let mut folder = process::target();
    if platform != own {
        let library =
            process::output(Command::new("rustc").args(["--print", "target-libdir", "--target", platform]));
        anyhow::ensure!(
            library.is_some_and(|library| Path::new(&library).is_dir()),
            "nothing here compiles for {platform}: run `rustup target add {platform}`, and install a C compiler and linker for \
             it. The release workflow builds each platform on a machine of its own"
        );
        command.args(["--target", platform]);
        folder.push(platform);
    }
    process::run(&mut command)?;
    Ok(folder.join("dist/tidegate"))
}

/// Runs the program to write its manual and completions, and adds the documents.
fn describe(program: &Path, folder: &Path) -> anyhow::Result<()> {
    let (manual, completions) = (folder.join("man"), folder.join("completions"));
    fs::create_dir_all(&manual)?;
    fs::create_dir_all(&completions)?;
    process::output(Command::new(program).arg("manual").arg(&manual))
        .context("the program writes no manual")?;
    for (shell, file) in COMPLETIONS {
        let script = process::output(Command::new(program).args(["completions", shell]));
        fs::write(completions.join(file), script.context("the program writes no completions")? + "\n")?;
    }
    // Includes the picture: the archive has the targets of the README's links, except those that only a clone has.
    fs::create_dir_all(folder.join("docs"))?;
    fs::create_dir_all(folder.join("guests/fakechat"))?;
    let documentation = files(&process::root().join("docs"))?.into_iter().map(|name| format!("docs/{name}"));
    let others = ["README.md", "SECURITY.md", "LICENSE", "guests/fakechat/screenshot.png"].map(str::to_owned);
    for file in documentation.chain(others) {
        fs::copy(process::root().join(&file), folder.join(&file))?;
    }
    Ok(())
}

/// Packs an archive. The same files give the same bytes on every machine.
fn pack(archive: &Path, name: &str, program: &Path, common: &Path) -> io::Result<()> {
    let mut tar = tar::Builder::new(GzEncoder::new(File::create(archive)?, Compression::best()));
    let mut add = |path: &Path, place: &str, mode: u32| {
        let bytes = fs::read(path)?;
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(mode);
        header.set_mtime(0);
        tar.append_data(&mut header, format!("{name}/{place}"), bytes.as_slice())
    };
    add(program, "tidegate", 0o755)?;
    for place in files(common)? {
        add(&common.join(&place), &place, 0o644)?;
    }
    tar.into_inner()?.finish()?.sync_all()
}

/// Returns the files below a folder, sorted.
fn files(folder: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            found.extend(files(&entry.path())?.into_iter().map(|below| format!("{name}/{below}")));
        } else {
            found.push(name);
        }
    }
    found.sort();
    Ok(found)
}

/// Writes the checksums of all archives in the folder.
fn sum_up(folder: &Path) -> anyhow::Result<()> {
    let mut sums = String::new();
    for name in files(folder)?.into_iter().filter(|name| name.ends_with(".tar.gz")) {
        let digest = Sha256::digest(fs::read(folder.join(&name))?);
        for byte in digest {
            write!(sums, "{byte:02x}")?;
        }
        writeln!(sums, "  {name}")?;
    }
    fs::write(folder.join(SUMS), &sums)?;
    process::say(sums.trim_end());
    Ok(())
}
