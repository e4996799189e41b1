//! The thread that advances the epoch while guests run, so that each of them yields.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, Thread},
    time::Duration,
};

/// How often a running guest yields.
const TICK: Duration = Duration::from_millis(10);

/// How many ticks pass without any call before the thread sleeps. Calls in quick succession then never pay for waking
/// it.
const PATIENCE: u32 = 5;

/// A thread that advances the engine's epoch while calls run, and costs nothing while no call runs.
#[derive(Debug)]
pub(super) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

#[derive(Debug)]
struct Shared {
    /// The number of calls in progress.
    running: AtomicUsize,
    /// Whether the thread sleeps, or is about to.
    parked: AtomicBool,
    /// Whether the engine has been dropped.
    stopped: AtomicBool,
}

impl Ticker {
    pub(super) fn start(engine: &wasmtime::Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            running: AtomicUsize::new(0),
            parked: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
        });
        let (engine, theirs) = (engine.clone(), Arc::clone(&shared));
        let handle = thread::Builder::new()
            .name("ticker".into())
            .stack_size(64 << 10)
            .spawn(move || theirs.tick(|| engine.increment_epoch()))?;
        Ok(Self { shared, thread: handle.thread().clone() })
    }

    /// Advances the epoch as long as the returned value lives.
    pub(super) fn run(&self) -> Running {
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        if self.shared.parked.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        Running(Arc::clone(&self.shared))
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

/// A call in progress.
#[derive(Debug)]
pub(super) struct Running(Arc<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Shared {
    fn tick(&self, advance: impl Fn()) {
        let mut quiet = 0;
        while !self.stopped.load(Ordering::SeqCst) {
            if self.running.load(Ordering::SeqCst) > 0 {
                quiet = 0;
            } else {
                quiet += 1;
            }
            if quiet > PATIENCE {
                self.parked.store(true, Ordering::SeqCst);
                // A call that began before the store above is seen here; a later one sees the store and unparks.
                if self.running.load(Ordering::SeqCst) == 0 && !self.stopped.load(Ordering::SeqCst) {
                    thread::park();
                }
                self.parked.store(false, Ordering::SeqCst);
                quiet = 0;
            }
            thread::sleep(TICK);
            advance();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    #[test]
    fn it_sleeps_without_calls_and_ticks_again_with_one() {
        let shared = Arc::new(Shared {
            running: AtomicUsize::new(0),
            parked: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
        });
        let ticks = Arc::new(AtomicU32::new(0));
        let handle = {
            let (shared, ticks) = (Arc::clone(&shared), Arc::clone(&ticks));
            thread::spawn(move || {
                shared.tick(|| {
                    ticks.fetch_add(1, Ordering::SeqCst);
                });
            })
        };
        let ticker = Ticker { shared: Arc::clone(&shared), thread: handle.thread().clone() };
        while !shared.parked.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        let before = ticks.load(Ordering::SeqCst);
        let running = ticker.run();
        while ticks.load(Ordering::SeqCst) < before + 3 {
            thread::yield_now();
        }
        drop(running);
        drop(ticker);
        handle.join().unwrap();
    }
}
