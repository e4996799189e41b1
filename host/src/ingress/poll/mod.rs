//! The inbound side of a polled channel: polls the platform for updates, has each one translated, and stores its news
//! together with the cursor that moves past it. Only then is the platform polled again, which lets it forget these
//! updates.

mod backoff;
mod credential;
mod slice;

use std::{pin::pin, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use self::backoff::Backoff;
use crate::{
    guest::{Answered, Batch, Fault},
    hub::{Channel, Condition, Delivery, Failure, IntakeError},
    sandbox::CallError,
};

/// How long to wait while the access rules cannot be read, and how often to check for a new credential.
const LOOK: Duration = Duration::from_secs(2);

/// The shortest time that a poll without news should take. After a shorter one, the next poll is delayed.
const HELD: Duration = Duration::from_secs(1);

/// How long a poll must run without a conflict: the other consumer has then given up, or only comes back now.
const UNCONTESTED: Duration = Duration::from_secs(20);

/// How long after a refusal the platform is asked again, although no credential has changed here: the server may have
/// been wrong.
const REFUSED: Duration = Duration::from_mins(5);

/// The longest pause that a platform may ask for before the next poll.
const LONGEST: Duration = Duration::from_mins(15);

/// How many conflicts with another consumer are needed before they are reported: this process's predecessor may still
/// be in its last poll.
const CONFLICTS: u32 = 2;

/// How long an outage must last before it is reported.
const OUTAGE: Duration = Duration::from_secs(10);

/// The reason why no news arrives.
#[derive(Debug, thiserror::Error)]
enum Obstacle {
    /// The platform, or the guest on its behalf, refused.
    #[error(transparent)]
    Platform(#[from] Failure),
    /// The news that arrived cannot be taken in.
    #[error(transparent)]
    Intake(#[from] IntakeError),
}

impl From<CallError> for Obstacle {
    fn from(error: CallError) -> Self {
        Self::Platform(
            Fault::Unavailable(format!("the channel failed when it was to ask for news: {error}")).into(),
        )
    }
}

/// The state of polling one platform.
struct Poller<'a> {
    channel: &'a Arc<Channel>,
    /// The account that the cursor belongs to.
    account: String,
    cursor: Option<String>,
    /// The cursor has moved since the journal was last synced to disk.
    moved: bool,
    /// The identity of the bot was found out with this account, now or before.
    known: bool,
    /// The guest has stored values, most likely the identity of the bot.
    has_state: bool,
    backoff: Backoff,
    /// The pauses for a platform that answers at once and without news.
    lull: Backoff,
    conflicts: u32,
    /// When polling began to fail.
    failing: Option<Instant>,
}

/// Polls for as long as the process lives.
pub(super) async fn run(channel: &Arc<Channel>) {
    channel.session().await;
    loop {
        credential::wait(channel).await;
        let mut poller = match Poller::begin(channel).await {
            Ok(poller) => poller,
            Err(error) => {
                interrupt(channel, error.to_string());
                sleep(LOOK).await;
                continue;
            }
        };
        poller.run().await;
    }
}

/// Reports, once, that nothing arrives.
fn interrupt(channel: &Arc<Channel>, reason: String) {
    let text = format!("{}: nothing arrives at the moment: {reason}", channel.name());
    if channel.set_condition(Condition::Interrupted { reason }) {
        tracing::error!("{text}");
        channel.notice(&text);
    }
}

impl<'a> Poller<'a> {
    async fn begin(channel: &'a Arc<Channel>) -> Result<Self, crate::journal::Error> {
        let surroundings = channel.surroundings();
        let account = surroundings.account();
        let cursor = surroundings.journal.cursor(&account)?;
        if cursor.is_none() {
            // Drops the cursor of another account: on a later return to that account, the identity of the bot is found
            // out again.
            let mut transaction = surroundings.journal.begin().await?;
            transaction.drop_cursor()?;
            transaction.commit()?;
        }
        Ok(Self {
            channel,
            known: cursor.is_some(),
            moved: false,
            has_state: false,
            cursor,
            account,
            backoff: Backoff::default(),
            lull: Backoff::default(),
            conflicts: 0,
            failing: None,
        })
    }

    /// Polls until the platform refuses the credentials. Returns when polling has to begin again.
    async fn run(&mut self) {
        if self.known {
            self.identify_beside();
        }
        let mut stored = Vec::new();
        loop {
            match self.turn(std::mem::take(&mut stored)).await {
                Ok(deliveries) => stored = deliveries,
                Err(obstacle) => {
                    if self.suffer(obstacle).await {
                        return;
                    }
                }
            }
        }
    }

    /// Delivers what was stored while it polls for more, and stores that. Returns what is to be delivered next.
    async fn turn(&mut self, stored: Vec<Delivery>) -> Result<Vec<Delivery>, Obstacle> {
        // While the channel is shut, it does not poll: the platform keeps the messages.
        if let Err(shut) = self.channel.admits().await {
            self.channel.deliver(stored).await;
            return Err(IntakeError::from(shut).into());
        }
        self.channel.breathe().await;
        let asked = Instant::now();
        let ((), answered, identified) =
            tokio::join!(self.channel.deliver(stored), self.ask(), self.identify());
        // `ask` has synced the journal, even if the rest of this turn fails.
        let answered = answered?;
        self.moved = false;
        identified?;
        self.known = true;
        let Batch { updates, pause_ms } = self.settle(answered).await?;
        let pause = Duration::from_millis(pause_ms.into());
        let before = self.cursor.clone();
        let stored = self.take(updates).await?;
        self.healthy();
        // A platform that does not hold a poll, or sends the same forever, must not be polled in a hot loop.
        let idle = before == self.cursor && asked.elapsed() < HELD;
        let pause = if idle {
            pause.max(self.lull.next())
        } else {
            self.lull.reset();
            pause
        };
        if pause.is_zero() {
            return Ok(stored);
        }
        self.channel.deliver(stored).await;
        sleep(pause).await;
        Ok(Vec::new())
    }

    /// Polls the platform. When the cursor has moved, the platform forgets what lies before it, so the journal is
    /// synced to disk first.
    async fn ask(&self) -> Result<Answered<Batch>, Obstacle> {
        if self.moved {
            self.channel.surroundings().journal.sync().await.map_err(IntakeError::from)?;
        }
        let poll = self.channel.guest().poll(self.cursor.clone());
        let interrupted = matches!(self.channel.condition(), Condition::Interrupted { .. });
        if !interrupted && self.failing.is_none() {
            return Ok(poll.await?);
        }
        // A poll that is held returns nothing for a long time, so the end of an interruption is reported as soon as it
        // is known.
        let mut poll = pin!(poll);
        let over = async {
            if self.conflicts > 0 {
                sleep(UNCONTESTED).await;
            } else if self.channel.identify().await.is_err() {
                std::future::pending::<()>().await;
            }
            self.recovered();
        };
        tokio::select! {
            biased;
            answered = &mut poll => return Ok(answered?),
            () = over => {}
        }
        Ok(poll.await?)
    }

    /// Asks who the bot is, if the account is new here: nothing can be translated before that is known.
    async fn identify(&self) -> Result<(), Failure> {
        if self.known {
            return Ok(());
        }
        match self.channel.identify().await {
            Ok(_) => {
                self.identify_beside();
                Ok(())
            }
            Err(Failure::Fault(Fault::Unsupported)) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    /// Asks in the background who the bot is, to notice what has changed since the last time.
    fn identify_beside(&self) {
        let channel = Arc::clone(self.channel);
        tokio::spawn(async move {
            if let Err(error) = channel.identify().await {
                tracing::debug!("{}: who the bot is: {error}", channel.name());
            }
        });
    }

    async fn settle(&self, answered: Answered<Batch>) -> Result<Batch, Obstacle> {
        let Answered { result, effects } = answered;
        self.channel.apply(effects).await.map_err(IntakeError::from)?;
        Ok(result.map_err(Failure::from)?)
    }

    /// Resets the failures, because the platform answers.
    fn healthy(&mut self) {
        self.backoff.reset();
        self.conflicts = 0;
        self.failing = None;
        self.recovered();
    }

    /// Reports, once, that messages arrive again.
    fn recovered(&self) {
        let before = self.channel.condition();
        if self.channel.set_condition(Condition::Up { address: None })
            && matches!(before, Condition::Interrupted { .. })
        {
            let text = format!("{}: messages arrive again", self.channel.name());
            tracing::info!("{text}");
            self.channel.notice(&text);
        }
    }

    /// Waits as long as this obstacle requires. Returns true if polling has to begin again, with the credentials that
    /// are stored then.
    async fn suffer(&mut self, obstacle: Obstacle) -> bool {
        tracing::debug!("{}: {obstacle}", self.channel.name());
        let since = *self.failing.get_or_insert_with(Instant::now);
        match obstacle {
            Obstacle::Platform(Failure::Fault(Fault::Unauthorized(reason))) => {
                interrupt(self.channel, reason);
                let (refused, mut pause) = (Instant::now(), LOOK);
                while refused.elapsed() < REFUSED && !credential::refresh(self.channel).await.unwrap_or(false)
                {
                    sleep(pause).await;
                    pause = credential::look(self.channel, pause);
                }
                return true;
            }
            Obstacle::Platform(Failure::Fault(Fault::RateLimited(pause))) => {
                let pause = pause.min(LONGEST);
                let text = format!("the platform asks to wait {:.1} s", pause.as_secs_f32());
                tracing::warn!("{}: {text}", self.channel.name());
                if pause >= OUTAGE {
                    interrupt(self.channel, text);
                }
                sleep(pause + backoff::jitter(Duration::from_millis(500))).await;
            }
            Obstacle::Platform(Failure::Fault(Fault::Conflict(reason))) => {
                self.conflicts += 1;
                if self.conflicts >= CONFLICTS {
                    interrupt(self.channel, reason);
                }
                sleep(self.backoff.patient()).await;
            }
            Obstacle::Intake(IntakeError::Shut(_) | IntakeError::Closed) => sleep(LOOK).await,
            Obstacle::Intake(IntakeError::Journal(error)) => {
                interrupt(self.channel, error.to_string());
                sleep(self.backoff.next()).await;
            }
            Obstacle::Platform(failure) => {
                if since.elapsed() >= OUTAGE || matches!(failure, Failure::Fault(Fault::Rejected(_))) {
                    let reason = format!("{failure}. It goes on trying");
                    // An outage can cause different errors, and is reported once.
                    if matches!(self.channel.condition(), Condition::Interrupted { .. }) {
                        self.channel.set_condition(Condition::Interrupted { reason });
                    } else {
                        interrupt(self.channel, reason);
                    }
                }
                sleep(self.backoff.next()).await;
            }
        }
        false
    }
}
