//! What to do where Claude Code says that it takes no messages from a server.

/// The cure for a reason that Claude Code gives. None for one that is not known.
pub fn cure(reason: &str, server: &str) -> Option<String> {
    let _ = server;
    reason.contains("not currently available").then(|| {
        "Sign in with /login, and see that Claude Code is up to date and online: channels need its services".to_owned()
    })
}
