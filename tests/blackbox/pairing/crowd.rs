//! Tests with many strangers, with strangers that write quickly, and with codes that are being computed: each takes
//! about 100 ms.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{answer, code, code_in, document, done, dropped, end, open, status, write};
use crate::harness::{Home, Page};

#[test]
fn a_fourth_stranger_gets_nothing_while_three_wait() {
    let home = Home::new();
    let (mut server, mut page) = open(&home);
    let codes = ["s1", "s2", "s3"].map(|sender| {
        write(&mut page, sender, "let me in");
        code(&mut page, sender)
    });
    write(&mut page, "s4", "me too");
    assert_eq!(page.calls(), Vec::<Value>::new());
    assert_eq!(status(&home)["pairings"].as_array().unwrap().len(), 3);
    done(&home, &["pair", &codes[1]]);
    let (chat, paired) = answer(&mut page);
    assert!(chat == "s2" && paired.starts_with("Paired"), "{chat}: {paired}");
    // Now there is room.
    write(&mut page, "s4", "and now?");
    code(&mut page, "s4");
    end(&mut server);
    assert_eq!(dropped(&home), [(("s4".into(), "s4".into(), "pairing-full".into()), 1)].into());
}

#[test]
fn a_flood_of_strangers_gets_three_codes_and_three_reminders() {
    let home = Home::new();
    let (mut server, mut page) = open(&home);
    for round in 0..3 {
        let crowd = (0..200).map(|number| format!("s{number}"));
        let crowd = crowd.map(|id| json!({"chat": id, "sender": id, "text": format!("round {round}")}));
        page.tell(&json!({"messages": crowd.collect::<Vec<_>>()}));
    }
    let mut told = BTreeMap::<String, String>::new();
    let mut listen = |page: &mut Page, expected: &[(&str, &str)]| {
        let has = |told: &BTreeMap<String, String>, chat: &str, part| {
            told.get(chat).is_some_and(|text| text.contains(part))
        };
        while !expected.iter().all(|(chat, part)| has(&told, chat, *part)) {
            let sent = page.call("send");
            let text = sent["text"].as_str().unwrap();
            told.entry(sent["chat"].as_str().unwrap().to_owned()).or_default().push_str(text);
        }
        told.clone()
    };
    let winners = ["s0", "s1", "s2"];
    let codes = listen(&mut page, &winners.map(|winner| (winner, "nowhere.")));
    // However often they write now, they are told one more thing at most.
    for _ in 0..3 {
        write(&mut page, "s1", "still here");
        write(&mut page, "s2", "still here");
    }
    assert_eq!(status(&home)["pairings"].as_array().unwrap().len(), 3);
    // By the time that somebody is in all else has been said.
    done(&home, &["pair", &code_in(&codes["s0"]).unwrap()]);
    let told = listen(&mut page, &[("s0", "Paired"), ("s1", "still waits"), ("s2", "still waits")]);
    assert!(told.keys().eq(winners), "{told:?}");
    for text in told.values() {
        assert_eq!(text.matches("Your pairing code is").count(), 1, "{text}");
        assert!(text.matches("still waits").count() <= 1, "{text}");
    }
    server.no_event();
    end(&mut server);
    let dropped = dropped(&home);
    assert!(dropped.len() > 10, "{dropped:?}");
    for ((sender, chat, reason), count) in &dropped {
        assert_eq!(sender, chat);
        let Some(number) = sender.strip_prefix('s') else {
            // More than can be held are counted without a name.
            assert_eq!(sender, "(others)", "{dropped:?}");
            continue;
        };
        let expected = if number.parse::<u32>().unwrap() < 3 { "already-answered" } else { "pairing-full" };
        assert!(reason == expected && (1..=9).contains(count), "{dropped:?}");
    }
    assert_eq!(document(&home)["allowFrom"], json!(["s0"]));
}

#[test]
fn a_stranger_in_a_hurry_has_the_code_before_the_reminder() {
    let home = Home::new();
    let (_server, mut page) = open(&home);
    let message = |text: &str| json!({"chat": "ada", "sender": "ada", "text": text});
    page.tell(&json!({"messages": [message("hi"), message("let me in"), message("hello?")]}));
    code(&mut page, "ada");
}

#[test]
fn whoever_is_turned_down_while_the_code_is_worked_out_stays_so() {
    let home = Home::new();
    let (mut server, mut page) = open(&home);
    write(&mut page, "ada", "let me in");
    assert_eq!(page.calls(), Vec::<Value>::new(), "it is noted and not yet told");
    done(&home, &["deny", "ada"]);
    // Whatever ada is still told is told by the time that bob is.
    write(&mut page, "bob", "let me in");
    while answer(&mut page).0 != "bob" {}
    let pairings = status(&home)["pairings"].take();
    let ada = pairings.as_array().unwrap().iter().find(|pairing| pairing["sender"] == "ada");
    assert!(ada.is_some_and(|ada| ada["denied"] == true), "{pairings}");
    server.no_event();
}

#[test]
fn a_code_that_a_crash_has_swallowed_is_made_anew() {
    let home = Home::new();
    let (server, mut page) = open(&home);
    write(&mut page, "ada", "let me in");
    assert_eq!(page.calls(), Vec::<Value>::new(), "it is noted and not yet told");
    server.kill();
    let (mut server, mut page) = open(&home);
    write(&mut page, "ada", "let me in, please");
    let code = code(&mut page, "ada");
    done(&home, &["pair", &code]);
    write(&mut page, "ada", "now");
    assert_eq!(server.content(), "now");
}
