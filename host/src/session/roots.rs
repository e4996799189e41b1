//! The folders that the client works in (its MCP roots). Files in them may be sent.
#![expect(deprecated, reason = "a later revision of MCP drops roots; the one that carries channels has them")]

use std::{path::PathBuf, time::Duration};

use parking_lot::Mutex;
use percent_encoding::percent_decode_str;
use rmcp::{RoleServer, service::Peer};

/// How long to wait for the client's answer, so that a client that does not answer does not delay a reply.
const PATIENCE: Duration = Duration::from_secs(2);

/// The folders that the client has named, until it reports that they have changed.
#[derive(Debug, Default)]
pub(super) struct Roots(Mutex<Option<Vec<PathBuf>>>);

impl Roots {
    /// Returns the folders. The client is asked when they are needed for the first time.
    pub(super) async fn folders(&self, peer: &Peer<RoleServer>) -> Vec<PathBuf> {
        if let Some(folders) = self.0.lock().clone() {
            return folders;
        }
        if peer.peer_info().is_none_or(|client| client.capabilities.roots.is_none()) {
            return Vec::new();
        }
        let listed = tokio::time::timeout(PATIENCE, peer.list_roots()).await;
        let folders: Vec<PathBuf> = match listed {
            Ok(Ok(listed)) => listed.roots.iter().filter_map(|root| folder(&root.uri)).collect(),
            Ok(Err(error)) => {
                tracing::warn!("the client does not say where it works: {error}");
                return Vec::new();
            }
            Err(_) => {
                tracing::warn!("the client does not say where it works");
                return Vec::new();
            }
        };
        *self.0.lock() = Some(folders.clone());
        folders
    }

    /// Forgets the folders, because they have changed.
    pub(super) fn forget(&self) {
        *self.0.lock() = None;
    }
}

/// Returns the folder of a URI such as `file:///home/me/project`, which is percent-encoded.
fn folder(uri: &str) -> Option<PathBuf> {
    let path = uri.strip_prefix("file://")?;
    let path = path.strip_prefix("localhost").unwrap_or(path);
    let path = PathBuf::from(percent_decode_str(path).decode_utf8().ok()?.into_owned());
    path.is_absolute().then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_is_a_folder_of_this_machine() {
        assert_eq!(folder("file:///home/a%20b"), Some(PathBuf::from("/home/a b")));
        assert_eq!(folder("file://localhost/home"), Some(PathBuf::from("/home")));
        for other in ["file://server/share", "https://example.org/", "/home", "file:relative", ""] {
            assert_eq!(folder(other), None, "{other}");
        }
    }
}
