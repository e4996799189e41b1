//! A channel's secrets: read from the environment, the `.env` file or the keyring, and never given to the guest.

use std::{
    collections::BTreeMap,
    fmt, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::RwLock;

mod file;
mod keyring;

use hmac::{Hmac, KeyInit, Mac};

use crate::contract::imports::environment::Digest;

/// The values of a channel's credentials, by the credential's name. A guest never gets them.
#[derive(Default)]
pub struct Secrets {
    /// The names of credentials, and the variables that hold their values.
    credentials: Vec<(String, String)>,
    file: PathBuf,
    values: RwLock<Arc<BTreeMap<String, String>>>,
    /// Whether the file referred to the keyring when it was last read.
    in_keyring: AtomicBool,
}

/// Why secrets cannot be read or stored.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] io::Error),
    /// The keyring cannot be used.
    #[error(transparent)]
    Keyring(#[from] keyring::Error),
}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.values().keys()).finish()
    }
}

impl Secrets {
    /// Reads the values of these credentials (name and variable). The process environment takes precedence over the
    /// file. Values in the system's keyring are left to [`Secrets::refresh`], which may have to wait for a person.
    pub fn read<'a>(
        credentials: impl Iterator<Item = (&'a str, &'a str)>,
        file: &Path,
    ) -> Result<Self, Unavailable> {
        let credentials =
            credentials.map(|(name, variable)| (name.to_owned(), variable.to_owned())).collect();
        let secrets = Self { credentials, file: file.to_owned(), ..Self::default() };
        secrets.load(|_| Ok(None))?;
        Ok(secrets)
    }

    /// Reads all values again. Returns whether any value has changed. Blocks as long as the keyring is locked.
    pub fn refresh(&self) -> Result<bool, Unavailable> {
        self.load(|entry| Ok(Some(keyring::read(entry)?)))
    }

    fn load(
        &self,
        look_up: impl Fn(&str) -> Result<Option<String>, keyring::Error>,
    ) -> Result<bool, Unavailable> {
        let text = file::read(&self.file)?;
        let stored = file::parse(&text);
        let mut values = BTreeMap::new();
        let mut found: BTreeMap<&str, Option<String>> = BTreeMap::new();
        let is_reference = |variable: &String| {
            stored.get(variable.as_str()).is_some_and(|value| value.starts_with(keyring::REFERENCE))
        };
        let in_keyring = self.credentials.iter().any(|(_, variable)| is_reference(variable));
        self.in_keyring.store(in_keyring, Ordering::Relaxed);
        for (name, variable) in &self.credentials {
            let value = match (std::env::var(variable), stored.get(variable.as_str())) {
                (Ok(value), _) => Some(value),
                (Err(_), Some(value)) => match value.strip_prefix(keyring::REFERENCE) {
                    // Several credentials can share one entry.
                    Some(entry) => match found.get(entry) {
                        Some(value) => value.clone(),
                        None => found.entry(entry).or_insert(look_up(entry)?).clone(),
                    },
                    None => Some((*value).to_owned()),
                },
                (Err(_), None) => None,
            };
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                values.insert(name.clone(), value);
            }
        }
        Ok(self.replace(values))
    }

    /// Stores these values by variable: in the file, or in the system's keyring with a reference in the file.
    pub fn store(&self, values: &BTreeMap<String, String>, in_keyring: bool) -> Result<(), Unavailable> {
        let mut lines = values.clone();
        if in_keyring {
            for (variable, value) in &mut lines {
                let entry = format!("{variable} of {}", self.file.display());
                keyring::write(&entry, value)?;
                *value = format!("{}{entry}", keyring::REFERENCE);
            }
        }
        Ok(file::write(&self.file, &lines)?)
    }

    /// Checks that there is a keyring, before a person is asked for a secret to store in it.
    pub fn check_keyring(&self) -> Result<(), Unavailable> {
        Ok(keyring::check()?)
    }

    /// Uses other values, by variable, without storing them.
    pub fn suppose(&self, supposed: &BTreeMap<String, String>) {
        let mut values = (*self.values()).clone();
        for (name, variable) in &self.credentials {
            if let Some(value) = supposed.get(variable) {
                values.insert(name.clone(), value.clone());
            }
        }
        self.replace(values);
    }

    fn replace(&self, values: BTreeMap<String, String>) -> bool {
        let mut current = self.values.write();
        let news = **current != values;
        *current = Arc::new(values);
        news
    }

    /// Returns whether any value is in the system's keyring, which may have to ask a person.
    pub fn in_keyring(&self) -> bool {
        self.in_keyring.load(Ordering::Relaxed)
    }

    /// Returns the path of the file that stores the values.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Returns all current values, by the credential's name.
    pub(super) fn values(&self) -> Arc<BTreeMap<String, String>> {
        Arc::clone(&self.values.read())
    }

    /// Returns whether the credential with this name has a value.
    pub fn has(&self, name: &str) -> bool {
        self.values().contains_key(name)
    }

    /// Returns whether this is the signature of these bytes. Compares in constant time. Returns false if the credential
    /// has no value.
    pub(super) fn verify(&self, name: &str, digest: Digest, bytes: &[u8], signature: &[u8]) -> bool {
        fn check<M: Mac + KeyInit>(key: &[u8], bytes: &[u8], signature: &[u8]) -> bool {
            <M as KeyInit>::new_from_slice(key)
                .is_ok_and(|mac| mac.chain_update(bytes).verify_slice(signature).is_ok())
        }
        let values = self.values();
        let Some(value) = values.get(name) else { return false };
        let check = match digest {
            Digest::Sha1 => check::<Hmac<sha1::Sha1>>,
            Digest::Sha256 => check::<Hmac<sha2::Sha256>>,
            Digest::Sha512 => check::<Hmac<sha2::Sha512>>,
        };
        check(value.as_bytes(), bytes, signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 2.
    #[test]
    fn a_signature_is_checked() {
        let secrets = Secrets::default();
        secrets.replace([("hook".to_owned(), "Jefe".to_owned())].into());
        let bytes = b"what do ya want for nothing?";
        let signature: Vec<u8> = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        assert!(secrets.verify("hook", Digest::Sha256, bytes, &signature));
        assert!(!secrets.verify("hook", Digest::Sha256, b"other bytes", &signature));
        assert!(!secrets.verify("hook", Digest::Sha256, bytes, &signature[1..]));
        assert!(!secrets.verify("unknown", Digest::Sha256, bytes, &signature));
        assert!(!format!("{secrets:?}").contains("Jefe"));
    }
}
