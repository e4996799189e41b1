//! Standard error, written by a separate thread, so that a client that does not read it blocks nothing else.
//!
//! A write to a full pipe blocks, and the runtime has only one thread. Making the descriptor non-blocking is not an
//! option: it would affect all processes that have inherited the same pipe.

use std::{
    io,
    os::fd::AsFd,
    sync::{Arc, LazyLock},
    thread,
    time::Duration,
};

use parking_lot::{Condvar, Mutex, MutexGuard};
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
};
use tokio::sync::mpsc;

/// The largest number of bytes that wait to be written. Lines beyond that are dropped and counted.
const WAITING: usize = 128 << 10;

/// How long the thread waits for new lines before it ends.
const IDLE: Duration = Duration::from_secs(2);

/// How long [`finish`] waits for a reader. Claude Code kills a server half a second after it has asked the server to
/// end.
const END: Duration = Duration::from_millis(200);

static STDERR: LazyLock<Lines> = LazyLock::new(|| Lines::new(io::stderr()));

/// The target of the log's lines while they are diverted.
static DIVERTED: Mutex<Option<mpsc::UnboundedSender<String>>> = Mutex::new(None);

/// A writer for the log. Each call of `write` must have whole lines.
pub(super) struct Log;

impl io::Write for Log {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        let diverted = DIVERTED.lock();
        let text = || String::from_utf8_lossy(lines).into_owned();
        if diverted.as_ref().is_none_or(|elsewhere| elsewhere.send(text()).is_err()) {
            STDERR.push(lines, Importance::Log);
        }
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A queue that receives the log's lines for as long as it exists. Lines that were not taken go to standard error when
/// it is dropped.
pub(super) struct Diversion(mpsc::UnboundedReceiver<String>);

impl Diversion {
    pub(super) fn begin() -> Self {
        let (sender, lines) = mpsc::unbounded_channel();
        *DIVERTED.lock() = Some(sender);
        Self(lines)
    }

    /// Returns the next lines, or `None` if the log goes to standard error again.
    pub(super) async fn lines(&mut self) -> Option<String> {
        self.0.recv().await
    }

    /// Drops the lines that are queued so far.
    pub(super) fn discard(&mut self) {
        while self.0.try_recv().is_ok() {}
    }

