//! Refusals of the Bot API, and advice for them.

use tidegate_guest::{Fault, http};

/// The reason why a call has no result.
#[derive(Debug)]
pub(crate) enum Error {
    /// The Bot API refused the call.
    Refused(Refusal),
    /// The answer is larger than this number of bytes, the host's limit.
    TooLarge(u64),
    /// There is no answer.
    Failed(Fault),
}

/// A refusal of the Bot API.
#[derive(Debug, PartialEq)]
pub(crate) struct Refusal {
    /// The error code, mostly the HTTP status.
    pub(crate) code: u16,
    /// An English text, mostly prefixed with the status's name.
    pub(crate) description: String,
    /// The pause that Telegram asks for, in seconds.
    pub(crate) retry_after: Option<u64>,
    /// The group's new id, after it became a supergroup.
    pub(crate) moved_to: Option<i64>,
}

/// The default pause, in seconds, when Telegram asks for a pause without a duration.
const PAUSE: u64 = 5;

/// Pairs of a part of a description (in lower case) and the advice for it. The first match counts.
const ADVICE: [(&str, &str); 20] = [
    ("blocked by the user", "they have blocked the bot, and only they can undo that"),
    ("user is deactivated", "their account is gone"),
    ("initiate conversation", "a bot cannot write first: they have to write to it"),
    (
        "chat not found",
        "the bot is not, or not any more, in such a chat; chat_id must be passed back as it came",
    ),
    ("was kicked", "somebody has to add the bot to the group again"),
    ("not a member", "somebody has to add the bot to the group again"),
    ("group chat was deleted", "the group is gone"),
    ("not enough rights", "an admin of the group has to allow the bot that"),
    ("have no rights", "an admin of the group has to allow the bot that"),
    ("write_forbidden", "an admin of the group has to allow the bot to write"),
    ("topic_closed", "the topic is closed: an admin can open it again"),
    ("thread not found", "the topic was deleted"),
    ("no text in the message to edit", "it carries a file and no text: send a new message"),
    ("message can't be edited", "a bot can edit only its own messages"),
    ("message to edit not found", "it was deleted, or is not of this chat"),
    ("message to react not found", "it was deleted, or is not of this chat"),
    ("reaction_invalid", "this chat does not allow that reaction: its admins choose which"),
    ("file is too big", "bots get files of up to 20 MB: ask for a smaller one, or for a link"),
    ("entity too large", "bots send files of up to 50 MB"),
    ("voice_messages_forbidden", "they accept no voice messages"),
];

impl Refusal {
    /// Returns whether the description contains this text, which is in lower case.
    pub(crate) fn says(&self, text: &str) -> bool {
        self.description.to_ascii_lowercase().contains(text)
    }

    /// Returns whether Telegram could not parse the markup of a text.
    pub(crate) fn is_about_markup(&self) -> bool {
        self.code == 400 && self.says("entit") && !self.says("too large")
    }

    /// Returns whether the text is too long for this server. Telegram sent nothing.
    pub(crate) fn is_about_length(&self) -> bool {
        self.code == 400
            && ["message is too long", "message_too_long", "text is too long"]
                .iter()
                .any(|text| self.says(text))
    }

    /// Returns whether the file may still be sent as a document, which Telegram does not inspect. Telegram sent nothing
    /// yet.
    pub(crate) fn is_about_media(&self) -> bool {
        self.code == 400 && self.moved_to.is_none() && !self.says("not found")
    }

    fn explained(&self) -> String {
        let description = self.description.strip_prefix("Bad Request: ").unwrap_or(&self.description);
        if let Some(chat) = self.moved_to {
            return format!(
                "the group went on as a supergroup: its chat_id is {chat} now; the session's user can let the new chat in with `tidegate access telegram group add {chat}`"
            );
        }
        let lower = self.description.to_ascii_lowercase();
        match ADVICE.iter().find(|(text, _)| lower.contains(text)) {
            Some((_, advice)) => format!("Telegram refuses: {description} ({advice})"),
            None if description.is_empty() => format!("Telegram refuses, with the code {}", self.code),
            None => format!("Telegram refuses: {description}"),
        }
    }
}

