use std::{collections::BTreeMap, fmt, path::Path};

use hmac::{Hmac, KeyInit, Mac};

use crate::contract::imports::environment::Digest;

/// The values of a channel's credentials, by the credential's name. They never enter a guest.
#[derive(Default)]
pub struct Secrets(BTreeMap<String, String>);

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

impl Secrets {
    /// Reads the values of these credentials (name and variable): the process environment wins over the file.
    pub fn read<'a>(
        credentials: impl Iterator<Item = (&'a str, &'a str)>,
        file: &Path,
    ) -> std::io::Result<Self> {
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let stored = parse(&text);
        let value = |variable: &str| {
            std::env::var(variable).ok().or_else(|| stored.get(variable).map(|value| (*value).to_owned()))
        };
        let values = credentials
            .filter_map(|(name, variable)| Some((name.to_owned(), value(variable)?)))
            .filter(|(_, value)| !value.is_empty());
        Ok(Self(values.collect()))
    }

    /// Is there a value for the credential with this name?
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The value of the credential with this name: for a request, never for the guest.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// All of them: what must never come back.
    pub(super) fn values(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(String::as_str)
    }

    /// Is this the signature of these bytes? Compared in constant time; false where the credential has no value.
    pub(super) fn verify(&self, name: &str, digest: Digest, bytes: &[u8], signature: &[u8]) -> bool {
        fn check<M: Mac + KeyInit>(key: &[u8], bytes: &[u8], signature: &[u8]) -> bool {
            <M as KeyInit>::new_from_slice(key)
                .is_ok_and(|mac| mac.chain_update(bytes).verify_slice(signature).is_ok())
        }
        let Some(value) = self.0.get(name) else { return false };
        let check = match digest {
            Digest::Sha1 => check::<Hmac<sha1::Sha1>>,
            Digest::Sha256 => check::<Hmac<sha2::Sha256>>,
            Digest::Sha512 => check::<Hmac<sha2::Sha512>>,
        };
        check(value.as_bytes(), bytes, signature)
    }
}

/// `NAME=value` a line, as the official plugins write it; quotes around a value are taken off.
fn parse(text: &str) -> BTreeMap<&str, &str> {
    text.lines()
        .filter_map(|line| {
            let line = line.trim();
            let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
            let value = value.trim();
            let bare =
                ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
            (!name.starts_with('#')).then_some((name.trim(), bare.unwrap_or(value)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_official_plugins_is_understood() {
        let values = parse("# a comment\nA=1:x=y\n export B=\"two words\" \n#C=3\nD='4'\nE=\nnonsense\n");
        assert_eq!(values["A"], "1:x=y");
        assert_eq!(values["B"], "two words");
        assert_eq!(values["D"], "4");
        assert_eq!(values["E"], "");
        assert_eq!(values.len(), 4);
    }

    /// RFC 4231, test case 2.
    #[test]
    fn a_signature_is_checked() {
        let secrets = Secrets([("hook".to_owned(), "Jefe".to_owned())].into());
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
