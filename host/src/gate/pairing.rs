//! Pairing: a stranger becomes a sender with a code that only the stranger was told and that a person confirms.

use std::{fmt, time::Duration};

use hmac::Hmac;
use sha2::Sha256;

use super::Reason;
use crate::event::{ChatId, SenderId};

/// How long a code can be confirmed.
pub const LIFETIME: Duration = Duration::from_hours(1);
/// Maximum number of pending codes of a channel, including denied ones. A stranger who was denied cannot take another
/// place before the hour is over, and a flood makes the bot speak and the terminal ask three times an hour.
pub const MOST: usize = 3;
/// Maximum number of answers to one sender within [`LIFETIME`].
pub const ANSWERS: u32 = 2;
/// Number of wrong codes in a row after which no code is accepted for [`LOCK`].
pub const TRIES: u32 = 5;
/// How long no code is accepted after [`TRIES`] wrong codes in a row.
pub const LOCK: Duration = Duration::from_mins(15);

/// Letters and digits that cannot be mistaken for one another.
const ALPHABET: &[u8; 25] = b"ACDEFGHJKMNPQRTUVWXY34679";
const LENGTH: usize = 6;

/// The cost of guessing, in PBKDF2 rounds: each try takes about 100 ms of a core, so a program that reads the hashes
/// cannot try all 244 million codes before the code expires. (The number is OWASP's for PBKDF2 with SHA-256.)
const ROUNDS: u32 = 600_000;

/// A pairing code, which only the sender was told.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(String);

/// The hash of a code, as a reader of the database finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hash {
    /// A random salt, new for each code.
    pub salt: [u8; 16],
    /// The PBKDF2 digest of the code.
    pub digest: [u8; 32],
}

/// A stranger who was told a code and waits for its confirmation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The stranger's id.
    pub sender: SenderId,
    /// The stranger's own name, sanitized.
    pub name: String,
    /// The chat in which the stranger is told the result.
    pub chat: ChatId,
    /// The topic in this chat, if any.
    pub thread: Option<String>,
    /// The hash of the code. `None` until it is computed.
    pub hash: Option<Hash>,
    /// When the code expires, in milliseconds since the Unix epoch.
    pub expires_at: u64,
    /// How often the stranger was answered.
    pub answers: u32,
    /// Whether a person has denied the request.
    pub denied: bool,
}

/// What a stranger is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A new code.
    New,
    /// That the code waits to be confirmed.
    Remind,
}

/// The count of wrong codes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tries {
    /// The number of wrong codes in a row.
    pub wrong: u32,
    /// No code is accepted before this time, in milliseconds since the Unix epoch.
    pub locked_until: u64,
}

/// Returns what to tell a stranger who wrote, or why to tell nothing.
pub fn step(pending: &[Pending], sender: &SenderId, now: u64) -> Result<Step, Reason> {
    let mut alive = pending.iter().filter(|pending| pending.expires_at > now);
    match alive.clone().find(|pending| pending.sender == *sender) {
        Some(pending) if pending.denied => Err(Reason::Denied),
        Some(pending) if pending.answers < ANSWERS => Ok(Step::Remind),
        Some(_) => Err(Reason::AlreadyAnswered),
        None if alive.nth(MOST - 1).is_some() => Err(Reason::PairingFull),
        None => Ok(Step::New),
    }
}

impl Tries {
    /// Returns for how long no code is accepted, or `None` if codes are accepted.
    pub fn locked(self, now: u64) -> Option<Duration> {
        self.locked_until.checked_sub(now).filter(|rest| *rest > 0).map(Duration::from_millis)
    }

    /// Returns the count after one more wrong code.
    #[must_use]
    pub fn after_wrong(self, now: u64) -> Self {
        let wrong = self.wrong + 1;
        if wrong < TRIES {
            return Self { wrong, locked_until: 0 };
        }
        let lock = u64::try_from(LOCK.as_millis()).unwrap_or(u64::MAX);
        Self { wrong: 0, locked_until: now.saturating_add(lock) }
    }
}

