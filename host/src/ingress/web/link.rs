//! The link with the key, for a person at a terminal: `tidegate open` asks for it over a socket in the channel's
//! folder.
//!
//! A request is one line, `link`, `keep` or `new`; the answer is one line, `ok LINK` or `no REASON`.

use std::{
    io::{self, Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
    task::JoinHandle,
    time::timeout,
};

use crate::{claude, hub::Channel};

const SOCKET: &str = "page.sock";

/// The longest request, in bytes.
const REQUEST: u64 = 16;

/// How long either side waits for the other.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the caller asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// The link.
    Link,
    /// The link; its key then stays valid for a day.
    Keep,
    /// A link with a new key; the previous key becomes invalid.
    New,
}

impl Wish {
    fn word(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Keep => "keep",
            Self::New => "new",
        }
    }
}

/// Gives the link to callers until this is dropped.
pub(in crate::ingress) struct Doorkeeper {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl Doorkeeper {
    /// Opens the socket of a channel that this process serves. A socket that is already in the folder belongs to no
    /// running process, and is removed.
    pub(in crate::ingress) fn start(folder: &Path, channel: &Arc<Channel>) -> io::Result<Self> {
        let path = folder.join(SOCKET);
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        let channel = Arc::clone(channel);
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    // For example, too many files are open. That passes.
                    tokio::time::sleep(PATIENCE).await;
                    continue;
                };
                let channel = Arc::clone(&channel);
                tokio::spawn(timeout(PATIENCE, async move { answer(stream, &channel).await }));
            }
        });
        Ok(Self { path, task })
    }
}

impl Drop for Doorkeeper {
    fn drop(&mut self) {
        self.task.abort();
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn answer(stream: UnixStream, channel: &Channel) {
    let caller = stream.peer_cred();
    let mut stream = BufReader::new(stream);
    let mut request = String::new();
    if (&mut stream).take(REQUEST).read_line(&mut request).await.is_err() {
        return;
    }
    let line = match judge(caller).and_then(|()| grant(request.trim_end(), channel)) {
        Ok(link) => format!("ok {link}\n"),
        Err(reason) => {
            tracing::warn!("{}: the link with the key was asked for and not given: {reason}", channel.name());
            format!("no {reason}\n")
        }
    };
    let _ = stream.get_mut().write_all(line.as_bytes()).await;
}

/// Checks that the user asks, and no model: with the key, the model could answer its own permission requests.
fn judge(caller: io::Result<tokio::net::unix::UCred>) -> Result<(), String> {
    let caller = caller.map_err(|error| format!("who asks cannot be seen: {error}"))?;
    if caller.uid() != rustix::process::geteuid().as_raw() {
        return Err("another user asks".to_owned());
    }
    let pid = caller.pid().ok_or("who asks cannot be seen")?;
    claude::is_behind(pid).map_err(|refused| refused.to_string())
}

fn grant(wish: &str, channel: &Channel) -> Result<String, String> {
    let link = || channel.link().ok_or_else(|| format!("{} answers no permission prompts", channel.name()));
    link()?;
    let page = &channel.surroundings().page;
    match wish {
        "link" => {}
        "keep" => page.key().keep().map_err(|error| format!("the key cannot be kept: {error}"))?,
        "new" => page.replace_key().map_err(|error| format!("the key cannot be replaced: {error}"))?,
        _ => return Err("the request is not understood: both programs must be of one version".to_owned()),
    }
    link()
}

/// Asks the process that serves the channel with this folder for the link. The inner error is the reason that this
/// process gives.
pub fn ask(folder: &Path, wish: Wish) -> io::Result<Result<String, String>> {
    let mut stream = std::os::unix::net::UnixStream::connect(folder.join(SOCKET))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(format!("{}\n", wish.word()).as_bytes())?;
    let mut answer = String::new();
    stream.take(4096).read_to_string(&mut answer)?;
    match answer.trim_end().split_once(' ') {
        Some(("ok", link)) => Ok(Ok(link.to_owned())),
        Some(("no", reason)) => Ok(Err(reason.to_owned())),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
