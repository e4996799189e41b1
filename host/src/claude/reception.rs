//! Decides whether the session receives messages. The user's setting comes first, then the client's own log, then the
//! rules.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use tokio::{
    sync::{
        mpsc::{UnboundedReceiver, UnboundedSender},
        watch,
    },
    time::{Instant, sleep_until},
};

use super::{
    OptIn,
    cure::cure,
    log::{self, Query, Word},
};

/// How long to wait for the client's log after the handshake. The client decides at once and flushes its log once a
/// second; a busy machine takes longer.
const SILENCE: Duration = Duration::from_secs(5);

/// What to do about an unknown reason.
const UNKNOWN: &str = "tidegate does not know this reason; /status in Claude Code may say more";

/// Whether a session receives messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reception {
    /// The client has not decided yet. No messages are fetched from a platform.
    Awaited,
    /// The session receives messages.
    Open(Basis),
    /// The session receives no messages.
    Closed {
        /// The client's own words, if its log gives a reason.
        word: Option<Arc<str>>,
        /// The reason and what a person can do, in sentences without a final full stop.
        reason: Arc<str>,
    },
}

/// The evidence that a session receives messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The client's log. In this case the log also has a receipt for each message.
    Log,
    /// The client's command line, because its log says nothing.
    CommandLine,
    /// The client is not Claude Code.
    OtherClient,
    /// `--opt-in always`.
    Setting,
    /// The session is a person at a terminal: `tidegate try`.
    Terminal,
}

impl fmt::Display for Basis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Log => "Claude Code has registered the channel",
            Self::CommandLine => "by its command line, because Claude Code's log says nothing",
            Self::OtherClient => "its client is not Claude Code",
            Self::Setting => "--opt-in always",
            Self::Terminal => "tidegate try",
        })
    }
}

impl Reception {
    /// Returns true if messages may be fetched.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open(_))
    }

    /// Returns why the session receives no messages, if that is known.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Closed { reason, .. } => Some(reason),
            Self::Awaited | Self::Open(_) => None,
        }
    }

    fn closed(reason: &str) -> Self {
        Self::Closed { word: None, reason: reason.into() }
    }
}

/// What the session learns from the client's log, in this order. It decides when a message counts as received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The client's log says nothing, and the rules have opened the session.
    Silence,
    /// A word from the client's log.
    Word(Word),
}

/// Decides whether one session receives messages.
#[derive(Clone, Debug)]
pub struct Judge {
    /// The user's setting.
    pub setting: OptIn,
    /// The evidence from the client's command line and the organisation's policy, or why the session receives no
    /// messages.
    pub expectation: Result<Basis, String>,
    /// True if Claude Code is above this process, so that there is a log to wait for.
    pub by_claude_code: bool,
    /// The entry that names this server on the client's command line, as far as known.
    pub entry: String,
}

impl Judge {
    /// Returns the state before the client has said anything.
    pub fn begin(&self) -> Reception {
        match (&self.setting, &self.expectation) {
            (OptIn::Always, Ok(Basis::Terminal)) => Reception::Open(Basis::Terminal),
            (OptIn::Always, _) => Reception::Open(Basis::Setting),
            (OptIn::Never, Ok(_)) => Reception::closed(
                "`--opt-in never` is set for this server. Remove it from the server's args if the session should receive messages",
            ),
            (_, Err(reason)) => Reception::closed(reason),
            (OptIn::Auto, Ok(_)) if self.by_claude_code => Reception::Awaited,
            (OptIn::Auto, Ok(basis)) => Reception::Open(*basis),
        }
    }

    /// Returns the state after the client has said nothing for `SILENCE`.
    fn on_silence(&self) -> Reception {
        match (self.begin(), &self.expectation) {
            (Reception::Awaited, Ok(basis)) => Reception::Open(*basis),
            (other, _) => other,
        }
    }