impl Code {
    /// Generates a code from the system's cryptographic random source.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut code = String::with_capacity(LENGTH);
        while code.len() < LENGTH {
            let mut bytes = [0; 16];
            getrandom::fill(&mut bytes)?;
            // Bytes that do not divide evenly are discarded, so that each letter is equally likely.
            let even = 256 / ALPHABET.len() * ALPHABET.len();
            let letters = bytes.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < even);
            let letters = letters.filter_map(|byte| ALPHABET.get(byte % ALPHABET.len()));
            code.extend(letters.map(|letter| char::from(*letter)).take(LENGTH - code.len()));
        }
        Ok(Self(code))
    }

    /// Parses a code as a person has typed it: in upper or lower case, with spaces or hyphens.
    pub fn parse(text: &str) -> Option<Self> {
        let code: String = text
            .chars()
            .filter(|character| !character.is_whitespace() && *character != '-')
            .map(|character| character.to_ascii_uppercase())
            .collect();
        let known = code.bytes().all(|byte| ALPHABET.contains(&byte));
        (code.len() == LENGTH && known).then_some(Self(code))
    }

    /// Computes the hash that is stored. Takes about 100 ms.
    pub fn hash(&self) -> Result<Hash, getrandom::Error> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt)?;
        Ok(Hash { salt, digest: self.digest(&salt) })
    }

    /// Returns true if this code has this hash. Takes about 100 ms.
    pub fn matches(&self, hash: &Hash) -> bool {
        // The comparison is not constant-time: its duration reveals something about the digest, not about the code.
        self.digest(&hash.salt) == hash.digest
    }

    fn digest(&self, salt: &[u8; 16]) -> [u8; 32] {
        let mut digest = [0; 32];
        // Fails only for a key length that HMAC does not accept, and HMAC accepts any length.
        let _ = pbkdf2::pbkdf2::<Hmac<Sha256>>(self.0.as_bytes(), salt, ROUNDS, &mut digest);
        digest
    }
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Hides the code from all logs.
impl fmt::Debug for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Code(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_what_a_person_can_read_out() {
        let codes: Vec<_> = std::iter::repeat_with(|| Code::generate().unwrap()).take(500).collect();
        for code in &codes {
            assert_eq!(Code::parse(&code.to_string()).as_ref(), Some(code));
        }
        let letters: std::collections::BTreeSet<_> = codes.iter().flat_map(|code| code.0.bytes()).collect();
        assert_eq!(letters.len(), ALPHABET.len());
        let different: std::collections::BTreeSet<_> = codes.iter().map(|code| &code.0).collect();
        assert!(different.len() > 490);
    }

    #[test]
    fn a_code_is_understood_however_it_is_typed() {
        let code = Code::parse("ACD347").unwrap();
        for text in ["acd347", " ACD-347 ", "a c d 3 4 7"] {
            assert_eq!(Code::parse(text).as_ref(), Some(&code), "{text}");
        }
        for text in ["", "ACD34", "ACD3477", "ACD340", "ACDO47", "ÄCD347"] {
            assert_eq!(Code::parse(text), None, "{text}");
        }
    }

    #[test]
    fn only_the_code_itself_matches_its_hash() {
        let code = Code::parse("ACD347").unwrap();
        let hash = code.hash().unwrap();
        assert!(code.matches(&hash));
        assert!(!Code::parse("ACD346").unwrap().matches(&hash));
        assert_ne!(code.hash().unwrap().digest, hash.digest, "each has a salt of its own");
        assert!(!format!("{code:?}").contains("ACD"));
    }

    #[test]
    fn wrong_codes_lock_the_door_for_a_while() {
        let mut tries = Tries::default();
        for _ in 1..TRIES {
            tries = tries.after_wrong(1000);
            assert_eq!(tries.locked(1000), None);
        }
        tries = tries.after_wrong(1000);
        assert_eq!(tries.locked(1000), Some(LOCK));
        let end = 1000 + u64::try_from(LOCK.as_millis()).unwrap();
        assert_eq!(tries.locked(end), None);
        assert_eq!(tries.after_wrong(end).locked(end), None, "counting begins anew");
    }
}
