//! Instances of one component: kept between calls, run with a deadline, discarded after a failure.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Semaphore;
use wasmtime::{
    Store, Trap, UpdateDeadline,
    component::{Instance, InstancePre},
};

use super::{Engine, Limits, Meter};

/// The most idle instances that are kept for the next call.
const KEPT: usize = 2;

/// Ticks before a call yields for the first time. The next tick may come at any moment, but the tick after it comes a
/// full interval later: a short call is never interrupted.
const UNDISTURBED: u64 = 2;

/// How long a guest that computes sleeps at each tick, so that others can run.
const PAUSE: Duration = Duration::from_millis(1);

/// How long an instance may be idle before it is discarded.
const IDLE: Duration = Duration::from_mins(5);

/// The progress of a call, shared by the future that polls it and the callback at each tick.
#[derive(Debug, Default)]
struct Pulse {
    /// Whether the guest has yielded at a tick.
    yielding: AtomicBool,
    /// Whether the guest continues after it has waited for the host: ticks during the wait do not count.
    rested: AtomicBool,
}

/// The store data: the sandbox's own part, and the part of the host functions.
#[derive(Debug)]
pub struct Resident<T> {
    meter: Meter,
    pulse: Arc<Pulse>,
    /// The deadline of the current call.
    ends: Option<Instant>,
    /// The part of the host functions.
    pub tenant: T,
}

impl<T> Resident<T> {
    /// Returns the deadline of the current call. Everything that the call asks of the host must end before it.
    pub fn ends(&self) -> Option<Instant> {
        self.ends
    }
}

/// A call into an instance, as a future that borrows it.
pub type Call<'a, R> = Pin<Box<dyn Future<Output = wasmtime::Result<R>> + Send + 'a>>;

/// The direction of a call. Calls of one direction never wait for calls of the other: a platform that hangs must not
/// block incoming events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// The call brings something in.
    Inward,
    /// The call sends something out.
    Outward,
}

type Bind<T, E> = dyn Fn(&mut Store<Resident<T>>, &Instance) -> wasmtime::Result<E> + Send + Sync;

/// Instances of one component, pre-linked, each used for one call at a time.
///
/// An instance whose call failed, timed out or was dropped is discarded, because the state of its memory is unknown.
pub struct Pool<T: 'static, E> {
    engine: Arc<Engine>,
    template: InstancePre<Resident<T>>,
    bind: Box<Bind<T, E>>,
    tenant: Box<dyn Fn() -> T + Send + Sync>,
    limits: Limits,
    idle: Mutex<Vec<Idle<T, E>>>,
    inward: Semaphore,
    outward: Semaphore,
}

struct Idle<T: 'static, E> {
    store: Store<Resident<T>>,
    exports: E,
    since: Instant,
}

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// It took longer than its deadline.
    #[error("it did not finish within {} s and was stopped", .0.as_secs_f32())]
    Deadline(Duration),
    /// It requested more memory than its limit, and failed.
    #[error("it ran out of its {} MiB of memory", .0 >> 20)]
    Memory(usize),
    /// It trapped.
    #[error("it crashed: {0}")]
    Trap(String),
}

impl<T: Send + 'static, E: Send + 'static> Pool<T, E> {
    /// Creates an empty pool. `bind` finds the exports of a new instance; `tenant` creates the store data of its host
    /// functions.
    pub fn new(
        engine: Arc<Engine>,
        template: InstancePre<Resident<T>>,
        limits: Limits,
        bind: impl Fn(&mut Store<Resident<T>>, &Instance) -> wasmtime::Result<E> + Send + Sync + 'static,
        tenant: impl Fn() -> T + Send + Sync + 'static,
    ) -> Self {
        Self {
            engine,
            template,
            bind: Box::new(bind),
            tenant: Box::new(tenant),
            limits,
            idle: Mutex::default(),
            inward: Semaphore::new(limits.inward),
            outward: Semaphore::new(limits.outward),
        }
    }

