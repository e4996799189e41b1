//! A table of events and the decision about each.

use super::*;
use crate::{
    event::{ChatId, MessageId, SenderId},
    gate::{access::Pattern, pairing::Step, permission::Verdict},
};

/// One event, as a row of the table describes it.
#[derive(Clone)]
struct Row {
    kind: ChatKind,
    chat: &'static str,
    parent: Option<&'static str>,
    sender: &'static str,
    bot: bool,
    text: &'static str,
    addressed: bool,
    edited: bool,
}

const DIRECT: Row = Row {
    kind: ChatKind::Direct,
    chat: "d",
    parent: None,
    sender: "friend",
    bot: false,
    text: "hello",
    addressed: true,
    edited: false,
};
const GROUP: Row = Row { kind: ChatKind::Group, chat: "g", sender: "anybody", addressed: false, ..DIRECT };

fn message(row: &Row) -> Happening {
    Happening::Message(Message {
        id: MessageId::new("m"),
        chat: chat(row),
        sender: sender(row),
        text: row.text.into(),
        sent_at: 0,
        addressed: row.addressed,
        edited: row.edited,
        reply_to: None,
        attachments: Vec::new(),
        album: None,
        extra: Vec::new(),
    })
}

fn press(row: &Row) -> Happening {
    Happening::Press(Press {
        action: row.text.into(),
        sender: sender(row),
        chat: chat(row),
        message: MessageId::new("m"),
    })
}

fn chat(row: &Row) -> Chat {
    Chat {
        id: ChatId::new(row.chat),
        kind: row.kind,
        group: row.parent.map(ChatId::new),
        thread: None,
        title: None,
    }
}

fn sender(row: &Row) -> Sender {
    Sender { id: SenderId::new(row.sender), name: "Name".into(), is_bot: row.bot }
}

fn access(policy: DmPolicy) -> Access {
    let group = |require_mention, members: &[&str]| super::super::Group {
        require_mention,
        members: Members::of(members.iter().map(|id| SenderId::new(*id)).collect()),
    };
    Access {
        dm_policy: policy,
        allow_from: ["friend", "approver", "robot"].map(SenderId::new).into(),
        groups: [
            (ChatId::new("g"), group(true, &[])),
            (ChatId::new("loud"), group(false, &[])),
            (ChatId::new("closed"), group(false, &["member", "helper"])),
        ]
        .into(),
        mention_patterns: [Pattern::new(r"^hey\b").unwrap()].into(),
        approvers: Some([SenderId::new("approver"), SenderId::new("member")].into()),
    }
}

fn pending(sender: &str, answers: u32) -> Pending {
    Pending {
        sender: SenderId::new(sender),
        name: sender.into(),
        chat: ChatId::new(sender),
        thread: None,
        hash: None,
        expires_at: 1000,
        answers,
        denied: sender == "denied",
    }
}

fn standing(id: &RequestId) -> Standing {
    match id.to_string().as_str() {
        "abcde" => Standing::Open,
        "zzzzz" => Standing::Settled,
        _ => Standing::Unknown,
    }
}

fn decided(what: &Happening, policy: DmPolicy, pending: &[Pending], origin: Origin) -> Decision {
    let access = access(policy);
    decide(what, Situation { access: &access, pending, requests: &standing, origin, now: 500 })
}

fn with(policy: DmPolicy, row: &Row) -> Decision {
    decided(
        &message(row),
        policy,
        &[pending("waiting", 1), pending("told", 2), pending("denied", 1)],
        Origin::Trusted,
    )
}