    /// Returns the state after this word, or `None` if the word does not change it.
    fn on_word(&self, word: &Word) -> Option<Reception> {
        if self.setting != OptIn::Auto {
            return None;
        }
        match word {
            Word::Registered { .. } => Some(Reception::Open(Basis::Log)),
            Word::Skipped { reason: said } => {
                let said: String = said.chars().take(500).collect();
                let mut reason = format!("Claude Code refuses this server's messages (\"{said}\")");
                let cure = cure(&said, &self.entry);
                reason.push_str(". ");
                reason.push_str(cure.as_deref().unwrap_or(UNKNOWN).trim_end_matches('.'));
                // Also name the second problem, so that a person who has fixed the first does not run into it
                // afterwards.
                if let Err(expected) = &self.expectation
                    && !said.contains("--channels")
                {
                    reason.push_str(". Also, ");
                    reason.push_str(expected.trim_end_matches('.'));
                }
                Some(Reception::Closed { word: Some(said.into()), reason: reason.into() })
            }
            Word::Receipts(_) => None,
        }
    }

    /// Follows the client's log and keeps `reception` up to date. `heard` gets each word before that, so that the word
    /// is known when a message is written because of it. `handshake` ends when the client has finished the handshake.
    pub async fn follow(
        self,
        query: Query,
        handshake: impl Future<Output = ()>,
        reception: watch::Sender<Reception>,
        heard: UnboundedSender<Heard>,
    ) {
        if self.setting == OptIn::Auto && self.by_claude_code {
            self.listen(log::follow(query), handshake, reception, heard).await;
        }
    }

    async fn listen(
        self,
        mut words: UnboundedReceiver<Word>,
        handshake: impl Future<Output = ()>,
        reception: watch::Sender<Reception>,
        heard: UnboundedSender<Heard>,
    ) {
        let on_silence = || {
            let judged = self.on_silence();
            if judged.is_open() {
                // Fails only after the session has ended.
                let _ = heard.send(Heard::Silence);
            }
            set(&reception, judged);
        };
        let silence = async {
            handshake.await;
            sleep_until(Instant::now() + SILENCE).await;
        };
        let mut silence = std::pin::pin!(silence);
        let mut silent = true;
        loop {
            let word = tokio::select! {
                biased;
                word = words.recv() => word,
                () = &mut silence, if silent => {
                    silent = false;
                    tracing::debug!("Claude Code's log says nothing about this server");
                    on_silence();
                    continue;
                }
            };
            let Some(word) = word else {
                // The thread that reads the log has ended, so only the time limit remains.
                if silent {
                    silence.await;
                    on_silence();
                }
                return;
            };
            silent = false;
            let judged = self.on_word(&word);
            let _ = heard.send(Heard::Word(word));
            if let Some(judged) = judged {
                set(&reception, judged);
            }
        }
    }
}

