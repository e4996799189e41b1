//! Standard input and output as streams that need no other thread, on systems where this is possible.
//!
//! tokio's own `stdin()` and `stdout()` hand every read and write to another thread: a message takes 0.09 ms instead of
//! 0.014 ms, measured. Pipes and sockets can be used directly. The kind of the descriptor must be checked: most clients
//! use pipes, but Node gives its child processes Unix sockets.

use std::{
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    pin::Pin,
};

use rustix::fs::FileType;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::unix::pipe,
};

/// The stream to read from.
pub type Reader = Pin<Box<dyn AsyncRead + Send>>;
/// The stream to write to.
pub type Writer = Pin<Box<dyn AsyncWrite + Send>>;

/// Takes standard input and output for a session. After this, all other output of the process goes to stderr, because
/// stdout belongs to the session alone.
pub fn take() -> io::Result<(Reader, Writer)> {
    let input = rustix::stdio::stdin().try_clone_to_owned()?;
    let output = rustix::stdio::stdout().try_clone_to_owned()?;
    rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
    Ok((reader(input)?, writer(output)?))
}

fn kind(descriptor: BorrowedFd<'_>) -> io::Result<FileType> {
    Ok(FileType::from_raw_mode(rustix::fs::fstat(descriptor)?.st_mode))
}

fn reader(descriptor: OwnedFd) -> io::Result<Reader> {
    Ok(match kind(descriptor.as_fd())? {
        FileType::Fifo => Box::pin(pipe::Receiver::from_owned_fd(descriptor)?),
        FileType::Socket => Box::pin(socket(descriptor)?),
        _ => Box::pin(tokio::fs::File::from_std(descriptor.into())),
    })
}

fn writer(descriptor: OwnedFd) -> io::Result<Writer> {
    Ok(match kind(descriptor.as_fd())? {
        FileType::Fifo => Box::pin(pipe::Sender::from_owned_fd(descriptor)?),
        FileType::Socket => Box::pin(socket(descriptor)?),
        _ => Box::pin(tokio::fs::File::from_std(descriptor.into())),
    })
}

fn socket(descriptor: OwnedFd) -> io::Result<tokio::net::UnixStream> {
    let stream = UnixStream::from(descriptor);
    stream.set_nonblocking(true)?;
    tokio::net::UnixStream::from_std(stream)
}