    /// Runs one call, on an idle instance or on a new one. `leave` takes out of the tenant what the call has left
    /// there. It runs only after a call that has returned.
    pub async fn call<R, X>(
        &self,
        lane: Lane,
        deadline: Duration,
        call: impl for<'a> FnOnce(&'a mut Store<Resident<T>>, &'a E) -> Call<'a, R>,
        leave: impl FnOnce(&mut T) -> X,
    ) -> Result<(R, X), CallError> {
        let ends = Instant::now().checked_add(deadline);
        let work = async {
            // The semaphores are never closed.
            let _slot = match lane {
                Lane::Inward => self.inward.acquire().await,
                Lane::Outward => self.outward.acquire().await,
            };
            let mut instance = match self.take() {
                Some(instance) => instance,
                None => self.instantiate().await?,
            };
            // Ticks while the instance was idle do not count.
            instance.store.set_epoch_deadline(UNDISTURBED);
            instance.store.data_mut().ends = ends;
            let pulse = Arc::clone(&instance.store.data().pulse);
            let result = self.attend(&pulse, call(&mut instance.store, &instance.exports)).await;
            match result {
                Ok(result) => {
                    let left = leave(&mut instance.store.data_mut().tenant);
                    self.give_back(instance);
                    Ok((result, left))
                }
                Err(error) => Err(self.explain(&error, &instance.store)),
            }
        };
        match tokio::time::timeout(deadline, work).await {
            Ok(result) => result,
            Err(_) => Err(CallError::Deadline(deadline)),
        }
    }

    /// Discards instances that have been idle for too long.
    pub fn sweep(&self) {
        self.lock().retain(|instance| instance.since.elapsed() < IDLE);
    }

    /// Returns the limits of the instances.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    async fn instantiate(&self) -> Result<Idle<T, E>, CallError> {
        let pulse = Arc::<Pulse>::default();
        let resident = Resident {
            meter: Meter::new(&self.limits),
            pulse: Arc::clone(&pulse),
            ends: None,
            tenant: (self.tenant)(),
        };
        let mut store = Store::new(self.engine.wasmtime(), resident);
        store.limiter(|resident| &mut resident.meter);
        store.set_hostcall_fuel(self.limits.returned);
        // At each tick the guest yields, so that its caller can give up. It also sleeps for a moment, because a task
        // that is always ready would keep the runtime from polling its sockets.
        store.epoch_deadline_callback(|context| {
            let pulse = &context.data().pulse;
            if pulse.rested.swap(false, Ordering::Relaxed) {
                return Ok(UpdateDeadline::Continue(UNDISTURBED));
            }
            pulse.yielding.store(true, Ordering::Relaxed);
            Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::time::sleep(PAUSE))))
        });
        store.set_epoch_deadline(UNDISTURBED);
        let instantiated = self.attend(&pulse, self.template.instantiate_async(&mut store)).await;
        let instance = match instantiated {
            Ok(instance) => instance,
            Err(error) => return Err(self.explain(&error, &store)),
        };
        match (self.bind)(&mut store, &instance) {
            Ok(exports) => Ok(Idle { store, exports, since: Instant::now() }),
            Err(error) => Err(CallError::Trap(format!("{error:#}"))),
        }
    }

    /// Advances the epoch only while the guest computes: a call that waits for its platform costs nothing.
    async fn attend<F: Future>(&self, pulse: &Pulse, work: F) -> F::Output {
        let mut work = std::pin::pin!(work);
        // Before the first poll the guest has not waited.
        pulse.yielding.store(true, Ordering::Relaxed);
        std::future::poll_fn(|context| {
            let rested = !pulse.yielding.swap(false, Ordering::Relaxed);
            pulse.rested.store(rested, Ordering::Relaxed);
            let _running = self.engine.run();
            work.as_mut().poll(context)
        })
        .await
    }

    fn take(&self) -> Option<Idle<T, E>> {
        self.lock().pop()
    }

    fn give_back(&self, mut instance: Idle<T, E>) {
        if instance.store.data().meter.memory() > self.limits.keep {
            return;
        }
        instance.since = Instant::now();
        let mut idle = self.lock();
        if idle.len() < KEPT {
            idle.push(instance);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Idle<T, E>>> {
        self.idle.lock()
    }

    fn explain(&self, error: &wasmtime::Error, store: &Store<Resident<T>>) -> CallError {
        if store.data().meter.exhausted() {
            return CallError::Memory(self.limits.memory);
        }
        match error.downcast_ref::<Trap>() {
            Some(trap) => CallError::Trap(trap.to_string()),
            // The rest of the chain is a backtrace.
            None => CallError::Trap(error.root_cause().to_string()),
        }
    }
}
