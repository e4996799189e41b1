//! Tests of files that a session sends.

use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Home, Page, Server, bazaar};

/// Starts a server with this temporary folder and these folders in `channels.toml`.
fn start(home: &Home, temporary: &Path, shared: &[&Path]) -> Server {
    home.settings(&format!("[bazaar]\nsend_from = {}\n", json!(shared)));
    home.access("bazaar", &json!({"dmPolicy": "allowlist", "allowFrom": ["ada"]}));
    let file = bazaar(home, "good");
    let mut command =
        home.command(["serve", "--opt-in", "always", "--dangerously-load-development-channels"]);
    command.arg(file).env("TMPDIR", temporary);
    let mut server = Server::start(command);
    server.initialize();
    server
}

/// Returns a new folder with a file in it.
fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.txt");
    std::fs::write(&file, "four").unwrap();
    (folder, file)
}

fn uri(folder: &Path) -> String {
    format!("file://{}", folder.display())
}

fn send(server: &mut Server, files: &[&Path]) -> (String, bool) {
    server.call("reply", &json!({"chat_id": "ada", "text": "here it is", "files": files}))
}

#[track_caller]
fn assert_sent(server: &mut Server, page: &mut Page, file: &Path) {
    let (text, is_error) = send(server, &[file]);
    assert!(!is_error, "{}: {text}", file.display());
    let calls = page.calls();
    assert_eq!(calls.len(), 1);
    let name = file.file_name().unwrap().to_str().unwrap();
    assert_eq!(calls[0]["uploads"], json!([{"name": name, "media_type": "text/plain", "size": 4}]));
}

#[track_caller]
fn assert_refused(server: &mut Server, page: &mut Page, file: &Path, parts: &[&str]) {
    let (text, is_error) = send(server, &[file]);
    assert!(is_error, "{}: {text}", file.display());
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    // Nor is the text sent without it.
    assert!(page.calls().is_empty());
}

#[test]
fn files_are_sent_from_where_the_session_works_and_where_its_user_says() {
    let home = Home::new();
    let [temporary, root, shared, elsewhere] = [(); 4].map(|()| folder());
    let spaced = root.0.path().join("a b");
    std::fs::create_dir(&spaced).unwrap();
    let mut server = start(&home, temporary.0.path(), &[shared.0.path()]);
    server.roots = vec![uri(&spaced).replace(' ', "%20"), "https://example.org/".into()];
    let mut page = server.page("bazaar");
    let inbox = home.path().join("bazaar/inbox/received.txt");
    std::fs::write(&inbox, "four").unwrap();
    let deep = spaced.join("report.txt");
    std::fs::write(&deep, "four").unwrap();
    for file in [&temporary.1, &shared.1, &inbox, &deep] {
        assert_sent(&mut server, &mut page, file);
    }
    // What is next to a root is outside of it, and the way there does not matter.
    let beside = spaced.join("../report.txt");
    let advice = ["copy it there", "have its folder added to \"send_from\" in channels.toml"];
    for file in [&elsewhere.1, &root.1, &beside, Path::new("/etc/passwd")] {
        let own = file.to_str().unwrap();
        let known = [spaced.to_str().unwrap(), shared.0.path().to_str().unwrap(), own];
        assert_refused(&mut server, &mut page, file, &[&advice[..], &known[..]].concat());
    }
    // The session goes to work somewhere else.
    server.roots = vec![uri(elsewhere.0.path())];
    server.send(&json!({"jsonrpc": "2.0", "method": "notifications/roots/list_changed"}));
    assert_sent(&mut server, &mut page, &elsewhere.1);
    assert_refused(&mut server, &mut page, &deep, &advice);
}

