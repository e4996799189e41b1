//! Tests of admission with a real file and journal.

use std::{fs, os::unix::fs::PermissionsExt as _, thread};

use super::*;
use crate::{
    event::{MessageId, Sender, SenderId},
    gate::pairing,
};

/// Two processes' views of one channel.
fn both() -> (tempfile::TempDir, Arc<Admission>, Arc<Admission>) {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let journal = Journal::open(&folder.path().join("journal.db")).unwrap();
        Arc::new(Admission::new(folder.path(), journal, Document::default(), None))
    };
    let (one, other) = (open(), open());
    (folder, one, other)
}

fn message(sender: &str, chat: &str) -> Message {
    Message {
        id: MessageId::new("m"),
        chat: Chat { id: ChatId::new(chat), kind: ChatKind::Direct, group: None, thread: None, title: None },
        sender: Sender { id: SenderId::new(sender), name: sender.into(), is_bot: false },
        text: "hello".into(),
        sent_at: 0,
        addressed: true,
        edited: false,
        reply_to: None,
        attachments: Vec::new(),
        album: None,
        extra: Vec::new(),
    }
}

fn decided(admission: &Admission, sender: &str) -> Decision {
    let what = Happening::Message(message(sender, sender));
    let rules = admission.rules_blocking().unwrap();
    let transaction = admission.journal.begin_blocking().unwrap();
    Admission::decide(&transaction, &rules.access, &what, Origin::Trusted, &|_| Standing::Unknown, 1).unwrap()
}

fn code(admission: &Admission, sender: &str, chat: &str) -> String {
    let message = message(sender, chat);
    let begin = |transaction: &mut Transaction<'_>| {
        Admission::begin_pairing(transaction, &message.sender, &message.chat, 1)
    };
    admission.journal.store_blocking(begin).unwrap();
    wait(admission.set_code(&SenderId::new(sender))).unwrap().unwrap().to_string()
}

/// Runs `work` to completion on a new runtime.
fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn allow(admission: &Admission, sender: &str) {
    admission.change_blocking(Change::Allow(SenderId::new(sender))).unwrap();
}