#[test]
fn each_row_of_the_table_holds() {
    use DmPolicy::{Allowlist, Disabled, Pairing};
    let drop = Decision::Drop;
    let stranger = Row { sender: "stranger", ..DIRECT };
    for (name, policy, row, expected) in [
        ("any: disabled, direct", Disabled, DIRECT, drop(Reason::Disabled)),
        ("any: disabled, group", Disabled, Row { addressed: true, ..GROUP }, drop(Reason::Disabled)),
        ("direct: allowed", Allowlist, DIRECT, Decision::Deliver),
        ("direct: allowed, pairing", Pairing, DIRECT, Decision::Deliver),
        ("direct: allowed bot", Pairing, Row { sender: "robot", bot: true, ..DIRECT }, Decision::Deliver),
        ("direct: stranger, allowlist", Allowlist, stranger.clone(), drop(Reason::Stranger)),
        ("direct: strange bot", Pairing, Row { bot: true, ..stranger.clone() }, drop(Reason::Bot)),
        ("direct: code pending", Pairing, Row { sender: "waiting", ..DIRECT }, Decision::Pair(Step::Remind)),
        ("direct: reminded", Pairing, Row { sender: "told", ..DIRECT }, drop(Reason::AlreadyAnswered)),
        ("direct: denied", Pairing, Row { sender: "denied", ..DIRECT }, drop(Reason::Denied)),
        ("direct: list full", Pairing, stranger, drop(Reason::PairingFull)),
        ("group: unknown", Pairing, Row { chat: "x", addressed: true, ..GROUP }, drop(Reason::Group)),
        (
            "group: unknown, friend",
            Pairing,
            Row { chat: "x", sender: "friend", ..GROUP },
            drop(Reason::Group),
        ),
        (
            "group: thread of unknown",
            Pairing,
            Row { chat: "t", parent: Some("x"), ..GROUP },
            drop(Reason::Group),
        ),
        ("group: not a member", Pairing, Row { chat: "closed", ..GROUP }, drop(Reason::Member)),
        (
            "group: friend, not a member",
            Pairing,
            Row { chat: "closed", sender: "friend", ..GROUP },
            drop(Reason::Member),
        ),
        ("group: member", Pairing, Row { chat: "closed", sender: "member", ..GROUP }, Decision::Deliver),
        (
            "group: listed bot",
            Pairing,
            Row { chat: "closed", sender: "helper", bot: true, ..GROUP },
            Decision::Deliver,
        ),
        ("group: any bot", Pairing, Row { chat: "loud", bot: true, ..GROUP }, drop(Reason::Bot)),
        ("group: unaddressed", Pairing, GROUP, drop(Reason::Unaddressed)),
        ("group: addressed", Pairing, Row { addressed: true, ..GROUP }, Decision::Deliver),
        ("group: pattern", Pairing, Row { text: "Hey, you", ..GROUP }, Decision::Deliver),
        ("group: no pattern", Pairing, Row { text: "they say", ..GROUP }, drop(Reason::Unaddressed)),
        ("group: loud", Pairing, Row { chat: "loud", ..GROUP }, Decision::Deliver),
        ("group: thread", Allowlist, Row { chat: "t", parent: Some("loud"), ..GROUP }, Decision::Deliver),
        (
            "group: own rules win",
            Allowlist,
            Row { chat: "closed", parent: Some("loud"), ..GROUP },
            drop(Reason::Member),
        ),
    ] {
        assert_eq!(with(policy, &row), expected, "{name}");
    }
    let first = decided(
        &message(&Row { sender: "stranger", ..DIRECT }),
        Pairing,
        &[pending("waiting", 1)],
        Origin::Trusted,
    );
    assert_eq!(first, Decision::Pair(Step::New), "direct: a new code");
    let old = Pending { expires_at: 500, ..pending("told", 2) };
    let again = decided(&message(&Row { sender: "told", ..DIRECT }), Pairing, &[old], Origin::Trusted);
    assert_eq!(again, Decision::Pair(Step::New), "direct: an old code is forgotten");
}

