//! A channel's component as typed functions, each with a deadline, in the host's own types.

mod attributes;
mod convert;
mod descriptor;
mod failure;
mod said;

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use wasmtime::{Store, component::InstancePre};

use self::{attributes::Attributes, failure::Asked};
pub use self::{
    descriptor::{Credential, Descriptor, Features, InvalidDescriptor, Place, Setting, ValueForm},
    said::{Answered, Button, ButtonStyle, Fault, Identity, News, Outgoing, Sent},
};
use crate::{
    capability::{Effects, Surroundings, Tenant, files::Handles},
    contract::{self, Mismatch, Source, exports, imports},
    event::{ChatId, EventId, Format, Message, MessageId, SenderId},
    sandbox::{Call, CallError, CompileError, Digest, Engine, Lane, Limits, Pool, Resident},
    text,
};

/// The additional time for a poll, or for fetching files: platforms hold a long poll for up to a minute.
const POLL: Duration = Duration::from_mins(1);

/// The slowest upload that a send waits for, in bytes per second.
const SLOWEST: u64 = 128 << 10;

/// How much of a request's path appears in the report of a failure, in bytes.
const ASKED: usize = 200;

/// The deadline of `describe`. It only computes: a call that takes longer is stuck.
const DESCRIBE: Duration = Duration::from_secs(2);

/// Why a component cannot be used as a channel.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It cannot be compiled.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// It has a different shape, or it is built for another version of the contract.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// It imports something that this host does not provide.
    #[error("it does not fit the channel contract: {0}")]
    Link(String),
    /// Its `describe` has failed.
    #[error("it failed when asked what it is: {0}")]
    Describe(#[from] CallError),
    /// Its descriptor is not valid.
    #[error("what it says of itself is not valid: {0}")]
    Descriptor(#[from] InvalidDescriptor),
}

/// A component that has described itself, but has no surroundings to run with yet.
pub struct Blueprint {
    engine: Arc<Engine>,
    template: InstancePre<Resident<Tenant>>,
    /// Its description of itself.
    pub descriptor: Descriptor,
    /// The source of its events.
    pub source: Source,
    /// The digest that identifies it.
    pub digest: Digest,
    /// Its size, in bytes.
    pub size: usize,
    /// The interfaces that it imports.
    pub imports: Vec<String>,
}

/// The exported functions of one instance.
struct Exports {
    channel: exports::channel::Guest,
    outbound: exports::outbound::Guest,
    poll: Option<exports::poll_source::Guest>,
    web: Option<exports::web_source::Guest>,
}

impl Blueprint {
    /// Loads a component and calls its `describe`. `label` is its name for the person who waits for the compiler.
    pub async fn load(engine: Arc<Engine>, label: &str, bytes: &[u8]) -> Result<Self, LoadError> {
        let component = engine.load(label, bytes).await?;
        let source = contract::recognise(engine.wasmtime(), &component)?;
        let link = |error: wasmtime::Error| LoadError::Link(format!("{error:#}"));
        let imports =
            component.component_type().imports(engine.wasmtime()).map(|(name, _)| name.to_owned()).collect();
        let template = crate::capability::linker(&engine, &component)
            .and_then(|linker| linker.instantiate_pre(&component))
            .map_err(link)?;
        let indices = exports::channel::GuestIndices::new(&template).map_err(link)?;
        let pool = Pool::new(
            Arc::clone(&engine),
            template.clone(),
            Limits::default(),
            move |store, instance| indices.load(store, instance),
            Tenant::stranger,
        );
        let lines = OnceLock::new();
        let described = pool
            .call(
                Lane::Inward,
                DESCRIBE,
                |store, channel| {
                    let _ = lines.set(store.data().tenant.lines());
                    Box::pin(channel.call_describe(store))
                },
                Tenant::leave,
            )
            .await;
        let (described, _) =
            described.map_err(|error| failure::told(label, &Asked::to("describe"), error, lines.get()))?;
        let descriptor = Descriptor::try_from(described)?;
        Ok(Self {
            engine,
            template,
            descriptor,
            source,
            digest: Digest::of(bytes),
            size: bytes.len(),
            imports,
        })
    }

    /// Gives the channel its surroundings. After this it can be called.
    pub fn furnish(self, surroundings: Arc<Surroundings>, limits: Limits) -> Result<Guest, LoadError> {
        let link = |error: wasmtime::Error| LoadError::Link(format!("{error:#}"));
        let channel = exports::channel::GuestIndices::new(&self.template).map_err(link)?;
        let outbound = exports::outbound::GuestIndices::new(&self.template).map_err(link)?;
        let web = (self.source == Source::Web)
            .then(|| exports::web_source::GuestIndices::new(&self.template))
            .transpose()
            .map_err(link)?;
        let polled = (self.source == Source::Poll)
            .then(|| exports::poll_source::GuestIndices::new(&self.template))
            .transpose()
            .map_err(link)?;
        let theirs = Arc::clone(&surroundings);
        let pool = Pool::new(
            self.engine,
            self.template,
            limits,
            move |store, instance| {
                Ok(Exports {
                    channel: channel.load(&mut *store, instance)?,
                    outbound: outbound.load(&mut *store, instance)?,
                    poll: polled.as_ref().map(|polled| polled.load(&mut *store, instance)).transpose()?,
                    web: web.as_ref().map(|web| web.load(&mut *store, instance)).transpose()?,
                })
            },
            move || Tenant::of(Arc::clone(&theirs)),
        );
        let attributes = Attributes::new(self.descriptor.name.clone());
        Ok(Guest { pool, surroundings, attributes, descriptor: self.descriptor, source: self.source })
    }
}

/// A channel's component that can be called.
pub struct Guest {
    pool: Pool<Tenant, Exports>,
    surroundings: Arc<Surroundings>,
    attributes: Attributes,
    descriptor: Descriptor,
    source: Source,
}

/// A call that a guest may answer with a fault.
trait Question<R>:
    for<'a> FnOnce(&'a mut Store<Resident<Tenant>>, &'a Exports) -> Call<'a, Result<R, imports::types::Fault>>
{
}

impl<R, F> Question<R> for F where
    F: for<'a> FnOnce(
        &'a mut Store<Resident<Tenant>>,
        &'a Exports,
    ) -> Call<'a, Result<R, imports::types::Fault>>
{
}

