//! Instances of one component: kept between calls, run with a deadline, thrown away after a failure.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;
use wasmtime::{
    Store, Trap, UpdateDeadline,
    component::{Instance, InstancePre},
};

use super::{Engine, Limits, Meter};

/// Idle instances that are kept for the next call.
const KEPT: usize = 2;

/// Ticks before a call lets others run for the first time. The next tick may come at any moment, the one after
/// that does not: a short call is never disturbed.
const UNDISTURBED: u64 = 2;

/// How long a guest that computes lets others run at each tick.
const PAUSE: Duration = Duration::from_millis(1);

/// An instance that was idle for longer is thrown away.
const IDLE: Duration = Duration::from_mins(5);

/// How a call goes on, shared by whoever polls it and the guest's own callback.
#[derive(Debug, Default)]
struct Pulse {
    /// The guest itself lets others run.
    yielding: AtomicBool,
    /// The guest goes on after it has waited for the host: ticks that went by meanwhile are not its own.
    rested: AtomicBool,
}

/// What a store holds: the sandbox's own account, and whatever the host's functions need.
#[derive(Debug)]
pub struct Resident<T> {
    meter: Meter,
    pulse: Arc<Pulse>,
    /// When the call that runs is cut off.
    ends: Option<Instant>,
    /// For the host's functions.
    pub tenant: T,
}

impl<T> Resident<T> {
    /// When the call that runs is cut off, whatever it does; what it asks of the host must end before.
    pub fn ends(&self) -> Option<Instant> {
        self.ends
    }
}

/// A call into an instance, as a future that borrows it.
pub type Call<'a, R> = Pin<Box<dyn Future<Output = wasmtime::Result<R>> + Send + 'a>>;

/// Which way a call goes. Calls of one direction never wait for those of the other: a platform that hangs must not keep
/// out what arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// It brings something in.
    Inward,
    /// It sends something out.
    Outward,
}

type Bind<T, E> = dyn Fn(&mut Store<Resident<T>>, &Instance) -> wasmtime::Result<E> + Send + Sync;

/// Instances of one component, pre-linked, lent out for one call at a time.
///
/// An instance whose call failed, timed out or was dropped is thrown away: its memory is in no known state.
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
    /// It took longer than it may.
    #[error("it did not finish within {} s and was stopped", .0.as_secs_f32())]
    Deadline(Duration),
    /// It wanted more memory than it may have, and failed.
    #[error("it ran out of its {} MiB of memory", .0 >> 20)]
    Memory(usize),
    /// It trapped.
    #[error("it crashed: {0}")]
    Trap(String),
}

impl<T: Send + 'static, E: Send + 'static> Pool<T, E> {
    /// A pool that is empty at first. `bind` finds the exports of a new instance, `tenant` makes what its host
    /// functions need.
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

    /// Makes one call, on an idle instance or on a new one. `leave` takes out of the tenant what the call left
    /// there; it runs only after a call that returned.
    pub async fn call<R, X>(
        &self,
        lane: Lane,
        deadline: Duration,
        call: impl for<'a> FnOnce(&'a mut Store<Resident<T>>, &'a E) -> Call<'a, R>,
        leave: impl FnOnce(&mut T) -> X,
    ) -> Result<(R, X), CallError> {
        let ends = Instant::now().checked_add(deadline);
        let work = async {
            // Never closed.
            let _slot = match lane {
                Lane::Inward => self.inward.acquire().await,
                Lane::Outward => self.outward.acquire().await,
            };
            let mut instance = match self.take() {
                Some(instance) => instance,
                None => self.instantiate().await?,
            };
            // Counted from now: ticks that went by while the instance was idle are not its own.
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

    /// Throws away what has been idle for too long.
    pub fn sweep(&self) {
        self.lock().retain(|instance| instance.since.elapsed() < IDLE);
    }

    /// The limits that instances run in.
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
        // At each tick the guest lets others run, and whoever waits for it can give up. It waits for a moment
        // itself: a task that is always ready would keep the runtime from looking at its sockets.
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

    /// Ticks only while the guest computes: a call that waits for its platform costs nothing.
    async fn attend<F: Future>(&self, pulse: &Pulse, work: F) -> F::Output {
        let mut work = std::pin::pin!(work);
        // The first time it has not rested.
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
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
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