#[test]
fn a_link_leads_no_further_than_a_path() {
    let home = Home::new();
    let [temporary, root, elsewhere] = [(); 3].map(|()| folder());
    let mut server = start(&home, temporary.0.path(), &[]);
    server.roots = vec![uri(root.0.path())];
    let mut page = server.page("bazaar");
    let link = |name: &str, target: &Path| {
        let link = root.0.path().join(name);
        symlink(target, &link).unwrap();
        link
    };
    let twice = link("first.txt", &elsewhere.1);
    for (file, part) in [
        (link("file.txt", &elsewhere.1), "is not in a folder that files are sent from"),
        (
            link("folder", elsewhere.0.path()).join("report.txt"),
            "is not in a folder that files are sent from",
        ),
        (link("twice.txt", &twice), "is not in a folder that files are sent from"),
        (link("passwd", Path::new("/etc/passwd")), "is not in a folder that files are sent from"),
        (link("access.txt", &home.path().join("bazaar/access.json")), "part of tidegate's own state"),
        (link("environment.txt", Path::new("/proc/self/environ")), "not a regular file"),
        (link("nowhere.txt", Path::new("/no/such/file")), "cannot be read"),
    ] {
        assert_refused(&mut server, &mut page, &file, &[part]);
    }
    // One that stays inside is as good as what it leads to, and so is one to another folder that is allowed.
    for target in [&root.1, &temporary.1] {
        let name = format!("good-{}", target.parent().unwrap().file_name().unwrap().to_str().unwrap());
        let (text, is_error) = send(&mut server, &[&link(&name, target)]);
        assert!(!is_error, "{text}");
    }
}

#[test]
fn the_hosts_own_state_is_never_sent() {
    let home = Home::new();
    let temporary = folder();
    let mut server = start(&home, temporary.0.path(), &[Path::new("/"), home.path()]);
    server.roots = vec!["file:///".into(), uri(home.path())];
    let mut page = server.page("bazaar");
    let own = home.path().join("bazaar");
    std::fs::write(own.join(".env"), "BAZAAR_TOKEN=1").unwrap();
    std::fs::create_dir_all(home.path().join("other/inbox")).unwrap();
    std::fs::write(home.path().join("other/inbox/theirs.txt"), "four").unwrap();
    std::fs::write(own.join("inbox/mine.txt"), "four").unwrap();
    assert_sent(&mut server, &mut page, &own.join("inbox/mine.txt"));
    assert_sent(&mut server, &mut page, &temporary.1);
    let log = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().path());
    let log =
        log.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "log")).unwrap();
    for file in [
        own.join(".env"),
        own.join("access.json"),
        own.join("journal.db"),
        own.join("journal.db-wal"),
        own.join("lock"),
        own.join("inbox/../access.json"),
        home.path().join("channels.toml"),
        home.path().join("other/inbox/theirs.txt"),
        log,
    ] {
        assert_refused(&mut server, &mut page, &file, &["part of tidegate's own state, which is never sent"]);
    }
}

#[test]
fn what_is_too_much_is_refused_as_a_whole() {
    let home = Home::new();
    let (temporary, file) = folder();
    let mut server = start(&home, temporary.path(), &[]);
    let mut page = server.page("bazaar");
    let large = temporary.path().join("large.txt");
    std::fs::write(&large, vec![b'x'; (1 << 20) + 1]).unwrap();
    assert_refused(
        &mut server,
        &mut page,
        &large,
        &["has 1048577 bytes; this channel accepts files up to 1048576"],
    );
    for (files, part) in [
        (vec![&*file, &large], "1048577 bytes"),
        (vec![&*file; 3], "3 files are too many: bazaar accepts 2 in one message"),
        (vec![&*file, temporary.path()], "is not a regular file"),
        (vec![&*file, Path::new("report.txt")], "report.txt is not an absolute path"),
    ] {
        let (text, is_error) = send(&mut server, &files);
        assert!(is_error && text.contains(part), "{text}");
    }
    assert!(page.calls().is_empty());
    // Files go along with the last piece of a long text.
    let long = "word ".repeat(100);
    let (text, is_error) =
        server.call("reply", &json!({"chat_id": "ada", "text": long, "files": [&file, &file]}));
    assert!(!is_error && text.starts_with("sent 3 parts"), "{text}");
    let uploads: Vec<usize> =
        page.calls().iter().map(|call| call["uploads"].as_array().map_or(0, Vec::len)).collect();
    assert_eq!(uploads, [0, 0, 2]);
    // And need none.
    let (text, is_error) = server.call("reply", &json!({"chat_id": "ada", "text": "", "files": [&file]}));
    assert!(!is_error, "{text}");
    assert_eq!(page.calls()[0]["text"], Value::from(""));
}