/// A request to the page, as the guest gets it.
pub type WebRequest = exports::web_source::Request;
/// The body of a request.
pub type WebBody = exports::web_source::Body;
/// A field of a form.
pub type WebField = exports::web_source::FieldValue;
/// The guest's response.
pub type WebResponse = exports::web_source::Response;
/// What a browser's WebSocket did.
pub type WebSignal = exports::web_source::Signal;
/// The result of a poll.
pub type Batch = exports::poll_source::Batch;
/// One update from the platform, not yet translated.
pub type Update = exports::poll_source::Update;
/// A file that the guest is asked to fetch.
pub type Wanted = exports::outbound::Wanted;
/// A file in the inbox, as the guest gets it.
pub type Saved = imports::types::Saved;

impl Guest {
    /// Returns the component's description of itself.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// Returns the source of its events.
    pub fn source(&self) -> Source {
        self.source
    }

    /// Discards instances that have been idle for too long.
    pub fn sweep(&self) {
        self.pool.sweep();
    }

    /// Sends one message.
    pub async fn send(&self, outgoing: Outgoing) -> Result<(Sent, Effects), CallError> {
        let mut handles = Handles::default();
        let files: u64 = outgoing.files.iter().map(|file| file.size).sum();
        let asked = Asked::about("send", format!("to the chat {}", outgoing.chat));
        let outgoing = convert::outgoing(outgoing, &mut handles);
        let (sent, (effects, _)) = self
            .call(
                asked,
                Lane::Outward,
                self.deadline() + Duration::from_secs(files / SLOWEST),
                handles,
                |store, exports| Box::pin(async move { exports.outbound.call_send(store, &outgoing).await }),
            )
            .await?;
        let ids = sent.ids.into_iter().map(MessageId::new).collect();
        Ok((Sent { ids, fault: sent.fault.map(Fault::from) }, effects))
    }

    /// Replaces a message that the bot has sent.
    pub async fn edit(
        &self,
        chat: ChatId,
        message: MessageId,
        text: String,
        format: Format,
        buttons: Vec<Button>,
    ) -> Result<Answered<()>, CallError> {
        let buttons: Vec<_> = buttons.into_iter().map(imports::types::Button::from).collect();
        self.ask(
            Asked::about("edit", format!("message {message} in the chat {chat}")),
            move |store, exports| {
                Box::pin(async move {
                    exports.outbound.call_edit(store, &chat, &message, &text, format.into(), &buttons).await
                })
            },
        )
        .await
    }

    /// Answers the press of a button, with a notice for the sender who pressed it.
    pub async fn acknowledge(
        &self,
        press: EventId,
        notice: Option<String>,
    ) -> Result<Answered<()>, CallError> {
        self.ask(Asked::to("acknowledge"), move |store, exports| {
            Box::pin(async move { exports.outbound.call_acknowledge(store, &press, notice.as_deref()).await })
        })
        .await
    }

