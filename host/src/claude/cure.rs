//! What a person can do when Claude Code skips a server's messages, by the reason that it gives.
//!
//! Claude Code writes `Channel notifications skipped: REASON` to its log of the server. The reasons are not a
//! documented interface. The table below has those of version 2.1.331 and of public issue reports. It matches only the
//! parts of a reason that are likely to stay when the wording changes.

/// A known reason and its cure.
struct Row {
    /// Parts of the reason in lower case. The row matches if the reason contains one of them.
    parts: &'static [&'static str],
    /// What to do, in one sentence. `{entry}` is replaced by the entry that names the server on a command line.
    cure: &'static str,
}

/// The known reasons. The first match counts: the text of one reason can contain the parts of another row.
const ROWS: [Row; 10] = [
    Row {
        parts: &["did not declare claude/channel", "claude/channel capability"],
        cure: "Update tidegate: it always declares this capability, so the client and this version do not understand \
               each other.",
    },
    Row {
        parts: &["modern protocol revision", "no unsolicited notification path"],
        cure: "Update tidegate: it has to agree with the client on a protocol revision that carries channel messages, \
               which is 2025-11-25 or older.",
    },
    Row {
        parts: &["third-party provider"],
        cure: "Sign in to Claude with `/login`: channels do not work through Amazon Bedrock, Google Cloud, Microsoft \
               Foundry or another provider.",
    },
    Row {
        parts: &["not currently available", "feature is not available"],
        cure: "Check in this order: you are online; you are signed in (/login in Claude Code); neither \
               CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC nor DISABLE_TELEMETRY is set; Claude Code is up to date. If all \
               of that is right, channels are off for your account.",
    },
    Row {
        parts: &["you asked for plugin:"],
        cure: "Start Claude Code with the plugin and marketplace that `claude plugin list` shows in place of those that \
               it was started with, and without --plugin-dir.",
    },
    Row {
        parts: &["org's approved channels list", "allowedchannelplugins"],
        cure: "Ask an administrator of your organisation to add the plugin to \"allowedChannelPlugins\" in the managed \
               settings.",
    },
    Row {
        parts: &["not in --channels", "--channels list"],
        cure: "Start an interactive session with `claude --dangerously-load-development-channels {entry}`.",
    },
    Row {
        parts: &["approved", "allowlist"],
        cure: "Remove {entry} from --channels and start an interactive session with \
               `claude --dangerously-load-development-channels {entry}`.",
    },
    Row {
        parts: &["policy", "organization", "organisation", " org", "disabled by", "channelsenabled"],
        cure: "Ask an administrator of your organisation to set \"channelsEnabled\": true in the managed settings.",
    },
    Row {
        parts: &["auth", "log in", "login", "sign in"],
        cure: "Sign in with `/login` in Claude Code, and start the session again.",
    },
];

/// Returns what to do about this reason, as one sentence in the imperative, or `None` for an unknown reason. `entry`
/// names the server on Claude Code's command line.
pub fn cure(reason: &str, entry: &str) -> Option<String> {
    let reason = reason.to_lowercase();
    let row = ROWS.iter().find(|row| row.parts.iter().any(|part| reason.contains(part)))?;
    Some(row.cure.replace("{entry}", entry))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_reason_has_its_cure() {
        const DEVELOPMENT: &str = "claude --dangerously-load-development-channels";
        for (reason, part) in [
            ("server did not declare claude/channel capability", "Update tidegate"),
            (
                "connection negotiated a modern protocol revision with no unsolicited notification path",
                "protocol revision that carries channel messages",
            ),
            ("channels are not available on third-party providers", "`/login`: channels do not work through"),
            ("channels feature is not currently available", "Claude Code is up to date"),
            ("Channels are not currently available", "you are online"),
            (
                "you asked for plugin:telegram@a but the installed plugin is telegram@b",
                "`claude plugin list` shows",
            ),
            (
                "you asked for plugin:telegram@a but the installed telegram plugin is from an unknown source",
                "`claude plugin list` shows",
            ),
            (
                "plugin telegram@a is not on your org's approved channels list (set allowedChannelPlugins in managed \
                 settings)",
                "add the plugin to \"allowedChannelPlugins\"",
            ),
            (
                "plugin telegram@a is not on the approved channels allowlist (use \
                 --dangerously-load-development-channels for local dev)",
                "Remove server:telegram from --channels",
            ),
            (
                "server telegram is not on the approved channels allowlist (use \
                 --dangerously-load-development-channels for local dev)",
                "Remove server:telegram from --channels",
            ),
            ("server telegram not in --channels list for this session", DEVELOPMENT),
            (
                "server telegram not in --channels list for this session (use --channels \
                 plugin:<name>@<marketplace> or install an approved channel plugin)",
                "Start an interactive session",
            ),
            (
                "channels not enabled by org policy (set channelsEnabled: true in managed settings)",
                "\"channelsEnabled\": true",
            ),
            ("channels were disabled by an administrator", "\"channelsEnabled\": true"),
            ("your organization does not allow channels", "\"channelsEnabled\": true"),
            (
                "channels requires claude.ai authentication (run /login)",
                "Sign in with `/login` in Claude Code",
            ),
            ("you are not logged in: log in first", "Sign in with `/login` in Claude Code"),
            ("Please sign in", "Sign in with `/login` in Claude Code"),
        ] {
            let cure = cure(reason, "server:telegram").unwrap_or_else(|| panic!("{reason:?} has no cure"));
            assert!(cure.contains(part), "{reason:?}: {cure}");
        }
    }

    #[test]
    fn each_row_is_reached_by_each_of_its_parts() {
        for (index, row) in ROWS.iter().enumerate() {
            for part in row.parts {
                assert_eq!(*part, part.to_lowercase(), "reasons are compared in lower case");
                let found = ROWS.iter().position(|row| row.parts.iter().any(|other| part.contains(other)));
                assert_eq!(found, Some(index), "{part}");
            }
            let cure = row.cure.replace("{entry}", "");
            assert!(cure.ends_with('.') && !cure.contains(['{', '}']), "{cure}");
        }
    }

    #[test]
    fn a_plugins_server_is_named_by_its_plugin() {
        let cure = cure(
            "server plugin:telegram:telegram not in --channels list for this session",
            "plugin:telegram@tidegate",
        );
        assert_eq!(
            cure.as_deref(),
            Some(
                "Start an interactive session with `claude --dangerously-load-development-channels \
                 plugin:telegram@tidegate`."
            )
        );
    }

    #[test]
    fn an_unknown_reason_has_none() {
        for reason in ["", "the moon is full", "origin mismatch", "not in the mood"] {
            assert_eq!(cure(reason, "server:telegram"), None, "{reason:?}");
        }
    }
}
