//! A polled channel's way in: asks the platform for news, has each update translated, and stores what it tells together
//! with the cursor that moves past it. Only then is the platform asked again, which lets it forget them.

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

/// How long to wait while nobody knows who may speak, and how often to look for a new credential.
const LOOK: Duration = Duration::from_secs(2);

/// A poll that brings nothing takes at least so long, or the next one is put off.
const HELD: Duration = Duration::from_secs(1);

/// A poll that nobody has contested for so long: whoever did has given up, or comes back only now.
const UNCONTESTED: Duration = Duration::from_secs(20);

/// After a refusal it is asked again now and then, though nobody has changed anything here: a server may have been wrong.
const REFUSED: Duration = Duration::from_mins(5);

/// The longest pause that a platform may ask for before the next poll.
const LONGEST: Duration = Duration::from_mins(15);

/// Another consumer has to be met so often before it is told: this process's predecessor may still be in its last poll.
const CONFLICTS: u32 = 2;

/// An outage has to last so long before it is told.
const OUTAGE: Duration = Duration::from_secs(10);

/// What keeps news from coming.
#[derive(Debug, thiserror::Error)]
enum Obstacle {
    /// The platform, or the guest on its behalf, says no.
    #[error(transparent)]
    Platform(#[from] Failure),
    /// What came cannot be taken in.
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

/// How it stands between the host and a platform.
struct Poller<'a> {
    channel: &'a Arc<Channel>,
    /// Whose cursor it is.
    account: String,
    cursor: Option<String>,
    /// The cursor has moved since the disk was last waited for.
    moved: bool,
    /// Who the bot is was found out with this account, now or before.
    known: bool,
    /// The guest keeps something, most likely that.
    has_state: bool,
    backoff: Backoff,
    /// For a platform that answers at once, with nothing.
    lull: Backoff,
    conflicts: u32,
    /// Since when nothing came of it.
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

/// Tells everybody, once, that nothing comes.
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
            // A later return to another account finds out anew who the bot is.
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

    /// Until other credentials are needed, and there.
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

    /// Delivers what is stored while it asks for more, and stores that.
    async fn turn(&mut self, stored: Vec<Delivery>) -> Result<Vec<Delivery>, Obstacle> {
        // Whoever may not be heard is not listened to: the platform keeps it.
        if let Err(shut) = self.channel.admits().await {
            self.channel.deliver(stored).await;
            return Err(IntakeError::from(shut).into());
        }
        self.channel.breathe().await;
        let asked = Instant::now();
        let ((), answered, identified) =
            tokio::join!(self.channel.deliver(stored), self.ask(), self.identify());
        // Whatever becomes of the answer: the disk has what it takes.
        let answered = answered?;
        self.moved = false;
        identified?;
        self.known = true;
        let Batch { updates, pause_ms } = self.settle(answered).await?;
        let pause = Duration::from_millis(pause_ms.into());
        let before = self.cursor.clone();
        let stored = self.take(updates).await?;
        self.healthy();
        // Whoever does not hold a poll, or sends the same for ever, is not asked in a hot loop.
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

    /// With a cursor that has moved, the platform forgets what lies before it: the disk must have that first.
    async fn ask(&self) -> Result<Answered<Batch>, Obstacle> {
        if self.moved {
            self.channel.surroundings().journal.sync().await.map_err(IntakeError::from)?;
        }
        let poll = self.channel.guest().poll(self.cursor.clone());
        let interrupted = matches!(self.channel.condition(), Condition::Interrupted { .. });
        if !interrupted && self.failing.is_none() {
            return Ok(poll.await?);
        }
        // A poll that is held says nothing for a long time. That it is over is told when it is known.
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

    /// Of an account that is new here nothing can be translated before it is known who the bot is.
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

    /// What has changed since the last time is noticed beside the messages.
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

    /// The platform answers.
    fn healthy(&mut self) {
        self.backoff.reset();
        self.conflicts = 0;
        self.failing = None;
        self.recovered();
    }

    /// Tells everybody, once, that messages come again.
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

    /// Waits as long as it makes sense. True if there are other credentials after that.
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
                    // An outage has many faces, and is told once.
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
