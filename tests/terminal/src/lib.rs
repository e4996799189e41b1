//! Runs a program in a new terminal, and reads its screen.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Write as _},
    os::unix::process::CommandExt as _,
    process::{Child, Command, ExitStatus},
    sync::{Arc, Mutex, PoisonError, Weak},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{ioctl_tiocsctty, setsid},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

const ROWS: u16 = 60;
const COLUMNS: u16 = 160;

/// The pause between two checks of the screen.
const PAUSE: Duration = Duration::from_millis(20);

/// A program in a terminal. When this is dropped, the program is killed and the terminal is closed.
pub struct Terminal {
    child: Child,
    keyboard: File,
    screen: Arc<Mutex<vt100::Parser>>,
    status: Option<ExitStatus>,
}

impl Terminal {
    /// Starts the program with the terminal as its input, its output and its controlling terminal.
    pub fn start(command: Command) -> anyhow::Result<Self> {
        Self::start_with(command, ROWS, COLUMNS)
    }

    /// Starts the program in a terminal of this size.
    pub fn start_with(mut command: Command, rows: u16, columns: u16) -> anyhow::Result<Self> {
        lead_a_session(&mut command);
        Self::spawn(command, rows, columns)
    }

    /// Starts the program in a terminal that is not its controlling terminal: the terminal outlives the program, and
    /// stays open while a process that the program started is running.
    pub fn start_uncontrolled(command: Command, rows: u16, columns: u16) -> anyhow::Result<Self> {
        Self::spawn(command, rows, columns)
    }

    fn spawn(mut command: Command, rows: u16, columns: u16) -> anyhow::Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let path = ptsname(&master, Vec::new())?.into_string()?;
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size)?;
        let slave = OpenOptions::new().read(true).write(true).open(&path)?;
        command.stdin(slave.try_clone()?).stdout(slave.try_clone()?).stderr(slave);
        let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        // The command holds the terminal's other end open, and its output would never end.
        drop(command);
        let master = File::from(master);
        let keyboard = master.try_clone()?;
        let screen = Arc::new(Mutex::new(vt100::Parser::new(rows.try_into()?, columns.try_into()?, 0)));
        let shown = Arc::downgrade(&screen);
        thread::spawn(move || show(master, &shown));
        Ok(Self { child, keyboard, screen, status: None })
    }

    /// Returns the text of the screen, without empty lines.
    pub fn screen(&self) -> String {
        let contents = self.screen.lock().unwrap_or_else(PoisonError::into_inner).screen().contents();
        contents.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
    }

    /// Sends keyboard input.
    pub fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.keyboard.write_all(bytes).context("the program's terminal is gone")
    }

    /// Returns the program's exit status, if it has ended.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        if self.status.is_none() {
            self.status = self.child.try_wait()?;
        }
        Ok(self.status)
    }

    /// Waits for the program's end.
    pub fn wait_for_end(&mut self, patience: Duration) -> anyhow::Result<ExitStatus> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if start.elapsed() > patience {
                bail!(
                    "the program has not ended within {} s; its screen:\n{}",
                    patience.as_secs(),
                    self.screen()
                );
            }
            thread::sleep(PAUSE);
        }
    }

    /// Waits until the screen matches, and returns it. The error shows the current screen.
    pub fn wait_for(&self, patience: Duration, wanted: impl Fn(&str) -> bool) -> anyhow::Result<String> {
        let start = Instant::now();
        loop {
            let screen = self.screen();
            if wanted(&screen) {
                return Ok(screen);
            }
            if start.elapsed() > patience {
                bail!("not within {} s on the screen:\n{screen}", patience.as_secs());
            }
            thread::sleep(PAUSE);
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if self.status.is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Draws the program's output until its end or that of the terminal.
fn show(mut output: File, screen: &Weak<Mutex<vt100::Parser>>) {
    let mut bytes = [0; 4096];
    let pause = Timespec { tv_sec: 0, tv_nsec: PAUSE.as_nanos().try_into().unwrap_or_default() };
    while let Some(screen) = screen.upgrade() {
        let mut looked = [PollFd::new(&output, PollFlags::IN)];
        if matches!(poll(&mut looked, Some(&pause)), Ok(0) | Err(Errno::INTR)) {
            continue;
        }
        // Linux answers with an error once no process has the other end open.
        let Ok(length @ 1..) = output.read(&mut bytes) else { return };
        let written = bytes.get(..length).unwrap_or_default();
        screen.lock().unwrap_or_else(PoisonError::into_inner).process(written);
    }
}

#[expect(unsafe_code, reason = "a terminal can only be taken between fork and exec")]
fn lead_a_session(command: &mut Command) {
    let take = || {
        setsid()?;
        Ok(ioctl_tiocsctty(rustix::stdio::stdin())?)
    };
    // SAFETY: between fork and exec the closure makes two system calls; it allocates nothing and takes no lock.
    unsafe { command.pre_exec(take) };
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn shell(script: &str) -> Terminal {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        Terminal::start(command).unwrap()
    }

    #[test]
    fn a_program_finds_its_terminal_and_is_drawn() {
        let mut terminal =
            shell("stty size; echo one two; printf '\\033[1A\\033[4Cred\\n'; read x </dev/tty; exit 7");
        terminal.wait_for(PATIENCE, |screen| screen.contains("one red")).unwrap();
        assert_eq!(terminal.screen(), "60 160\none red");
        assert!(terminal.ended().unwrap().is_none());
        terminal.send(b"\r").unwrap();
        assert_eq!(terminal.wait_for_end(PATIENCE).unwrap().code(), Some(7));
    }

    #[test]
    fn a_program_that_is_let_go_is_ended() {
        let terminal = shell("echo $$; exec sleep 1000");
        let id = terminal.wait_for(PATIENCE, |screen| screen.trim().parse::<u32>().is_ok()).unwrap();
        drop(terminal);
        let alive = std::path::Path::new("/proc").join(id.trim()).exists();
        assert!(!alive, "process {id} is left");
    }
}
