//! The first message and its reply. The channel runs in this process until the message has arrived.

use std::sync::Arc;

use rmcp::{
    RoleClient,
    model::{CallToolRequestParams, ContentBlock, ElicitResult, ElicitationAction},
    service::Peer,
};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::super::{
    answers::Answers,
    attempt::{Arrival, LocalSession, Question, obstacles},
    output::{self, Paint},
    serve,
};
use crate::{
    claude::OptIn,
    gate::pairing::Pending,
    guest::Identity,
    hub::{Condition, Hub},
    launch::{Launched, Launcher, Order},
    session::Dialogs,
};

const ANSWER: &str = "tidegate works: your messages reach this computer, and this is an answer.";

/// Runs the channel of this name, with its page on this port, until a message has arrived and was answered, or the
/// person skips this step.
pub(super) async fn greet(
    launcher: &Arc<Launcher>,
    (name, port): (&str, Option<u16>),
    identity: Option<&Identity>,
    answers: &mut Answers,
) -> anyhow::Result<()> {
    let order = Order {
        names: vec![name.to_owned()],
        port,
        opt_in: OptIn::Always,
        at_terminal: true,
        ..Order::default()
    };
    let Launched { hub, attention, judging: _ } = launcher.launch(&order).await?;
    let _flush = serve::FlushAtEnd(hub.clone());
    hub.prepared().await;
    if let [obstacle, ..] = obstacles(launcher, port, &hub).await?.as_slice() {
        let text = format!("{} This step is left out.\n", obstacle.describe());
        return Ok(output::print(&text)?);
    }
    let (session, arrived) = LocalSession::begin(&hub, Dialogs::Believed, attention).await?;
    let paint = Paint::stdout();
    output::print(&invitation(&hub, identity, paint))?;
    let paired = hub.loaded().channels().first().map(|channel| channel.paired());
    let greeting = Greeting { peer: session.peer(), paint, question: None, paired };
    greeting.wait(arrived, answers).await
}

fn invitation(hub: &Hub, identity: Option<&Identity>, paint: Paint) -> String {
    let loaded = hub.loaded();
    let page = loaded.channels().iter().find_map(|channel| match channel.condition() {
        Condition::Up { address: Some(address) } => Some(channel.link().unwrap_or(address)),
        _ => None,
    });
    let place = match (page, identity.and_then(|identity| identity.link.clone())) {
        (Some(page), _) => format!("Open {} and write something", paint.cyan(&page)),
        (None, Some(link)) => format!("Write something to {}", paint.cyan(&link)),
        (None, None) => "Write something".to_owned(),
    };
    format!("{place}. Waiting for it; press Enter to skip this step.\n")
}

/// Returns the next sender that is let in.
async fn paired(receiver: &mut Option<watch::Receiver<Option<Pending>>>) -> Option<Pending> {
    let receiver = receiver.as_mut()?;
    receiver.changed().await.ok()?;
    receiver.borrow_and_update().clone()
}

struct Greeting {
    peer: Peer<RoleClient>,
    paint: Paint,
    /// The open question about a sender who wants to write. The next line answers it.
    question: Option<Question>,
    paired: Option<watch::Receiver<Option<Pending>>>,
}

impl Greeting {
    async fn wait(
        mut self,
        mut arrived: mpsc::UnboundedReceiver<Arrival>,
        answers: &mut Answers,
    ) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                biased;
                Some(arrival) = arrived.recv() => match arrival {
                    Arrival::Event(event) => return self.answer(&event).await,
                    Arrival::Question(question) => self.ask(question)?,
                    Arrival::Settled => {
                        if self.question.take().is_some() {
                            output::print("\nThat was settled elsewhere. Waiting for a message.\n")?;
                        }
                    }
                    Arrival::Verdict(_) => {}
                },
                Some(Pending { name, sender, .. }) = paired(&mut self.paired) => {
                    let done = self.paint.green("✓");
                    let who = output::harmless(&format!("{name} ({sender})"));
                    output::print(&format!(
                        "{done} {who} may write from now on. Write once more: what came before went nowhere. Press Enter to \
                         skip.\n"
                    ))?;
                }
                line = answers.line() => {
                    let line = line?.unwrap_or_default();
                    let Some(question) = self.question.take() else { return Ok(()) };
                    let line = line.trim();
                    let result = match line {
                        "" => return Ok(()),
                        "no" => {
                            output::print("They are turned down. Waiting for a message of somebody else's.\n")?;
                            ElicitResult::new(ElicitationAction::Decline)
                        }
                        // A wrong code leads to the same question again.
                        code => ElicitResult::new(ElicitationAction::Accept).with_content(json!({question.field: code})),
                    };
                    // Fails only if the question has expired.
                    let _ = question.answer.send(result);
                }
            }
        }
    }

    fn ask(&mut self, question: Question) -> std::io::Result<()> {
        if question.choice {
            // The question is about a change of access.json, which needs no decision now.
            let _ = question.answer.send(ElicitResult::new(ElicitationAction::Cancel));
            return Ok(());
        }
        let message = self.paint.bold(&output::harmless(&question.message));
        self.question = Some(question);
        output::print(&format!("{message}\nThe code (\"no\" turns them down, Enter skips this step): "))
    }

    /// Prints who wrote, and sends a reply.
    async fn answer(&self, event: &Value) -> anyhow::Result<()> {
        let of = |name: &str| event.get("meta").and_then(|meta| meta.get(name)?.as_str()).unwrap_or_default();
        let content = event.get("content").and_then(Value::as_str).unwrap_or_default();
        let done = self.paint.green("✓");
        let came = output::harmless(&format!("{} wrote: {content}", of("user")));
        output::print(&format!("{done} {came}\n"))?;
        let arguments = json!({"chat_id": of("chat_id"), "text": ANSWER});
        let request = CallToolRequestParams::new("reply")
            .with_arguments(arguments.as_object().cloned().unwrap_or_default());
        let result = self.peer.call_tool(request).await?;
        if result.is_error == Some(true) {
            let texts = result.content.iter().filter_map(ContentBlock::as_text);
            let text = texts.map(|block| block.text.as_str()).collect::<Vec<_>>().join("\n");
            anyhow::bail!("the message came, but could not be answered: {text}");
        }
        Ok(output::print(&format!("{done} It was answered.\n"))?)
    }
}