fn set(reception: &watch::Sender<Reception>, judged: Reception) {
    reception.send_if_modified(|current| {
        let news = *current != judged;
        *current = judged;
        news
    });
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::sync::mpsc;

    use super::*;
    use crate::claude::log::Receipt;

    fn judge(setting: OptIn, expectation: Result<Basis, &str>, by_claude_code: bool) -> Judge {
        let expectation = expectation.map_err(str::to_owned);
        Judge { setting, expectation, by_claude_code, entry: "server:fakechat".to_owned() }
    }

    fn skipped(reason: &str) -> Word {
        Word::Skipped { reason: reason.to_owned() }
    }

    #[test]
    fn the_setting_is_above_the_client_s_word_and_that_above_the_rules() {
        use OptIn::{Always, Auto, Never};
        let expected = Ok(Basis::CommandLine);
        let open = Reception::Open;
        let closed = Reception::closed("not named");
        let never = Reception::closed(
            "`--opt-in never` is set for this server. Remove it from the server's args if the session should receive messages",
        );
        for (setting, expectation, by_claude_code, begin, silence, word) in [
            (Auto, expected, true, Reception::Awaited, open(Basis::CommandLine), Some(open(Basis::Log))),
            (Auto, Err("not named"), true, closed.clone(), closed, Some(open(Basis::Log))),
            (
                Auto,
                Ok(Basis::OtherClient),
                false,
                open(Basis::OtherClient),
                open(Basis::OtherClient),
                Some(open(Basis::Log)),
            ),
            (Always, Err("not named"), true, open(Basis::Setting), open(Basis::Setting), None),
            (Never, expected, true, never.clone(), never, None),
        ] {
            let judge = judge(setting, expectation, by_claude_code);
            assert_eq!(judge.begin(), begin);
            assert_eq!(judge.on_silence(), silence);
            assert_eq!(judge.on_word(&Word::Registered { at: 1 }), word);
        }
    }

    #[test]
    fn the_client_s_reason_is_quoted_with_its_cure() {
        let judge = judge(OptIn::Auto, Ok(Basis::CommandLine), true);
        let reason = |said: &str| {
            let judged = judge.on_word(&Word::Skipped { reason: said.to_owned() }).unwrap();
            let Reception::Closed { word, reason } = judged else { panic!("{judged:?}") };
            assert_eq!(word.as_deref(), Some(said));
            reason.to_string()
        };
        let unknown = reason("the moon is full");
        assert!(unknown.starts_with(
            "Claude Code refuses this server's messages (\"the moon is full\"). tidegate does not"
        ));
        let known = reason("channels feature is not currently available");
        assert!(known.len() > 120 && !known.ends_with('.'), "{known}");
        let unnamed = self::judge(OptIn::Auto, Err("this session was not started for it"), true);
        let both = unnamed.on_word(&skipped("the moon is full")).unwrap();
        assert!(both.reason().unwrap().ends_with("may say more. Also, this session was not started for it"));
        let one = unnamed.on_word(&skipped("server x not in --channels list")).unwrap();
        assert!(!one.reason().unwrap().contains("Also"));
    }

    #[tokio::test(start_paused = true)]
    async fn words_change_the_reception_and_silence_is_broken_by_them() {
        let (words, log) = mpsc::unbounded_channel();
        let (reception, mut seen) = watch::channel(Reception::Awaited);
        let (heard, mut hearing) = mpsc::unbounded_channel();
        let judge = judge(OptIn::Auto, Ok(Basis::CommandLine), true);
        tokio::spawn(judge.listen(log, ready(()), reception, heard));
        let start = Instant::now();
        seen.changed().await.unwrap();
        assert_eq!(
            (&*seen.borrow_and_update(), start.elapsed()),
            (&Reception::Open(Basis::CommandLine), SILENCE)
        );
        let said =
            [skipped("x"), Word::Registered { at: 1 }, Word::Receipts(vec![Receipt { at: 2, length: 3 }])];
        words.send(said[0].clone()).unwrap();
        seen.changed().await.unwrap();
        assert!(seen.borrow_and_update().reason().is_some());
        words.send(said[1].clone()).unwrap();
        words.send(said[2].clone()).unwrap();
        seen.changed().await.unwrap();
        assert_eq!(*seen.borrow_and_update(), Reception::Open(Basis::Log));
        tokio::time::sleep(SILENCE * 2).await;
        assert!(!seen.has_changed().unwrap());
        // All of it arrives in order.
        let expected = [Heard::Silence].into_iter().chain(said.map(Heard::Word));
        for expected in expected {
            assert_eq!(hearing.try_recv().unwrap(), expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_begins_with_the_handshake() {
        let (_words, log) = mpsc::unbounded_channel();
        let (reception, seen) = watch::channel(Reception::Awaited);
        let judge = judge(OptIn::Auto, Ok(Basis::CommandLine), true);
        tokio::spawn(judge.listen(log, pending(), reception, mpsc::unbounded_channel().0));
        tokio::time::sleep(SILENCE * 10).await;
        assert_eq!(*seen.borrow(), Reception::Awaited);
    }
}
