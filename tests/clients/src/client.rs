//! Finds installed clients, and installs others.

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};

use crate::description::Description;

/// An installed client.
#[derive(Debug)]
pub(crate) struct Client {
    /// Its name in the descriptions.
    pub(crate) name: String,
    pub(crate) description: Description,
    pub(crate) program: PathBuf,
}

/// Returns the clients in `named` (`NAME` or `NAME=PROGRAM`), which must be installed; if it is empty, all installed
/// ones.
pub(crate) fn find(
    descriptions: &BTreeMap<String, Description>,
    named: &[String],
    cache: &Path,
) -> anyhow::Result<Vec<Client>> {
    let client = |name: &str, description: &Description, program: PathBuf| Client {
        name: name.to_owned(),
        description: description.clone(),
        program,
    };
    if named.is_empty() {
        let here = descriptions
            .iter()
            .filter_map(|(name, description)| Some(client(name, description, locate(description, cache)?)));
        return Ok(here.collect());
    }
    let one = |named: &String| {
        let (name, program) = match named.split_once('=') {
            Some((name, program)) => (name, Some(PathBuf::from(program))),
            None => (named.as_str(), None),
        };
        let description = described(descriptions, name)?;
        let program = program
            .map(|program| {
                program.canonicalize().with_context(|| format!("there is no {}", program.display()))
            })
            .or_else(|| locate(description, cache).map(Ok))
            .with_context(|| description.where_to_find(name))??;
        Ok(client(name, description, program))
    };
    named.iter().map(one).collect()
}

fn described<'a>(
    descriptions: &'a BTreeMap<String, Description>,
    name: &str,
) -> anyhow::Result<&'a Description> {
    descriptions.get(name).with_context(|| {
        let known: Vec<_> = descriptions.keys().map(String::as_str).collect();
        format!("no client is described as {name}: there is {}", known.join(", "))
    })
}

/// Looks for the program in this order: the variable, `PATH`, the cache of earlier installations.
fn locate(description: &Description, cache: &Path) -> Option<PathBuf> {
    let named = description.variable.as_ref().and_then(env::var_os).map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain([cache.join("node_modules/.bin")]);
    named
        .into_iter()
        .chain(folders.map(|folder| folder.join(&description.program)))
        .find(|program| program.is_file())
}

/// Installs clients from the npm registry into the cache folder: the named ones, or all that have a package.
pub(crate) fn install(
    descriptions: &BTreeMap<String, Description>,
    named: &[String],
    cache: &Path,
) -> anyhow::Result<()> {
    let mut packages = Vec::new();
    if named.is_empty() {
        packages.extend(descriptions.values().filter_map(|description| description.package.as_deref()));
    }
    // A client that was named with its program is here.
    for name in named.iter().filter(|name| !name.contains('=')) {
        let package = described(descriptions, name)?.package.as_deref();
        packages.push(package.with_context(|| format!("no package is known that brings {name}"))?);
    }
    std::fs::create_dir_all(cache).with_context(|| format!("cannot make the folder {}", cache.display()))?;
    let status = Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--prefix"])
        .arg(cache)
        .args(packages)
        .stdin(Stdio::null())
        .status()
        .context("cannot start npm, which comes with Node")?;
    if !status.success() {
        bail!("npm ended with {status}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    fn descriptions() -> BTreeMap<String, Description> {
        let mut descriptions = Description::read(None).unwrap();
        let client = descriptions.get_mut("claude-code").unwrap();
        client.variable = None;
        client.program = "no-such-program-anywhere".into();
        descriptions
    }

    #[test]
    fn a_client_is_found_in_the_cache_by_its_name_or_where_it_is_said_to_be() {
        let cache = tempfile::tempdir().unwrap();
        let descriptions = descriptions();
        assert!(find(&descriptions, &[], cache.path()).unwrap().is_empty());
        let folder = cache.path().join("node_modules/.bin");
        fs::create_dir_all(&folder).unwrap();
        let program = folder.join("no-such-program-anywhere");
        fs::write(&program, "").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        for named in [vec![], vec!["claude-code".to_owned()]] {
            let found = find(&descriptions, &named, cache.path()).unwrap();
            assert_eq!(found[0].program, program, "{named:?}");
        }
        let twice = [format!("claude-code={}", program.display()), "claude-code".to_owned()];
        assert_eq!(find(&descriptions, &twice, cache.path()).unwrap().len(), 2);
    }

    #[test]
    fn what_was_named_and_is_not_here_is_an_error_that_says_what_to_do() {
        let cache = tempfile::tempdir().unwrap();
        for (named, part) in [
            ("claude-code", "--install claude-code"),
            ("claude-code=/no/such/file", "there is no /no/such/file"),
            ("other", "no client is described as other: there is claude-code"),
        ] {
            let error = find(&descriptions(), &[named.to_owned()], cache.path()).unwrap_err();
            assert!(format!("{error:#}").contains(part), "{error:#}");
        }
    }
}