impl Error {
    /// Returns whether it is unknown if Telegram carried out the call: no readable answer arrived.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::TooLarge(_) | Self::Failed(Fault::Unavailable(_)))
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        match refusal.code {
            429 => {
                let seconds = refusal.retry_after.unwrap_or(PAUSE).max(1);
                Self::RateLimited(seconds.saturating_mul(1000))
            }
            // Telegram uses the same code for an unknown method and an unknown token.
            404 if refusal.says("method") => Self::Rejected(format!(
                "{}: the server in the setting {} is too old",
                refusal.explained(),
                super::BASE
            )),
            401 | 404 | 421 => Self::Unauthorized(
                "Telegram does not accept the bot token: @BotFather has the current one. `tidegate configure telegram` asks for it"
                    .to_owned(),
            ),
            400 if refusal.says("logged out") => Self::Unauthorized(
                "the bot was logged out from this Bot API server: it has to be used through the one that it moved to (the setting api_base), or logged out from there"
                    .to_owned(),
            ),
            409 if refusal.says("webhook") => Self::Conflict(
                "Telegram sends this bot's messages to a webhook: switch off the program that has set it, call the Bot API's deleteWebhook, or give tidegate a bot of its own"
                    .to_owned(),
            ),
            409 => Self::Conflict(
                "another program receives this bot's messages. Stop what else uses its token, or give tidegate a bot of its own"
                    .to_owned(),
            ),
            500.. => Self::Unavailable(format!("Telegram fails: {} {}", refusal.code, refusal.description)),
            _ if refusal.says("temporarily unavailable") => Self::Unavailable(refusal.explained()),
            400 if refusal.says("not found") => Self::NotFound(refusal.explained()),
            _ => Self::Rejected(refusal.explained()),
        }
    }
}

impl From<http::Failure> for Error {
    fn from(failure: http::Failure) -> Self {
        match failure {
            // The host's text says what to do, and where.
            http::Failure::Denied(text) => Self::Failed(Fault::Rejected(text)),
            http::Failure::Timeout => {
                Self::Failed(Fault::Unavailable("Telegram did not answer in time".to_owned()))
            }
            http::Failure::TooLarge(limit) => Self::TooLarge(limit),
            http::Failure::Network(text) => {
                Self::Failed(Fault::Unavailable(format!("Telegram cannot be reached: {text}")))
            }
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => refusal.into(),
            Error::TooLarge(limit) => {
                Self::Unavailable(format!("Telegram's answer is larger than {limit} bytes"))
            }
            Error::Failed(fault) => fault,
        }
    }
}

