//! Tests of concurrent changes of one file.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use serde_json::{Value, json};

use crate::{
    harness::Home,
    pairing::{access, document, done, file, open, other, refused, status, write},
};

const HANDS: usize = 8;
const EACH: usize = 10;

fn ids(list: &Value) -> BTreeSet<String> {
    list.as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect()
}

/// Lets eight processes let in ten people each at the same time, while `meanwhile` runs; returns everybody who was let
/// in.
fn crowd(home: &Home, meanwhile: impl FnOnce(&AtomicBool)) -> BTreeSet<String> {
    let over = AtomicBool::new(false);
    let name = |hand, number| format!("id-{hand}-{number}");
    thread::scope(|scope| {
        let hands: Vec<_> = (0..HANDS)
            .map(|hand| {
                scope.spawn(move || {
                    for number in 0..EACH {
                        done(home, &["allow", &name(hand, number)]);
                    }
                })
            })
            .collect();
        // Whoever reads finds a whole file at every moment, and nobody in it is ever gone again.
        let reader = scope.spawn(|| {
            let mut known = BTreeSet::new();
            let mut reads = 0_u32;
            while !over.load(Ordering::Relaxed) {
                let text = std::fs::read_to_string(file(home)).unwrap();
                let document: Value =
                    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
                let seen = ids(&document["allowFrom"]);
                assert!(seen.is_superset(&known), "{known:?} became {seen:?}");
                known = seen;
                reads += 1;
            }
            assert!(reads > 0);
        });
        let end = scope.spawn(|| {
            let joined: Vec<_> = hands.into_iter().map(thread::ScopedJoinHandle::join).collect();
            over.store(true, Ordering::Relaxed);
            for hand in joined {
                hand.unwrap();
            }
        });
        meanwhile(&over);
        end.join().unwrap();
        reader.join().unwrap();
    });
    (0..HANDS).flat_map(|hand| (0..EACH).map(move |number| name(hand, number))).collect()
}

#[test]
fn eighty_changes_at_once_are_all_made_while_the_channel_is_served() {
    let home = Home::new();
    home.access("bazaar", &json!({"dmPolicy": "allowlist", "allowFrom": ["ada"], "zebra": 1}));
    let (mut server, mut page) = open(&home);
    let mut said = 0_u32;
    let mut expected = crowd(&home, |over| {
        while !over.load(Ordering::Relaxed) {
            said += 1;
            write(&mut page, "ada", &said.to_string());
            assert_eq!(server.content(), said.to_string());
        }
    });
    assert!(said > 0);
    expected.insert("ada".to_owned());
    let document = document(&home);
    assert_eq!(ids(&document["allowFrom"]), expected);
    assert_eq!((&document["dmPolicy"], &document["zebra"]), (&json!("allowlist"), &json!(1)));
    // Each was approved with what it changed, and the server knows all of them.
    let status = status(&home);
    assert_eq!(status["withheld"], json!([]));
    assert_eq!(ids(&status["access"]["allowFrom"]), expected);
    for id in &expected {
        write(&mut page, id, id);
        assert_eq!(server.content(), *id);
    }
    server.no_event();
    // And nothing is left lying about.
    let names = std::fs::read_dir(home.path().join("bazaar")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let left: Vec<String> = names.filter(|name| name.starts_with("access.")).collect();
    assert_eq!(
        left.into_iter().collect::<BTreeSet<_>>(),
        ["access.json", "access.lock"].map(str::to_owned).into()
    );
}

#[test]
fn the_first_changes_of_a_channel_that_has_never_run_do_not_get_in_each_others_way() {
    let home = Home::new();
    std::fs::create_dir(home.path().join("bazaar")).unwrap();
    let ids: Vec<String> = (0..HANDS).map(|number| format!("id-{number}")).collect();
    thread::scope(|scope| {
        for id in &ids {
            scope.spawn(|| done(&home, &["allow", id]));
        }
    });
    assert_eq!(self::ids(&document(&home)["allowFrom"]), ids.into_iter().collect());
}

#[test]
fn a_code_that_two_people_confirm_at_once_works_once() {
    let home = Home::new();
    let (_server, mut page) = open(&home);
    write(&mut page, "eve", "let me in");
    let code = crate::pairing::code(&mut page, "eve");
    let outcomes: Vec<bool> = thread::scope(|scope| {
        let hands: Vec<_> =
            (0..3).map(|_| scope.spawn(|| access(&home, &["pair", &code]).status.success())).collect();
        hands.into_iter().map(|hand| hand.join().unwrap()).collect()
    });
    assert_eq!(outcomes.iter().filter(|worked| **worked).count(), 1, "{outcomes:?}");
    assert_eq!(document(&home)["allowFrom"], json!(["eve"]));
}

#[test]
fn wrong_codes_at_once_are_all_counted() {
    let home = Home::new();
    let (_server, mut page) = open(&home);
    write(&mut page, "eve", "let me in");
    let code = crate::pairing::code(&mut page, "eve");
    thread::scope(|scope| {
        for _ in 0..HANDS {
            scope.spawn(|| refused(&home, &["pair", &other(&code)]));
        }
    });
    assert!(refused(&home, &["pair", &code]).contains("none is accepted for 15 minutes"));
    assert!(!file(&home).exists());
}
