//! Pairing: what strangers are told, and how they are let in.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::Instant};

use super::{Approval, Channel};
use crate::{
    admission::Unapproved,
    clock,
    gate::pairing::{Code, Pending},
};

/// How often to check whether a code was confirmed by another process.
const LOOK: Duration = Duration::from_secs(2);

/// How long it may take from the moment a code is used up until its stranger may write: the process that confirms the
/// code may have to wait some seconds for the file. If the stranger may not write after this time, the code was removed
/// by other means.
const CONFIRMING: Duration = Duration::from_secs(30);

impl Channel {
    pub(super) async fn tell_code(self: &Arc<Self>, pending: Pending) {
        let code = match self.admission.set_code(&pending.sender).await {
            Ok(Some(code)) => code,
            // The stranger was turned down meanwhile.
            Ok(None) => return,
            Err(error) => {
                tracing::error!("{}: no pairing code could be made: {error}", self.name());
                return self.abandon(&pending).await;
            }
        };
        tracing::info!(
            "{name}: {who} ({id}) asks to write to this session. If you know them, ask for their code and run \
             `tidegate access {name} pair CODE` in a terminal of your own",
            name = self.name(),
            who = pending.name,
            id = pending.sender
        );
        if !self.say(pending.chat.clone(), pending.thread.clone(), self.prompt(&code)).await {
            // The code did not reach the stranger, so they may ask again.
            return self.abandon(&pending).await;
        }
        self.follow(pending.clone());
        self.approve(Approval::Pairing { channel: Arc::clone(self), pending });
    }

    async fn abandon(&self, pending: &Pending) {
        if let Err(error) = self.admission.abandon(&pending.sender).await {
            tracing::error!("{}: {error}", self.name());
        }
    }

    /// Tells a stranger when they are let in. Their code may be confirmed here or by another process at a terminal, so
    /// it is checked at intervals as long as it waits.
    pub(super) fn follow(self: &Arc<Self>, pending: Pending) {
        if !self.following.lock().insert(pending.sender.clone()) {
            return;
        }
        let channel = Arc::clone(self);
        tokio::spawn(async move {
            let (mut used, mut paired) = (None, channel.paired.subscribe());
            let admitted = loop {
                let _ = tokio::time::timeout(LOOK, paired.changed()).await;
                let waiting = channel.admission.pending(clock::now());
                if !waiting.is_ok_and(|waiting| waiting.iter().all(|other| other.sender != pending.sender)) {
                    used = None;
                    continue;
                }
                let rules = channel.admission.rules().await;
                if rules.is_ok_and(|rules| rules.access.allow_from.contains(&pending.sender)) {
                    break true;
                }
                if used.get_or_insert_with(Instant::now).elapsed() > CONFIRMING {
                    break false;
                }
            };
            channel.following.lock().remove(&pending.sender);
            if admitted {
                tracing::info!(
                    "{}: {} ({}) may write from now on",
                    channel.name(),
                    pending.name,
                    pending.sender
                );
                let text = "Paired: from now on your messages reach the session.".to_owned();
                channel.say(pending.chat, pending.thread, text).await;
            }
        });
    }

    fn prompt(&self, code: &Code) -> String {
        format!(
            "Your pairing code is `{code}`. Tell it to whoever runs this session; they confirm it there or by \
             `tidegate access {} pair {code}`. It is good for an hour. Until you are let in, your messages go nowhere.",
            self.name()
        )
    }

    pub(super) async fn remind(&self, pending: Pending) {
        let text = "The code that you were given still waits to be confirmed. Until you are let in, your messages go \
                    nowhere, and this is the last reminder.";
        self.say(pending.chat, pending.thread, text.to_owned()).await;
    }

    /// Returns a receiver of the stranger whom this process let in last, by a code.
    pub fn paired(&self) -> watch::Receiver<Option<Pending>> {
        self.paired.subscribe()
    }

    /// Lets in the stranger who was told this code. Must only be called with what a person has typed.
    pub async fn pair(self: &Arc<Self>, code: String) -> Result<Pending, Unapproved> {
        let pending = self.admission.pair(code, clock::now()).await?;
        self.paired.send_replace(Some(pending.clone()));
        Ok(pending)
    }
}