    /// Sends the queued lines and all further lines to standard error.
    pub(super) fn release(&mut self) {
        // The lock keeps new lines from overtaking the queued ones.
        let mut diverted = DIVERTED.lock();
        while let Ok(lines) = self.0.try_recv() {
            STDERR.push(lines.as_bytes(), Importance::Log);
        }
        self.0.close();
        *diverted = None;
    }
}

impl Drop for Diversion {
    fn drop(&mut self) {
        self.release();
    }
}

/// Writes a line that is never dropped. Waits until it is written, but at most [`END`].
pub(super) fn say(line: &str) {
    STDERR.push(format!("{line}\n").as_bytes(), Importance::Message);
    STDERR.finish(END);
}

/// Waits until everything is written, but at most [`END`]. Call this at the end of the program.
pub(super) fn finish() {
    STDERR.finish(END);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Importance {
    /// A line that is dropped if too many bytes wait.
    Log,
    /// A line that is never dropped. There are few of them.
    Message,
}

/// A queue of lines for one descriptor.
struct Lines(Arc<Shared>);

struct Shared {
    output: Box<dyn AsFd + Send + Sync>,
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<u8>,
    /// What was dropped after `waiting`. Until that is reported, all further log lines are dropped too, so that lines
    /// keep their order.
    dropped: Dropped,
    /// True while the thread runs.
    running: bool,
    /// True while the thread writes lines that it has taken.
    writing: bool,
}

#[derive(Default)]
struct Dropped {
    lines: usize,
    bytes: usize,
}

impl Lines {
    fn new(output: impl AsFd + Send + Sync + 'static) -> Self {
        Self(Arc::new(Shared { output: Box::new(output), queue: Mutex::default(), changed: Condvar::new() }))
    }

    fn push(&self, lines: &[u8], importance: Importance) {
        let mut queue = self.0.lock();
        if importance == Importance::Message {
            queue.tell_dropped();
            queue.waiting.extend_from_slice(lines);
        } else if queue.dropped.lines == 0 && queue.waiting.len() + lines.len() <= WAITING {
            queue.waiting.extend_from_slice(lines);
        } else {
            queue.dropped.lines += lines.split_inclusive(|byte| *byte == b'\n').count();
            queue.dropped.bytes += lines.len();
        }
        if !queue.running {
            let shared = Arc::clone(&self.0);
            let thread = thread::Builder::new().name("stderr".into()).stack_size(64 << 10);
            // If the thread cannot be started, the next line tries again, or `finish` writes.
            queue.running = thread.spawn(move || shared.drain()).is_ok();
        }
        drop(queue);
        self.0.changed.notify_all();
    }

    /// Waits until everything is written, but at most for this duration.
    fn finish(&self, most: Duration) {
        let mut queue = self.0.lock();
        if !queue.running {
            let lines = queue.take();
            drop(queue);
            return self.0.write(&lines);
        }
        let busy = |queue: &mut Queue| queue.running && (queue.writing || !queue.is_empty());
        self.0.changed.wait_while_for(&mut queue, busy, most);
    }
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.dropped.lines == 0
    }

    fn take(&mut self) -> Vec<u8> {
        self.tell_dropped();
        std::mem::take(&mut self.waiting)
    }

    /// Adds a line with the number of dropped lines at the place where they would have been.
    fn tell_dropped(&mut self) {
        let Dropped { lines, bytes } = std::mem::take(&mut self.dropped);
        if lines > 0 {
            let line = format!(
                " WARN {lines} lines ({bytes} bytes) were dropped here: nobody read standard error\n"
            );
            self.waiting.extend_from_slice(line.as_bytes());
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock()
    }

    /// Writes lines as they arrive, until no line has arrived for [`IDLE`].
    fn drain(&self) {
        let mut queue = self.lock();
        loop {
            if queue.is_empty() {
                if self.changed.wait_for(&mut queue, IDLE).timed_out() && queue.is_empty() {
                    queue.running = false;
                    return;
                }
                continue;
            }
            let lines = queue.take();
            queue.writing = true;
            drop(queue);
            self.write(&lines);
            queue = self.lock();
            queue.writing = false;
            self.changed.notify_all();
        }
    }

    /// Writes all bytes, with no time limit. On an error, such as a closed pipe, drops the rest.
    fn write(&self, mut bytes: &[u8]) {
        let output = self.output.as_fd();
        while !bytes.is_empty() {
            match rustix::io::write(output, bytes) {
                Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                // Another process that shares the pipe has made it non-blocking.
                Err(Errno::AGAIN) => match poll(&mut [PollFd::new(&output, PollFlags::OUT)], None) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(_) => return,
                },
                Err(_) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, PipeReader, PipeWriter, pipe};

    use super::*;

    fn lines(reader: PipeReader) -> Vec<String> {
        BufReader::new(reader).lines().map(Result::unwrap).collect()
    }

    fn numbered(lines: &Lines, numbers: std::ops::Range<usize>) {
        for number in numbers {
            lines.push(format!("{number:0>99}\n").as_bytes(), Importance::Log);
        }
    }

    /// Returns the number of a line, or as an error the number of dropped lines that it reports.
    fn number(line: &str) -> Result<usize, usize> {
        match line.strip_prefix(" WARN ") {
            Some(rest) => Err(rest.split(' ').next().unwrap().parse().unwrap()),
            None => Ok(line.parse().unwrap()),
        }
    }

    fn scene() -> (Lines, PipeReader) {
        let (reader, writer): (PipeReader, PipeWriter) = pipe().unwrap();
        (Lines::new(writer), reader)
    }

    #[test]
    fn lines_arrive_in_order() {
        let (queue, reader) = scene();
        numbered(&queue, 0..100);
        queue.push(b"last\n", Importance::Message);
        queue.finish(Duration::from_mins(1));
        // The thread keeps the other end open while it runs.
        let mut reader = BufReader::new(reader);
        let mut line = String::new();
        for expected in 0..100 {
            line.clear();
            reader.read_line(&mut line).unwrap();
            assert_eq!(number(line.trim_end()), Ok(expected));
        }
        line.clear();
        reader.read_line(&mut line).unwrap();
        assert_eq!(line, "last\n");
    }

    #[test]
    fn what_nobody_reads_is_dropped_and_counted_and_blocks_nothing() {
        const LINES: usize = 10_000;
        let (queue, reader) = scene();
        numbered(&queue, 0..LINES);
        queue.push(b"0\n", Importance::Message);
        // There is no reader, so this gives up.
        queue.finish(Duration::from_millis(1));
        let waiting = queue.0.lock().waiting.len();
        assert!(waiting <= WAITING + 200, "{waiting}");
        // The thread ends when it is idle, which closes the pipe.
        drop(queue);
        let lines = lines(reader);
        let (last, lines) = lines.split_last().unwrap();
        assert_eq!(number(last), Ok(0), "the message comes last");
        let mut next = 0;
        for line in lines {
            match number(line) {
                Ok(number) => assert_eq!(number, next),
                Err(dropped) => next += dropped - 1,
            }
            next += 1;
        }
        assert_eq!(next, LINES);
        assert!(lines.iter().any(|line| number(line).is_err()));
        assert!(lines.len() < LINES / 2, "{}", lines.len());
    }

    #[test]
    fn a_pipe_that_another_process_has_made_non_blocking_loses_nothing() {
        let (reader, writer) = pipe().unwrap();
        let flags = rustix::fs::fcntl_getfl(&writer).unwrap();
        rustix::fs::fcntl_setfl(&writer, flags | rustix::fs::OFlags::NONBLOCK).unwrap();
        let queue = Lines::new(writer);
        numbered(&queue, 0..1000);
        drop(queue);
        let lines = lines(reader);
        assert_eq!(lines.len(), 1000);
    }

    #[test]
    fn a_reader_that_is_gone_holds_up_nothing() {
        let (queue, reader) = scene();
        drop(reader);
        numbered(&queue, 0..1000);
        queue.finish(Duration::from_mins(1));
        assert!(queue.0.lock().is_empty());
    }
}
