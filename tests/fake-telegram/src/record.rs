//! What the bot did, for tests to look at and to wait for.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde_json::{Map, Value};

use crate::{error::ApiError, request::Upload};

/// A call that came with a good token.
///
/// `getUpdates` is noted when it begins to wait, every other call once it has taken effect. A download is one too: its method is
/// `file`, and its one parameter `file_path`.
#[derive(Clone, Debug)]
pub struct Call {
    /// As documented, however it was written: `sendMessage`.
    pub method: &'static str,
    /// The parameters as JSON, however they came.
    pub parameters: Map<String, Value>,
    /// The files that came with it.
    pub files: Vec<Upload>,
    /// When.
    pub at: Instant,
    /// Was it hit by a [`Fault`](crate::Fault)?
    pub faulted: bool,
    /// Why it was refused, if it was, and not because of a fault.
    pub error: Option<ApiError>,
}

impl Call {
    /// A parameter; `null` if there is none.
    pub fn parameter(&self, name: &str) -> &Value {
        self.parameters.get(name).unwrap_or(&Value::Null)
    }
}

#[derive(Default)]
struct Notes {
    calls: Vec<Arc<Call>>,
    /// Those of each method that nobody has waited for.
    untaken: HashMap<&'static str, VecDeque<Arc<Call>>>,
    /// The messages to each chat that nobody has waited for.
    unheard: HashMap<i64, VecDeque<Value>>,
}

#[derive(Default)]
pub(crate) struct Record {
    notes: Mutex<Notes>,
    changed: Condvar,
}

impl Record {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn note(&self, call: Call, sent: Vec<(i64, Value)>) {
        let call = Arc::new(call);
        let mut notes = self.notes();
        notes.calls.push(Arc::clone(&call));
        notes.untaken.entry(call.method).or_default().push_back(call);
        for (chat, message) in sent {
            notes.unheard.entry(chat).or_default().push_back(message);
        }
        drop(notes);
        self.changed.notify_all();
    }

    pub(crate) fn calls(&self) -> Vec<Arc<Call>> {
        self.notes().calls.clone()
    }

    pub(crate) fn forget(&self) {
        *self.notes() = Notes::default();
    }

    /// The first call of this method that nobody has taken yet.
    pub(crate) fn take(&self, method: &str, timeout: Duration) -> Option<Arc<Call>> {
        self.wait(timeout, |notes| notes.untaken.get_mut(method)?.pop_front())
    }

    /// The first message to this chat that nobody has taken yet.
    pub(crate) fn hear(&self, chat: i64, timeout: Duration) -> Option<Value> {
        self.wait(timeout, |notes| notes.unheard.get_mut(&chat)?.pop_front())
    }

    fn wait<T>(&self, timeout: Duration, mut find: impl FnMut(&mut Notes) -> Option<T>) -> Option<T> {
        let start = Instant::now();
        let mut notes = self.notes();
        loop {
            if let Some(found) = find(&mut notes) {
                return Some(found);
            }
            let left = timeout.checked_sub(start.elapsed())?;
            (notes, _) = self.changed.wait_timeout(notes, left).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
