//! Asks the session's user for what only a person may approve, one dialog at a time.

use std::{collections::HashSet, sync::Arc, time::Duration};

use rmcp::{
    RoleServer, ServiceError,
    model::{
        BooleanSchema, ClientResult, ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction,
        ElicitationSchema, PrimitiveSchemaDefinition, ServerRequest, StringSchema,
    },
    service::{Peer, PeerRequestOptions},
};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::{
    admission::{Rules, Unapproved},
    clock,
    event::SenderId,
    gate::pairing::Pending,
    hub::{Approval, Channel},
};

/// How long a dialog about a changed file stays open, in milliseconds. Other approvals wait behind it.
const WIDENING: u64 = 60 * 60 * 1000;

/// How often to check whether an open question still needs an answer: another process may have settled it.
const CHECK: Duration = Duration::from_millis(500);

/// The subject of a question.
#[derive(Clone, Copy)]
enum Matter<'a> {
    Pairing(&'a SenderId),
    Widening(&'a Rules),
}

impl Matter<'_> {
    /// Returns whether the question still needs an answer.
    async fn is_open(self, channel: &Arc<Channel>) -> bool {
        match self {
            Self::Pairing(sender) => channel
                .admission()
                .pending(clock::now())
                .is_ok_and(|waiting| waiting.iter().any(|other| other.sender == *sender && !other.denied)),
            // A file that cannot be read now may be unchanged once it can be read.
            Self::Widening(rules) => {
                channel.admission().rules().await.map_or(true, |now| now.withheld == rules.withheld)
            }
        }
    }
}

/// Asks about each approval that arrives, as long as the session lasts.
pub(super) async fn ask(peer: Peer<RoleServer>, mut approvals: UnboundedReceiver<Approval>) {
    let mut asked = HashSet::new();
    while let Some(approval) = approvals.recv().await {
        let answered = match approval {
            Approval::Pairing { channel, pending } => pairing(&peer, &channel, &pending).await,
            Approval::Widening { channel, rules } => {
                // A user who has declined is not asked the same question again.
                let text = describe(&channel, &rules);
                if asked.insert(text.clone()) {
                    widening(&peer, &channel, &rules, text).await
                } else {
                    Ok(())
                }
            }
        };
        if let Err(error) = answered {
            tracing::warn!("the session's user could not be asked: {error}");
        }
    }
}

/// The number of answers without a correct code that end a question. The code can still be confirmed at a terminal.
const SLIPS: u32 = 10;

/// Asks for the code until it is correct or the user gives up.
async fn pairing(
    peer: &Peer<RoleServer>,
    channel: &Arc<Channel>,
    pending: &Pending,
) -> Result<(), ServiceError> {
    let name = &channel.descriptor().title;
    let question = format!(
        "{name}: {} (id {}) asks to write to this session. If you know them, ask for the code that they were given and \
         type it here.",
        pending.name, pending.sender
    );
    let (mut message, mut slips) = (question.clone(), 0);
    let matter = Matter::Pairing(&pending.sender);
    loop {
        let now = clock::now();
        if !matter.is_open(channel).await {
            return Ok(());
        }
        let code = StringSchema::new()
            .title("Code")
            .description("Six letters and digits. Declining turns them down for an hour");
        let code = PrimitiveSchemaDefinition::String(code);
        let rest = pending.expires_at.saturating_sub(now);
        let Some(answer) = elicit(peer, message, "code", code, rest, (channel, matter)).await? else {
            return Ok(());
        };
        let complaint = match answer.action {
            ElicitationAction::Accept => {
                let code = answer.content.as_ref().and_then(|content| content.get("code")?.as_str());
                match channel.pair(code.unwrap_or_default().to_owned()).await {
                    // The code may belong to another stranger: then this one still waits.
                    Ok(_) => String::new(),
                    Err(Unapproved::Locked(rest)) => {
                        let text = Unapproved::Locked(rest).to_string();
                        tracing::warn!("{}: {text}", channel.name());
                        return Ok(());
                    }
                    Err(error) => {
                        // A client that answers automatically would be asked forever.
                        slips += 1;
                        if slips == SLIPS {
                            tracing::warn!(
                                "{}: {SLIPS} answers in a row were no code: {error}",
                                channel.name()
                            );
                            return Ok(());
                        }
                        format!("Not yet: {error}.\n\n")
                    }
                }
            }
            ElicitationAction::Decline => match channel.admission().deny(pending.sender.clone(), now).await {
                Ok(_) => {
                    tracing::info!("{}: {} was turned down", channel.name(), pending.sender);
                    return Ok(());
                }
                Err(error) => {
                    tracing::error!("{}: {error}", channel.name());
                    format!("Not yet: {error}.\n\n")
                }
            },
            // The user has cancelled the dialog. The code can still be confirmed at a terminal.
            _ => return Ok(()),
        };
        message = format!("{complaint}{question}");
    }
}

