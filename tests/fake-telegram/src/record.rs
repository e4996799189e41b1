//! A record of the bot's calls, for tests to read and to wait for.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde_json::{Map, Value};

use crate::{error::ApiError, request::Upload};

/// A call with a valid token.
///
/// `getUpdates` is recorded when it begins to wait, every other call once it has taken effect. A download is also a
/// call: its method is `file`, and its only parameter `file_path`.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method in its documented spelling: `sendMessage`.
    pub method: &'static str,
    /// The parameters, converted to JSON.
    pub parameters: Map<String, Value>,
    /// The files that came with it.
    pub files: Vec<Upload>,
    /// The time of the call.
    pub at: Instant,
    /// Whether a [`Fault`](crate::Fault) was applied to it.
    pub faulted: bool,
    /// The reason of a refusal, if the call was refused for another reason than a fault.
    pub error: Option<ApiError>,
}

impl Call {
    /// Returns a parameter; `null` if there is none.
    pub fn parameter(&self, name: &str) -> &Value {
        self.parameters.get(name).unwrap_or(&Value::Null)
    }
}

#[derive(Default)]
struct Notes {
    calls: Vec<Arc<Call>>,
    /// The calls of each method that `take` has not returned yet.
    untaken: HashMap<&'static str, VecDeque<Arc<Call>>>,
    /// The messages to each chat that `hear` has not returned yet.
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

    /// Returns the first call of this method that was not returned before.
    pub(crate) fn take(&self, method: &str, timeout: Duration) -> Option<Arc<Call>> {
        self.wait(timeout, |notes| notes.untaken.get_mut(method)?.pop_front())
    }

    /// Returns the first message to this chat that was not returned before.
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
