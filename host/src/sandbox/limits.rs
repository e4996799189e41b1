//! The limits of an instance, and the meter that enforces them.

use std::time::Duration;

use wasmtime::ResourceLimiter;

/// The limits of one instance.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Linear memory in bytes, summed over all memories of the instance.
    pub memory: usize,
    /// Table elements, summed over all tables.
    pub table_elements: usize,
    /// The time limit of one call, including its waits for the host.
    pub deadline: Duration,
    /// The most bytes that one call may pass to the host (wasmtime's own default is 128 MiB).
    pub returned: usize,
    /// The most memory, in bytes, with which an instance is kept for another call.
    pub keep: usize,
    /// The most instances of one component that bring something in at the same time.
    pub inward: usize,
    /// The most instances of one component that send something out at the same time.
    pub outward: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 64 << 20,
            table_elements: 100_000,
            deadline: Duration::from_secs(10),
            // A request of 16 MiB, and its overhead.
            returned: 17 << 20,
            keep: 16 << 20,
            inward: 3,
            outward: 5,
        }
    }
}

/// A count of what an instance uses. It refuses growth beyond the limits.
#[derive(Debug)]
pub struct Meter {
    memory: usize,
    memory_limit: usize,
    table_elements: usize,
    table_limit: usize,
    /// The bytes of the last allowed growth, to subtract if that growth fails.
    last_growth: usize,
    /// Whether any growth was refused.
    exhausted: bool,
}

impl Meter {
    /// Returns a meter with nothing used yet.
    pub fn new(limits: &Limits) -> Self {
        Self {
            memory: 0,
            memory_limit: limits.memory,
            table_elements: 0,
            table_limit: limits.table_elements,
            last_growth: 0,
            exhausted: false,
        }
    }

    /// Returns the bytes of linear memory in use.
    pub fn memory(&self) -> usize {
        self.memory
    }

    /// Returns whether any growth was refused.
    pub fn exhausted(&self) -> bool {
        self.exhausted
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let growth = desired.saturating_sub(current);
        let allowed = self.memory.saturating_add(growth) <= self.memory_limit;
        self.last_growth = if allowed { growth } else { 0 };
        self.memory += self.last_growth;
        self.exhausted |= !allowed;
        Ok(allowed)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory = self.memory.saturating_sub(std::mem::take(&mut self.last_growth));
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let growth = desired.saturating_sub(current);
        let allowed = self.table_elements.saturating_add(growth) <= self.table_limit;
        if allowed {
            self.table_elements += growth;
        }
        self.exhausted |= !allowed;
        Ok(allowed)
    }

    fn instances(&self) -> usize {
        64
    }

    fn tables(&self) -> usize {
        64
    }

    fn memories(&self) -> usize {
        16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_summed_over_memories() {
        let mut meter = Meter::new(&Limits { memory: 100, ..Limits::default() });
        assert!(meter.memory_growing(0, 60, None).unwrap());
        assert!(
            !meter.memory_growing(0, 60, None).unwrap(),
            "a second memory does not get a second allowance"
        );
        assert!(meter.memory_growing(0, 40, None).unwrap());
        assert!(meter.exhausted());
        assert_eq!(meter.memory(), 100);
    }

    #[test]
    fn growth_that_failed_is_given_back() {
        let mut meter = Meter::new(&Limits { memory: 100, ..Limits::default() });
        assert!(meter.memory_growing(0, 60, None).unwrap());
        assert!(meter.memory_growing(60, 90, None).unwrap());
        meter.memory_grow_failed(wasmtime::Error::msg("no memory")).unwrap();
        assert_eq!(meter.memory(), 60);
        // A growth that the limit refused added nothing, so there is nothing to subtract.
        assert!(!meter.memory_growing(60, 200, None).unwrap());
        meter.memory_grow_failed(wasmtime::Error::msg("limit")).unwrap();
        assert_eq!(meter.memory(), 60);
    }
}
