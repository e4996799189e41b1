//! Tests of a damaged journal: the error for a person, and that the other channels continue.

use std::{
    fs::{self, File},
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::harness::{Home, Server, free_port};

/// Replaces the journal by another file.
fn replace(journal: &Path) {
    fs::write(journal, "what is not a database".repeat(1000)).unwrap();
}

/// Simulates a failing disk: overwrites every page except the first.
fn overwrite(journal: &Path) {
    let length = fs::metadata(journal).unwrap().len();
    let mut file = File::options().write(true).open(journal).unwrap();
    file.seek(SeekFrom::Start(2048)).unwrap();
    let rest = usize::try_from(length - 2048).unwrap();
    file.write_all(&vec![0xaa; rest]).unwrap();
}

/// Runs fakechat, and then damages its journal.
fn damaged(damage: fn(&Path)) -> (Home, PathBuf) {
    let home = Home::new();
    let mut server = home.serve(["fakechat"]);
    server.page("fakechat").say("1", "hello");
    assert_eq!(server.content(), "hello");
    server.close_stdin();
    assert!(server.end().0.success());
    let journal = home.path().join("fakechat/journal.db");
    // All of it in one file.
    let database = rusqlite::Connection::open(&journal).unwrap();
    database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(database);
    damage(&journal);
    (home, journal)
}

/// Checks that the text says which file is damaged, the effect, and what to do.
fn assert_clear(text: &str, journal: &Path) {
    let line = text.lines().find(|line| line.contains("is damaged")).unwrap_or_else(|| panic!("{text}"));
    for part in [
        &format!("the journal {} is damaged (", journal.display()),
        "messages that waited for a session",
        "how far the platform was read",
    ] {
        assert!(line.contains(part), "{part}: {text}");
    }
    let cure = format!(
        "move journal.db, journal.db-wal and journal.db-shm out of {}",
        journal.parent().unwrap().display()
    );
    assert!(text.contains(&cure), "{text}");
}

#[test]
fn serve_status_and_doctor_say_what_is_damaged_and_what_to_do() {
    for damage in [replace, overwrite] {
        let (home, journal) = damaged(damage);
        let served = home.run(["serve", "fakechat", "--opt-in", "always", "--port", "0"], "");
        assert!(!served.status.success());
        assert_clear(&served.stderr, &journal);
        assert_eq!(served.stderr.lines().count(), 1, "{}", served.stderr);

        let status = home.run(["status"], "");
        assert!(status.status.success(), "{}", status.stderr);
        assert_clear(&status.stdout, &journal);
        assert!(status.stdout.contains("\ntelegram\n"), "{}", status.stdout);
        let reports: Value = serde_json::from_str(&home.run(["status", "--json"], "").stdout).unwrap();
        assert_clear(reports[0]["unreadable"].as_str().unwrap(), &journal);
        assert_eq!((&reports[1]["channel"], &reports[1]["unreadable"]), (&json!("telegram"), &Value::Null));

        // Another program on this machine may have the default port.
        home.settings(&format!("[fakechat]\nport = {}\n", free_port()));
        let doctor = home.run(["doctor"], "");
        assert_eq!(doctor.status.code(), Some(1));
        assert_clear(&doctor.stdout, &journal);
        let checks: Vec<Value> = serde_json::from_str(&home.run(["doctor", "--json"], "").stdout).unwrap();
        let bad: Vec<&Value> =
            checks.iter().filter(|check| check["channel"] == "fakechat" && check["state"] == "bad").collect();
        assert!(bad.len() == 1 && bad[0]["what"] == "journal", "{bad:?}");
        assert!(checks.iter().any(|check| check["channel"] == "telegram"));
    }
}

#[test]
fn a_damaged_channel_keeps_no_other_from_running_and_begins_anew_without_its_file() {
    let (home, journal) = damaged(replace);
    let file = crate::harness::bazaar(&home, "good");
    let mut command = home.command(["serve", "fakechat", "--opt-in", "always"]);
    command.arg("--dangerously-load-development-channels").arg(&file).env("BAZAAR_PORT", "0");
    let mut server = Server::start(command);
    let instructions = server.initialize()["instructions"].as_str().unwrap().to_owned();
    assert_clear(&instructions, &journal);
    server.port("bazaar");
    drop(server);
    let mut kept = String::new();
    File::open(&journal).unwrap().read_to_string(&mut kept).unwrap();
    assert!(kept.starts_with("what is not a database"), "the file is the user's to move");
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(journal.with_file_name(format!("journal.db{suffix}")));
    }
    let mut server = home.serve(["fakechat"]);
    server.page("fakechat").say("2", "hello again");
    assert_eq!(server.content(), "hello again");
}
