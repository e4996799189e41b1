//! How a stranger becomes a sender: a code that only they were told, confirmed by a person.

use std::{fmt, time::Duration};

use hmac::Hmac;
use sha2::Sha256;

use super::Reason;
use crate::event::{ChatId, SenderId};

/// How long a code can be confirmed.
pub const LIFETIME: Duration = Duration::from_hours(1);
/// The most codes of a channel that wait, turned down ones among them: a stranger who was turned down takes no other
/// stranger's place before the hour is over, and a flood makes the bot speak and the terminal ask three times an hour.
pub const MOST: usize = 3;
/// The most answers to one sender in that time.
pub const ANSWERS: u32 = 2;
/// After so many wrong codes in a row …
pub const TRIES: u32 = 5;
/// … none is taken for this long.
pub const LOCK: Duration = Duration::from_mins(15);

/// Letters and digits that nobody takes for one another.
const ALPHABET: &[u8; 25] = b"ACDEFGHJKMNPQRTUVWXY34679";
const LENGTH: usize = 6;

/// What guessing costs: each try takes some 100 ms of a core, so that a program that reads the hashes cannot try the 244
/// million codes while one of them is good for anything. (The figure is OWASP's for PBKDF2 with SHA-256.)
const ROUNDS: u32 = 600_000;

/// What only the sender was told.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(String);

/// A code in the database, as somebody who reads it finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hash {
    /// Random, new for each code.
    pub salt: [u8; 16],
    /// PBKDF2 of the code.
    pub digest: [u8; 32],
}

/// A stranger who was told a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Who.
    pub sender: SenderId,
    /// What they call themselves, made harmless.
    pub name: String,
    /// Where they are told how it went.
    pub chat: ChatId,
    /// A topic of it.
    pub thread: Option<String>,
    /// None until it has been worked out.
    pub hash: Option<Hash>,
    /// Milliseconds since the Unix epoch.
    pub expires_at: u64,
    /// How often they were answered.
    pub answers: u32,
    /// A person has turned them down.
    pub denied: bool,
}

/// What a stranger is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A new code.
    New,
    /// That their code waits to be confirmed.
    Remind,
}

/// Wrong codes so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tries {
    /// In a row.
    pub wrong: u32,
    /// No code is taken until then, in milliseconds since the Unix epoch.
    pub locked_until: u64,
}

/// What a stranger's message leads to.
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
    /// For how long no code is taken, if so.
    pub fn locked(self, now: u64) -> Option<Duration> {
        self.locked_until.checked_sub(now).filter(|rest| *rest > 0).map(Duration::from_millis)
    }

    /// After one more wrong code.
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
    /// A new one, from the system's cryptographic source.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut code = String::with_capacity(LENGTH);
        while code.len() < LENGTH {
            let mut bytes = [0; 16];
            getrandom::fill(&mut bytes)?;
            // Whatever does not divide evenly is thrown away: each letter is as likely as any other.
            let even = 256 / ALPHABET.len() * ALPHABET.len();
            let letters = bytes.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < even);
            let letters = letters.filter_map(|byte| ALPHABET.get(byte % ALPHABET.len()));
            code.extend(letters.map(|letter| char::from(*letter)).take(LENGTH - code.len()));
        }
        Ok(Self(code))
    }

    /// What a person has typed: in any case, with spaces or hyphens.
    pub fn parse(text: &str) -> Option<Self> {
        let code: String = text
            .chars()
            .filter(|character| !character.is_whitespace() && *character != '-')
            .map(|character| character.to_ascii_uppercase())
            .collect();
        let known = code.bytes().all(|byte| ALPHABET.contains(&byte));
        (code.len() == LENGTH && known).then_some(Self(code))
    }

    /// What is kept of it. Takes some 100 ms of computing.
    pub fn hash(&self) -> Result<Hash, getrandom::Error> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt)?;
        Ok(Hash { salt, digest: self.digest(&salt) })
    }

    /// Is it this one? Takes as long.
    pub fn matches(&self, hash: &Hash) -> bool {
        // Whoever measures the time learns about the digest, not about the code.
        self.digest(&hash.salt) == hash.digest
    }

    fn digest(&self, salt: &[u8; 16]) -> [u8; 32] {
        let mut digest = [0; 32];
        // Fails only for a length that HMAC cannot have, and it takes any.
        let _ = pbkdf2::pbkdf2::<Hmac<Sha256>>(self.0.as_bytes(), salt, ROUNDS, &mut digest);
        digest
    }
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Not into any log.
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
