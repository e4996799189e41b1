//! Tests of an organisation's managed settings.

use std::{
    os::unix::fs::{PermissionsExt as _, symlink},
    process::Command,
};

use tempfile::TempDir;

use super::*;

const FIRST: &str = "managed-settings.json";

/// Creates a file, link or folder at a path.
type Make = Box<dyn Fn(&Path)>;

/// Returns a folder with these files. Names may be in `managed-settings.d`.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn policy(folder: &TempDir) -> Policy {
    Policy::read_from(&folder.path().join(FIRST))
}

/// Returns why channels are blocked and what to do about it.
fn blocked(policy: &Policy) -> String {
    match policy.channels() {
        ChannelPolicy::Blocked(Blocked { found, cure }) => format!("{found}. {cure}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_a_file_channels_are_on_with_the_default_plugins() {
    for files in [
        &[][..],
        &[("other.json", "{")],
        &[("managed-settings.d/.hidden.json", "{")],
        &[("managed-settings.d/.json", "{")],
        &[("managed-settings.d/policy.txt", "{"), ("managed-settings.d/policy.JSON", "{")],
        &[("managed-settings.d/policy.json.bak", "{"), ("managed-settings.d/json", "{")],
        &[("managed-settings.d/deeper/policy.json", "{")],
    ] {
        let policy = policy(&folder(files));
        assert_eq!(policy, Policy::default(), "{files:?}");
        assert_eq!(*policy.channels(), ChannelPolicy::Enabled);
        for plugin in ["telegram", "discord", "imessage", "fakechat"] {
            assert!(policy.allows_plugin(plugin, "claude-plugins-official"), "{plugin}");
            assert!(!policy.allows_plugin(plugin, "elsewhere"), "{plugin}");
        }
        assert!(!policy.allows_plugin("matrix", "claude-plugins-official"));
    }
    assert_eq!(Policy::read_from(Path::new("/no/such/folder/managed-settings.json")), Policy::default());
}

/// The policy on channels, with the name of the file that decides.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Enabled,
    Unsaid(&'static str),
    Disabled(&'static str),
}

#[test]
fn the_last_file_that_has_the_key_decides() {
    const ON: &str = r#"{"channelsEnabled": true}"#;
    const OFF: &str = r#"{"channelsEnabled": false}"#;
    const A: &str = "managed-settings.d/10-a.json";
    // The files are sorted by name, not by number.
    const B: &str = "managed-settings.d/9-b.json";
    for (files, said) in [
        (&[(FIRST, "{}")][..], Said::Unsaid(FIRST)),
        (&[(FIRST, r#"{"allowedChannelPlugins": []}"#)], Said::Unsaid(FIRST)),
        (&[(FIRST, "{}"), (A, "{}")], Said::Unsaid(FIRST)),
        (&[(A, "{}"), (B, "{}")], Said::Unsaid(A)),
        (&[(FIRST, ON)], Said::Enabled),
        (&[(FIRST, "{}"), (A, ON)], Said::Enabled),
        (&[(FIRST, ON), (A, "{}")], Said::Enabled),
        (&[(A, ON)], Said::Enabled),
        (&[(FIRST, OFF), (A, ON)], Said::Enabled),
        (&[(FIRST, OFF), (A, OFF), (B, ON)], Said::Enabled),
        (&[(FIRST, OFF)], Said::Disabled(FIRST)),
        (&[(FIRST, OFF), (A, "{}")], Said::Disabled(FIRST)),
        (&[(FIRST, ON), (A, OFF)], Said::Disabled(A)),
        (&[(FIRST, ON), (A, ON), (B, OFF)], Said::Disabled(B)),
        (
            &[(FIRST, ON), ("managed-settings.d/.z.json", OFF), ("managed-settings.d/z.txt", OFF)],
            Said::Enabled,
        ),
    ] {
        let folder = folder(files);
        let policy = policy(&folder);
        let path = |name: &str| folder.path().join(name);
        match said {
            Said::Enabled => assert_eq!(*policy.channels(), ChannelPolicy::Enabled, "{files:?}"),
            Said::Unsaid(name) => {
                assert_eq!(*policy.channels(), ChannelPolicy::Unsaid(path(name)), "{files:?}");
            }
            Said::Disabled(name) => {
                assert_eq!(
                    blocked(&policy),
                    format!(
                        "your organisation has disabled channels for Claude Code ({} has \"channelsEnabled\": \
                         false), so no messages arrive. Ask an administrator of your organisation to set it to true",
                        path(name).display()
                    ),
                    "{files:?}"
                );
                assert!(!policy.allows_plugin("fakechat", "claude-plugins-official"));
            }
        }
    }
}

#[test]
fn lists_of_plugins_are_joined_and_take_the_place_of_the_default_one() {
    const OURS: &str = r#"{"channelsEnabled": true, "allowedChannelPlugins": [{"marketplace": "ours", "plugin": "fakechat"}]}"#;
    const THEIRS: &str = r#"{"allowedChannelPlugins": [{"marketplace": "theirs", "plugin": "matrix"}]}"#;
    const NONE: &str = r#"{"channelsEnabled": true, "allowedChannelPlugins": []}"#;
    const MORE: &str = "managed-settings.d/a.json";
    for (files, ours, theirs) in [
        (&[(FIRST, OURS)][..], true, false),
        (&[(FIRST, NONE)], false, false),
        (&[(FIRST, OURS), (MORE, THEIRS)], true, true),
        (&[(FIRST, OURS), (MORE, r#"{"allowedChannelPlugins": []}"#)], true, false),
        (&[(FIRST, NONE), (MORE, THEIRS)], false, true),
        (&[(FIRST, OURS), (MORE, "{}")], true, false),
    ] {
        let policy = policy(&folder(files));
        assert_eq!(*policy.channels(), ChannelPolicy::Enabled);
        for (plugin, marketplace, allowed) in [
            ("fakechat", "ours", ours),
            ("matrix", "theirs", theirs),
            ("matrix", "ours", false),
            ("fakechat", "claude-plugins-official", false),
        ] {
            assert_eq!(
                policy.allows_plugin(plugin, marketplace),
                allowed,
                "{files:?}: {plugin}@{marketplace}"
            );
        }
    }
}

#[test]
fn one_file_that_is_not_understood_blocks_and_is_named() {
    const ON: &str = r#"{"channelsEnabled": true}"#;
    for (files, name) in [
        (&[(FIRST, "{")][..], FIRST),
        (&[(FIRST, r#"{"channelsEnabled": "true"}"#), ("managed-settings.d/a.json", ON)], FIRST),
        (&[(FIRST, ON), ("managed-settings.d/a.json", "")], "managed-settings.d/a.json"),
        (
            &[(FIRST, ON), ("managed-settings.d/a.json", "[]"), ("managed-settings.d/b.json", ON)],
            "managed-settings.d/a.json",
        ),
    ] {
        let folder = folder(files);
        let policy = policy(&folder);
        let blocked = blocked(&policy);
        let path = folder.path().join(name).display().to_string();
        assert!(blocked.contains(&path) && blocked.contains("not valid"), "{files:?}: {blocked}");
        assert!(!policy.allows_plugin("fakechat", "claude-plugins-official"));
    }
}

#[test]
fn a_path_that_cannot_be_read_is_not_one_that_does_not_exist() {
    let pipe = |path: &Path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    let large = |path: &Path| {
        let padding = " ".repeat(usize::try_from(LARGEST).unwrap());
        fs::write(path, format!("{{}}{padding}")).unwrap();
    };
    let forbidden = |path: &Path| {
        fs::write(path, "{}").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap();
    };
    let root = rustix::process::geteuid().is_root();
    let makes: [(&str, Make); 6] = [
        ("not a regular file", Box::new(|path| fs::create_dir(path).unwrap())),
        ("not a regular file", Box::new(pipe)),
        ("larger than 4 MiB", Box::new(large)),
        ("No such file", Box::new(|path| symlink("nowhere", path).unwrap())),
        ("valid UTF-8", Box::new(|path| fs::write(path, b"{\"a\": \"\xff\"}").unwrap())),
        ("ermission denied", Box::new(forbidden)),
    ];
    for (problem, make) in &makes {
        // Root may read every file.
        if *problem == "ermission denied" && root {
            continue;
        }
        for name in [FIRST, "managed-settings.d/a.json"] {
            let folder = folder(&[("managed-settings.d/b.json", r#"{"channelsEnabled": true}"#)]);
            let path = folder.path().join(name);
            make(&path);
            let policy = policy(&folder);
            let blocked = blocked(&policy);
            assert!(blocked.contains(problem), "{blocked}");
            assert!(blocked.contains(&path.display().to_string()), "{blocked}");
            assert!(blocked.contains("cannot be read") && blocked.contains("administrator"), "{blocked}");
            assert!(!policy.allows_plugin("fakechat", "claude-plugins-official"));
        }
    }
}

#[test]
fn a_file_of_the_largest_size_is_read() {
    let text = r#"{"channelsEnabled": true}"#;
    let padding = " ".repeat(usize::try_from(LARGEST).unwrap() - text.len());
    let policy = policy(&folder(&[(FIRST, &format!("{text}{padding}"))]));
    assert_eq!(*policy.channels(), ChannelPolicy::Enabled);
}

#[test]
fn a_folder_of_further_files_that_cannot_be_listed_is_named() {
    let makes: [Make; 2] =
        [Box::new(|path| fs::write(path, "").unwrap()), Box::new(|path| symlink("nowhere", path).unwrap())];
    for make in &makes {
        let folder = folder(&[(FIRST, r#"{"channelsEnabled": true}"#)]);
        let path = folder.path().join("managed-settings.d");
        make(&path);
        let policy = policy(&folder);
        let blocked = blocked(&policy);
        assert!(
            blocked.contains("cannot be read") && blocked.contains(&path.display().to_string()),
            "{blocked}"
        );
    }
}

#[test]
fn the_variable_names_another_first_file() {
    for (variable, file) in [(None, FILE), (Some(""), FILE), (Some("/x/policy.json"), "/x/policy.json")] {
        assert_eq!(first_file(variable.map(OsString::from)), PathBuf::from(file), "{variable:?}");
    }
    let folder = folder(&[("policy.json", "{}"), ("policy.d/a.json", r#"{"channelsEnabled": true}"#)]);
    assert_eq!(*Policy::read_from(&folder.path().join("policy.json")).channels(), ChannelPolicy::Enabled);
}

#[test]
fn nothing_invisible_of_a_path_reaches_a_sentence() {
    assert_eq!(shown(Path::new("/x y/a\nb\u{1b}[2Jä")), "/x y/a\\nb\\u{1b}[2Jä");
}