fn describe(channel: &Channel, rules: &Rules) -> String {
    let list: Vec<String> = rules.withheld.iter().map(|widening| format!("- {widening}")).collect();
    format!(
        "{}: {} was changed by something other than tidegate, and would let in more than you have approved:\n{}\n\
         Accept only if you have made this change yourself.",
        channel.descriptor().title,
        channel.admission().path().display(),
        list.join("\n")
    )
}

async fn widening(
    peer: &Peer<RoleServer>,
    channel: &Arc<Channel>,
    rules: &Rules,
    message: String,
) -> Result<(), ServiceError> {
    let mut text = message.clone();
    let matter = Matter::Widening(rules);
    loop {
        let schema = BooleanSchema::new().title("I have made this change").with_default(false);
        let schema = PrimitiveSchemaDefinition::Boolean(schema);
        let Some(answer) = elicit(peer, text, "accept", schema, WIDENING, (channel, matter)).await? else {
            return Ok(());
        };
        let accepted = answer.action == ElicitationAction::Accept
            && answer.content.as_ref().and_then(|content| content.get("accept")?.as_bool()) == Some(true);
        if !accepted {
            return Ok(());
        }
        match channel.admission().accept(rules.wanted.clone()).await {
            Ok(_) => tracing::info!("{}: the change of access.json was approved", channel.name()),
            Err(error) if error.is_busy() => {
                tracing::warn!("{}: {error}", channel.name());
                text = format!("Not yet: {error}.\n\n{message}");
                continue;
            }
            Err(error) => tracing::error!("{}: {error}", channel.name()),
        }
        return Ok(());
    }
}

/// Asks one question with one field, until the time is over or the question needs no answer any more. Returns None in
/// these two cases.
async fn elicit(
    peer: &Peer<RoleServer>,
    message: String,
    field: &str,
    schema: PrimitiveSchemaDefinition,
    milliseconds: u64,
    (channel, matter): (&Arc<Channel>, Matter<'_>),
) -> Result<Option<ElicitResult>, ServiceError> {
    let requested_schema =
        ElicitationSchema::new([(field.to_owned(), schema)].into()).with_required(vec![field.to_owned()]);
    let params = ElicitRequestParams::FormElicitationParams { meta: None, message, requested_schema };
    let request = ServerRequest::ElicitRequest(ElicitRequest::new(params));
    let mut asked = peer.send_cancellable_request(request, PeerRequestOptions::no_options()).await?;
    let deadline = tokio::time::Instant::now() + Duration::from_millis(milliseconds);
    loop {
        tokio::select! {
            answer = &mut asked.rx => return match answer {
                Ok(Ok(ClientResult::ElicitResult(answer))) => Ok(Some(answer)),
                Ok(Ok(_)) => Err(ServiceError::UnexpectedResponse),
                Ok(Err(error)) => Err(error),
                Err(_) => Err(ServiceError::TransportClosed),
            },
            () = tokio::time::sleep(CHECK.min(deadline.saturating_duration_since(tokio::time::Instant::now()))) => {
                if tokio::time::Instant::now() >= deadline || !matter.is_open(channel).await {
                    asked.cancel(Some("the question needs no answer any more".to_owned())).await?;
                    return Ok(None);
                }
            }
        }
    }
}