#[cfg(test)]
impl Refusal {
    /// Creates a refusal, for tests.
    pub(crate) fn new(code: u16, description: &str) -> Self {
        Self { code, description: description.to_owned(), retry_after: None, moved_to: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The descriptions are those of the Bot API server.
    #[test]
    fn a_refusal_becomes_the_fault_that_the_host_acts_on() {
        for (code, description, fault, has) in [
            (401, "Unauthorized", "unauthorized", "tidegate configure telegram"),
            (401, "Unauthorized: invalid token specified", "unauthorized", "@BotFather"),
            (404, "Not Found", "unauthorized", "@BotFather"),
            (421, "Misdirected Request: unallowed token specified", "unauthorized", "token"),
            (404, "Not Found: method not found", "rejected", "too old"),
            (400, "Logged out", "unauthorized", "api_base"),
            (
                409,
                "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
                "conflict",
                "another program",
            ),
            (
                409,
                "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
                "conflict",
                "deleteWebhook",
            ),
            (409, "Conflict: terminated by setWebhook request", "conflict", "deleteWebhook"),
            (400, "Bad Request: chat not found", "not-found", "passed back"),
            (400, "Bad Request: message to edit not found", "not-found", "deleted"),
            (400, "Bad Request: message thread not found", "not-found", "topic"),
            (400, "Bad Request: message to be replied not found", "not-found", "replied"),
            (400, "Bad Request: message can't be edited", "rejected", "its own"),
            (400, "Bad Request: REACTION_INVALID", "rejected", "admins"),
            (400, "Bad Request: file is too big", "rejected", "20 MB"),
            (
                400,
                "Bad Request: wrong file_id or the file is temporarily unavailable",
                "unavailable",
                "temporarily",
            ),
            (403, "Forbidden: bot was blocked by the user", "rejected", "only they"),
            (403, "Forbidden: bot was kicked from the supergroup chat", "rejected", "add the bot"),
            (413, "Request Entity Too Large", "rejected", "50 MB"),
            (418, "", "rejected", "418"),
            (500, "Internal Server Error: restart", "unavailable", "restart"),
            (502, "Bad Gateway", "unavailable", "502"),
            (65535, "?", "unavailable", "?"),
        ] {
            let (found, text) = match Fault::from(Refusal::new(code, description)) {
                Fault::Unauthorized(text) => ("unauthorized", text),
                Fault::Conflict(text) => ("conflict", text),
                Fault::NotFound(text) => ("not-found", text),
                Fault::Rejected(text) => ("rejected", text),
                Fault::Unavailable(text) => ("unavailable", text),
                other => panic!("{code} {description}: {other:?}"),
            };
            assert_eq!(found, fault, "{code} {description}");
            assert!(text.contains(has), "{code} {description}: {text}");
            assert!(!text.contains("://"), "{text}");
        }
    }

    #[test]
    fn pauses_are_seconds_there_and_milliseconds_here() {
        for (retry_after, milliseconds) in
            [(Some(31), 31_000), (Some(0), 1_000), (None, 5_000), (Some(u64::MAX), u64::MAX)]
        {
            let refusal = Refusal { retry_after, ..Refusal::new(429, "Too Many Requests") };
            match Fault::from(refusal) {
                Fault::RateLimited(found) => assert_eq!(found, milliseconds),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_group_that_moved_is_named_by_its_new_id() {
        let refusal = Refusal {
            moved_to: Some(-1_001_234),
            ..Refusal::new(400, "Bad Request: group chat was upgraded to a supergroup chat")
        };
        assert!(!refusal.is_about_media());
        match Fault::from(refusal) {
            Fault::Rejected(text) => {
                assert!(text.contains("its chat_id is -1001234 now"), "{text}");
                assert!(text.contains("`tidegate access telegram group add -1001234`"), "{text}");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn complaints_are_told_apart() {
        for (code, description, markup, media) in [
            (
                400,
                "Bad Request: can't parse entities: Unsupported start tag \"x\" at byte offset 0",
                true,
                true,
            ),
            (400, "Bad Request: ENTITY_BOUNDS_INVALID", true, true),
            (413, "Request Entity Too Large", false, false),
            (400, "Bad Request: Request Entity Too Large", false, true),
            (400, "Bad Request: PHOTO_INVALID_DIMENSIONS", false, true),
            (400, "Bad Request: chat not found", false, false),
            (403, "Forbidden: bot was blocked by the user", false, false),
        ] {
            let refusal = Refusal::new(code, description);
            assert_eq!(
                (refusal.is_about_markup(), refusal.is_about_media()),
                (markup, media),
                "{description}"
            );
        }
    }

    #[test]
    fn what_the_network_does_says_whether_trying_again_helps() {
        assert!(matches!(
            Fault::from(Error::from(http::Failure::Denied("add a line".into()))),
            Fault::Rejected(text) if text == "add a line"
        ));
        for failure in
            [http::Failure::Timeout, http::Failure::TooLarge(5), http::Failure::Network("refused".into())]
        {
            assert!(matches!(Fault::from(Error::from(failure)), Fault::Unavailable(_)));
        }
    }
}