#[test]
fn only_an_approver_decides_and_only_in_a_direct_chat_or_by_a_press() {
    let id = |text: &str| RequestId::parse(text).unwrap();
    let yes = Decision::Permission(id("abcde"), Answer::Verdict(Verdict::Allow));
    let approver = Row { sender: "approver", text: "yes abcde", ..DIRECT };
    for (name, row, origin, expected) in [
        ("an approver", approver.clone(), Origin::Trusted, yes.clone()),
        ("somebody else", Row { sender: "friend", ..approver.clone() }, Origin::Trusted, Decision::Deliver),
        (
            "an approver in a group",
            Row { chat: "loud", kind: ChatKind::Group, ..approver.clone() },
            Origin::Trusted,
            Decision::Deliver,
        ),
        ("by an edit", Row { edited: true, ..approver.clone() }, Origin::Trusted, Decision::Deliver),
        ("a visitor of the page", approver.clone(), Origin::Visitor, Decision::Deliver),
        (
            "a settled one",
            Row { text: "no zzzzz", ..approver.clone() },
            Origin::Trusted,
            Decision::Settled(id("zzzzz")),
        ),
        ("an unknown one", Row { text: "yes aaaaa", ..approver.clone() }, Origin::Trusted, Decision::Deliver),
        (
            "ordinary chat",
            Row { text: "yes abcde please", ..approver.clone() },
            Origin::Trusted,
            Decision::Deliver,
        ),
    ] {
        assert_eq!(decided(&message(&row), DmPolicy::Pairing, &[], origin), expected, "typed by {name}");
    }
    let button = Row { text: "permission:allow:abcde", ..approver };
    for (name, row, origin, expected) in [
        ("an approver", button.clone(), Origin::Trusted, yes.clone()),
        (
            "an approver in a group",
            Row { chat: "loud", kind: ChatKind::Group, ..button.clone() },
            Origin::Trusted,
            yes,
        ),
        (
            "somebody else",
            Row { sender: "friend", ..button.clone() },
            Origin::Trusted,
            Decision::Drop(Reason::Approver),
        ),
        (
            "an approver who may not write",
            Row { sender: "member", ..button.clone() },
            Origin::Trusted,
            Decision::Drop(Reason::Approver),
        ),
        (
            "a stranger",
            Row { sender: "stranger", ..button.clone() },
            Origin::Trusted,
            Decision::Drop(Reason::Approver),
        ),
        ("a visitor of the page", button.clone(), Origin::Visitor, Decision::Drop(Reason::Approver)),
        (
            "a settled one",
            Row { text: "permission:deny:zzzzz", ..button.clone() },
            Origin::Trusted,
            Decision::Settled(id("zzzzz")),
        ),
        (
            "an unknown one",
            Row { text: "permission:deny:aaaaa", ..button.clone() },
            Origin::Trusted,
            Decision::Settled(id("aaaaa")),
        ),
        (
            "another button",
            Row { text: "buy", ..button.clone() },
            Origin::Trusted,
            Decision::Drop(Reason::Button),
        ),
    ] {
        assert_eq!(decided(&press(&row), DmPolicy::Pairing, &[], origin), expected, "pressed by {name}");
    }
    assert_eq!(
        decided(&press(&button), DmPolicy::Disabled, &[], Origin::Trusted),
        Decision::Drop(Reason::Disabled)
    );
}

#[test]
fn history_is_read_as_far_as_its_writers_are_heard() {
    let reads = |policy, row: &Row| may_be_read(&access(policy), &chat(row), &sender(row));
    assert!(reads(DmPolicy::Pairing, &DIRECT));
    assert!(!reads(DmPolicy::Disabled, &DIRECT));
    assert!(!reads(DmPolicy::Pairing, &Row { sender: "stranger", ..DIRECT }));
    assert!(reads(DmPolicy::Pairing, &GROUP), "without a mention");
    assert!(!reads(DmPolicy::Pairing, &Row { bot: true, ..GROUP }));
    assert!(!reads(DmPolicy::Pairing, &Row { chat: "closed", ..GROUP }));
    assert!(!reads(DmPolicy::Pairing, &Row { chat: "x", ..GROUP }));
}

#[test]
fn a_move_is_a_move() {
    let moved = Happening::Moved { from: ChatId::new("g"), to: ChatId::new("h") };
    assert_eq!(decided(&moved, DmPolicy::Pairing, &[], Origin::Trusted), Decision::Move);
}

#[test]
fn the_bot_is_asked_about_itself_by_those_it_knows_and_nowhere_else() {
    let question = |row: &Row| {
        Happening::Question(Question { topic: Topic::Status, sender: sender(row), chat: chat(row) })
    };
    let asked = |row: &Row, policy| decided(&question(row), policy, &[], Origin::Trusted);
    let stranger = Row { sender: "stranger", ..DIRECT };
    for (row, policy, expected) in [
        (&DIRECT, DmPolicy::Pairing, Decision::Answer(Topic::Status)),
        (&DIRECT, DmPolicy::Allowlist, Decision::Answer(Topic::Status)),
        (&DIRECT, DmPolicy::Disabled, Decision::Drop(Reason::Disabled)),
        (&stranger, DmPolicy::Pairing, Decision::Pair(Step::New)),
        (&stranger, DmPolicy::Allowlist, Decision::Drop(Reason::Stranger)),
        (&Row { bot: true, ..stranger.clone() }, DmPolicy::Pairing, Decision::Drop(Reason::Bot)),
        // In a group, any member could make the bot talk.
        (&Row { sender: "friend", ..GROUP }, DmPolicy::Pairing, Decision::Drop(Reason::Group)),
    ] {
        assert_eq!(asked(row, policy), expected, "{} in {} under {policy}", row.sender, row.chat);
    }
    let waits = [pending("stranger", 1)];
    let again = decided(&question(&stranger), DmPolicy::Pairing, &waits, Origin::Trusted);
    assert_eq!(again, Decision::Pair(Step::Remind));
}