#[test]
fn what_a_person_changes_in_one_process_holds_in_the_other() {
    let (folder, one, other) = both();
    assert_eq!(decided(&other, "ada"), Decision::Pair(pairing::Step::New));
    allow(&one, "ada");
    assert_eq!(decided(&other, "ada"), Decision::Deliver);
    let mode = fs::metadata(folder.path().join("access.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    one.change_blocking(Change::Remove(SenderId::new("ada"))).unwrap();
    assert_ne!(decided(&other, "ada"), Decision::Deliver);
}

#[test]
fn another_hand_lets_nobody_in_and_anybody_out() {
    let (folder, one, other) = both();
    allow(&one, "ada");
    allow(&one, "bob");
    let path = folder.path().join("access.json");
    fs::write(&path, r#"{"allowFrom": ["ada", "eve"], "dmPolicy": "pairing"}"#).unwrap();
    assert_eq!(decided(&other, "ada"), Decision::Deliver);
    assert_ne!(decided(&other, "bob"), Decision::Deliver);
    assert_ne!(decided(&other, "eve"), Decision::Deliver);
    assert_eq!(other.rules_blocking().unwrap().withheld, [Widening::Sender(SenderId::new("eve"))]);
    // A removed sender stays out, although a person approved it before.
    fs::write(&path, r#"{"allowFrom": ["ada", "bob", "eve"]}"#).unwrap();
    assert_ne!(decided(&other, "bob"), Decision::Deliver);
    // A person's change approves only itself.
    allow(&one, "carl");
    assert_eq!(decided(&other, "carl"), Decision::Deliver);
    assert_ne!(decided(&other, "eve"), Decision::Deliver);
    assert_eq!(one.reject_blocking().unwrap().len(), 2);
    assert!(!fs::read_to_string(&path).unwrap().contains("eve"));
    fs::write(&path, r#"{"allowFrom": ["eve"]}"#).unwrap();
    assert_ne!(decided(&other, "eve"), Decision::Deliver);
    let shown = one.rules_blocking().unwrap();
    // A person approves what they were shown, not a later change.
    fs::write(&path, r#"{"allowFrom": ["eve", "mallory"]}"#).unwrap();
    assert!(matches!(one.accept_blocking(&shown.wanted), Err(Error::ChangedMeanwhile)));
    assert_ne!(decided(&other, "eve"), Decision::Deliver);
    fs::write(&path, r#"{"allowFrom": ["eve"]}"#).unwrap();
    assert_eq!(one.accept_blocking(&shown.wanted).unwrap().len(), 1);
    assert_eq!(decided(&other, "eve"), Decision::Deliver);
    assert!(one.accept_blocking(&shown.wanted).unwrap().is_empty());
}

#[test]
fn a_file_that_makes_no_sense_shuts_the_channel_and_stays_as_it_is() {
    let (folder, one, other) = both();
    allow(&one, "ada");
    let path = folder.path().join("access.json");
    for broken in ["{", "{\"allowFrom\": 1}", "\u{0}"] {
        fs::write(&path, broken).unwrap();
        assert!(other.rules_blocking().is_err() && wait(other.welcome(&ChatId::new("ada"))).is_err());
        assert!(one.change_blocking(Change::Allow(SenderId::new("eve"))).is_err());
        assert!(one.accept_blocking(&Access::default()).is_err() && one.reject_blocking().is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), broken);
    }
    fs::write(&path, r#"{"allowFrom": ["ada"]}"#).unwrap();
    assert_eq!(decided(&other, "ada"), Decision::Deliver);
}

#[test]
fn a_code_works_once_however_many_try_it() {
    let (_folder, one, other) = both();
    let code = code(&one, "ada", "chat-ada");
    let paired: Vec<bool> = thread::scope(|scope| {
        let tries: Vec<_> = [&one, &other, &one, &other]
            .map(|admission| scope.spawn(|| admission.pair_blocking(&code, 2).is_ok()))
            .into();
        tries.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(paired.iter().filter(|paired| **paired).count(), 1);
    assert_eq!(decided(&one, "ada"), Decision::Deliver);
}

#[test]
fn a_code_is_good_for_an_hour_and_a_denied_one_for_nothing() {
    let (_folder, one, _) = both();
    let hour = u64::try_from(pairing::LIFETIME.as_millis()).unwrap();
    let code = code(&one, "ada", "ada");
    assert!(matches!(one.pair_blocking(&code, 1 + hour), Err(Unapproved::Nobody)));
    assert!(one.deny_blocking("ada", 2).unwrap().is_some());
    assert!(matches!(one.pair_blocking(&code, 3), Err(Unapproved::Nobody)));
    assert_eq!(decided(&one, "ada"), Decision::Drop(Reason::Denied));
    assert!(wait(one.set_code(&SenderId::new("ada"))).unwrap().is_none(), "a code on its way comes too late");
}

#[test]
fn answers_go_to_chats_that_are_known_by_who_writes_there() {
    let (_folder, one, other) = both();
    allow(&one, "ada");
    let chat = ChatId::new("chat-7");
    assert!(wait(other.welcome(&chat)).is_err());
    let message = message("ada", "chat-7");
    one.journal.store_blocking(|transaction| Admission::remember(transaction, &message, 1)).unwrap();
    assert!(wait(other.welcome(&chat)).is_ok() && wait(other.welcome(&ChatId::new("ada"))).is_ok());
    assert_eq!(wait(other.approvers()).unwrap(), [(SenderId::new("ada"), chat.clone())]);
    one.change_blocking(Change::Remove(SenderId::new("ada"))).unwrap();
    assert!(wait(other.welcome(&chat)).is_err());
}

#[test]
fn guesses_that_are_made_at_once_are_counted_each() {
    let (_folder, one, other) = both();
    code(&one, "ada", "ada");
    let guessed: Vec<_> = thread::scope(|scope| {
        let guesses = (0..12).map(|number| {
            let admission = if number % 2 == 0 { &one } else { &other };
            scope.spawn(move || admission.pair_blocking("AAAAAA", 2))
        });
        let guesses: Vec<_> = guesses.collect();
        guesses.into_iter().map(|guess| guess.join().unwrap()).collect()
    });
    let wrong = guessed.iter().filter(|guess| matches!(guess, Err(Unapproved::Wrong { .. }))).count();
    assert_eq!(wrong, 4, "{guessed:?}");
    assert!(one.locked(3).unwrap().is_some());
}

#[tokio::test]
async fn what_another_process_is_changing_is_waited_for_beside_other_tasks() {
    let (folder, one, other) = both();
    one.change(Change::Allow(SenderId::new("ada"))).await.unwrap();
    assert!(other.rules().await.unwrap().access.allow_from.contains("ada"));
    let changing = one.file.lock(file::WAIT).unwrap();
    fs::write(folder.path().join("access.json"), r#"{"allowFrom": []}"#).unwrap();
    let spawn = |admission: &Arc<Admission>| {
        let admission = Arc::clone(admission);
        tokio::spawn(async move { admission.rules().await })
    };
    let (looking, as_well) = (spawn(&other), spawn(&other));
    let allowing = tokio::spawn({
        let other = Arc::clone(&other);
        async move { other.change(Change::Allow(SenderId::new("bob"))).await }
    });
    for _ in 0..50 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(!looking.is_finished() && !as_well.is_finished() && !allowing.is_finished());
    drop(changing);
    for rules in [looking, as_well] {
        assert!(
            !rules.await.unwrap().unwrap().access.allow_from.contains("ada"),
            "nobody is heard by old rules"
        );
    }
    allowing.await.unwrap().unwrap();
    assert!(one.rules().await.unwrap().access.allow_from.contains("bob"));
}

#[test]
fn a_change_that_cannot_be_written_lets_nobody_in() {
    let (folder, one, other) = both();
    allow(&one, "ada");
    // A folder blocks the path of the temporary file that is written first.
    let obstacle = folder.path().join(format!(".access.json.{}", std::process::id()));
    fs::create_dir(&obstacle).unwrap();
    assert!(one.change_blocking(Change::Allow(SenderId::new("eve"))).is_err());
    for admission in [&one, &other] {
        assert_ne!(decided(admission, "eve"), Decision::Deliver);
        assert_eq!(decided(admission, "ada"), Decision::Deliver);
    }
    fs::remove_dir(&obstacle).unwrap();
    allow(&one, "eve");
    assert_eq!(decided(&other, "eve"), Decision::Deliver);
}