    /// Asks the platform who this bot is.
    pub async fn identify(&self) -> Result<Answered<Identity>, CallError> {
        let Answered { result, effects } = self
            .ask(Asked::to("identify"), |store, exports| {
                Box::pin(async move { exports.channel.call_identify(store).await })
            })
            .await?;
        let identity = |identity: exports::channel::Identity| Identity {
            id: SenderId::new(identity.id),
            name: text::name(&identity.name).into_owned(),
            link: identity.link.map(|link| text::name(&link).into_owned()),
            notes: identity.notes,
        };
        Ok(Answered { result: result.map(identity), effects })
    }

    /// Adds an emoji to a message as a reaction.
    pub async fn react(
        &self,
        chat: ChatId,
        message: MessageId,
        emoji: String,
    ) -> Result<Answered<()>, CallError> {
        self.ask(Asked::to("react"), move |store, exports| {
            Box::pin(async move { exports.outbound.call_react(store, &chat, &message, &emoji).await })
        })
        .await
    }

    /// Shows in the chat that an answer is being worked on.
    pub async fn typing(&self, chat: ChatId, thread: Option<String>) -> Result<Answered<()>, CallError> {
        self.ask(Asked::to("typing"), move |store, exports| {
            Box::pin(async move { exports.outbound.call_typing(store, &chat, thread.as_deref()).await })
        })
        .await
    }

    /// Returns the newest messages of a chat, oldest first.
    pub async fn history(&self, chat: ChatId, limit: u32) -> Result<Answered<Vec<Message>>, CallError> {
        let range = exports::outbound::Range::Latest;
        let Answered { result, effects } = self
            .ask(Asked::about("history", format!("of the chat {chat}")), move |store, exports| {
                Box::pin(async move { exports.outbound.call_history(store, &chat, &range, limit).await })
            })
            .await?;
        let none = Handles::default();
        let convert = |message| convert::message(message, self.given(&none));
        Ok(Answered { result: result.map(|messages| messages.into_iter().map(convert).collect()), effects })
    }

    /// Fetches files of a message into the inbox. Returns their paths there.
    pub async fn fetch(
        &self,
        chat: ChatId,
        message: MessageId,
        wanted: Vec<Wanted>,
    ) -> Result<Answered<Vec<PathBuf>>, CallError> {
        let (Answered { result, effects }, handles) = self
            .ask_with_files(
                Asked::about("fetch", format!("of message {message}")),
                self.deadline() + POLL,
                move |store, exports| {
                    Box::pin(
                        async move { exports.outbound.call_fetch(store, &chat, &message, &wanted).await },
                    )
                },
            )
            .await?;
        let files = &self.surroundings.files;
        let path = |saved: &Saved| Some(files.inbox_path(handles.saved(saved.handle)?));
        Ok(Answered { result: result.map(|saved| saved.iter().filter_map(path).collect()), effects })
    }

    /// Passes a request to the page; its files are already in the inbox.
    pub async fn handle(
        &self,
        request: WebRequest,
        handles: Handles,
    ) -> Result<(Result<WebResponse, Fault>, News), CallError> {
        let path = request.path.get(..request.path.floor_char_boundary(ASKED)).unwrap_or_default();
        let (answer, (effects, handles)) = self
            .call(
                Asked::about("handle", format!("{} {path}", request.method)),
                Lane::Inward,
                self.deadline(),
                handles,
                |store, exports| Box::pin(async move { web(exports)?.call_handle(store, &request).await }),
            )
            .await?;
        Ok(match answer {
            Ok(answer) => {
                let events = convert::events(answer.events, self.given(&handles));
                (Ok(answer.response), News { events, effects })
            }
            Err(fault) => (Err(fault.into()), News { events: Vec::new(), effects }),
        })
    }

    /// Passes the guest what a browser's WebSocket did. If the guest answers with a fault, there are no events, but
    /// what it has pushed to the page (usually an explanation) still has to be sent.
    pub async fn receive(
        &self,
        connection: u64,
        signal: WebSignal,
    ) -> Result<(News, Option<Fault>), CallError> {
        let (events, (effects, handles)) = self
            .call(
                Asked::about("receive", signal_name(&signal)),
                Lane::Inward,
                self.deadline(),
                Handles::default(),
                |store, exports| {
                    Box::pin(async move { web(exports)?.call_receive(store, connection, &signal).await })
                },
            )
            .await?;
        Ok(self.news(events, effects, &handles))
    }

    /// Asks the platform for updates after this cursor.
    pub async fn poll(&self, cursor: Option<String>) -> Result<Answered<Batch>, CallError> {
        let (result, (effects, _)) = self
            .call(
                Asked::to("poll"),
                Lane::Inward,
                self.deadline() + POLL,
                Handles::default(),
                |store, exports| {
                    Box::pin(async move { poll(exports)?.call_poll(store, cursor.as_deref()).await })
                },
            )
            .await?;
        Ok(Answered { result: result.map_err(Fault::from), effects })
    }

    /// Translates an update. If the guest does not understand it, the result is a fault without events; the effects of
    /// the call still have to be applied.
    pub async fn translate(&self, payload: Arc<Vec<u8>>) -> Result<(News, Option<Fault>), CallError> {
        let (events, (effects, handles)) = self
            .call(
                Asked::about("translate", format!("an update of {} bytes", payload.len())),
                Lane::Inward,
                self.deadline(),
                Handles::default(),
                |store, exports| {
                    Box::pin(async move { poll(exports)?.call_translate(store, &payload).await })
                },
            )
            .await?;
        Ok(self.news(events, effects, &handles))
    }

    /// Returns the events of a call with its effects. With a fault there are no events, but the effects remain.
    fn news(
        &self,
        events: Result<Vec<imports::types::Event>, imports::types::Fault>,
        effects: Effects,
        handles: &Handles,
    ) -> (News, Option<Fault>) {
        match events {
            Ok(events) => (News { events: convert::events(events, self.given(handles)), effects }, None),
            Err(fault) => (News { events: Vec::new(), effects }, Some(fault.into())),
        }
    }

    /// Makes one call, which gets these files. Returns its answer, its effects, and the files that it was given or has
    /// created.
    async fn call<R>(
        &self,
        asked: Asked,
        lane: Lane,
        deadline: Duration,
        handles: Handles,
        call: impl for<'a> FnOnce(&'a mut Store<Resident<Tenant>>, &'a Exports) -> Call<'a, R>,
    ) -> Result<(R, (Effects, Handles)), CallError> {
        // The handle to the log lines must outlive the instance, which is dropped if the call fails.
        let lines = OnceLock::new();
        let called = self
            .pool
            .call(
                lane,
                deadline,
                |store, exports| {
                    let tenant = &mut store.data_mut().tenant;
                    tenant.enter(handles);
                    let _ = lines.set(tenant.lines());
                    call(store, exports)
                },
                Tenant::leave,
            )
            .await;
        called.map_err(|error| failure::told(&self.descriptor.name, &asked, error, lines.get()))
    }

    async fn ask<R>(&self, asked: Asked, call: impl Question<R>) -> Result<Answered<R>, CallError> {
        self.ask_with_files(asked, self.deadline(), call).await.map(|(answered, _)| answered)
    }

    /// Calls like `ask`, with this deadline, and also returns the files that the call has created.
    async fn ask_with_files<R>(
        &self,
        asked: Asked,
        deadline: Duration,
        call: impl Question<R>,
    ) -> Result<(Answered<R>, Handles), CallError> {
        let (result, (effects, handles)) =
            self.call(asked, Lane::Outward, deadline, Handles::default(), call).await?;
        Ok((Answered { result: result.map_err(Fault::from), effects }, handles))
    }

    fn given<'a>(&'a self, handles: &'a Handles) -> convert::Given<'a> {
        convert::Given { files: &self.surroundings.files, handles, attributes: &self.attributes }
    }

    fn deadline(&self) -> Duration {
        self.pool.limits().deadline
    }

    /// Returns what the channel's calls can reach.
    pub fn surroundings(&self) -> &Arc<Surroundings> {
        &self.surroundings
    }
}

fn signal_name(signal: &WebSignal) -> String {
    match signal {
        WebSignal::Opened => "a browser has come".to_owned(),
        WebSignal::Frame(text) => format!("a frame of {} bytes", text.len()),
        WebSignal::Closed => "a browser has gone".to_owned(),
    }
}

fn poll(exports: &Exports) -> wasmtime::Result<&exports::poll_source::Guest> {
    exports.poll.as_ref().ok_or_else(|| wasmtime::Error::msg("the channel cannot be polled"))
}

fn web(exports: &Exports) -> wasmtime::Result<&exports::web_source::Guest> {
    exports.web.as_ref().ok_or_else(|| wasmtime::Error::msg("the channel has no page"))
}
