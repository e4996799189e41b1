//! Pauses between tries, each twice as long as the one before.

use std::time::Duration;

/// The first pause after a failure.
const FIRST: Duration = Duration::from_millis(250);

/// The longest pause, so that a platform that recovers is noticed within half a minute.
const LONGEST: Duration = Duration::from_secs(30);

/// The first pause after a conflict with another consumer.
const PATIENT: Duration = Duration::from_secs(2);

/// The wait before the next try: it doubles each time, and is randomized.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Resets the pause after a success.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Returns the pause after a failure.
    pub(super) fn next(&mut self) -> Duration {
        self.after(FIRST)
    }

    /// Returns the pause after a failure that takes longer to pass.
    pub(super) fn patient(&mut self) -> Duration {
        self.after(PATIENT)
    }

    fn after(&mut self, first: Duration) -> Duration {
        let pause = first.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        // From three quarters to five quarters of the pause.
        pause * 3 / 4 + jitter(pause / 2)
    }
}

/// Returns a random duration up to `most`: processes that fail together must not retry together.
pub(super) fn jitter(most: Duration) -> Duration {
    let mut random = [0; 2];
    // Without random bytes the result is half of `most`.
    let share = getrandom::fill(&mut random)
        .map_or(u32::from(u16::MAX / 2), |()| u32::from(u16::from_ne_bytes(random)));
    most * share / u32::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_stay_within_bounds() {
        for _ in 0..100 {
            let mut backoff = Backoff::default();
            let pauses: Vec<_> = (0..40).map(|_| backoff.next()).collect();
            let mut expected = FIRST;
            for pause in pauses {
                assert!(
                    pause >= expected * 3 / 4 && pause <= expected * 5 / 4 + FIRST,
                    "{pause:?} of {expected:?}"
                );
                expected = (expected * 2).min(LONGEST);
            }
            backoff.reset();
            assert!(backoff.next() <= FIRST * 5 / 4 + Duration::from_millis(1));
        }
    }

    #[test]
    fn somebody_else_is_given_seconds() {
        assert!(Backoff::default().patient() >= Duration::from_millis(1500));
    }

    #[test]
    fn no_two_pauses_are_alike() {
        let pauses: std::collections::HashSet<_> = (0..20).map(|_| Backoff::default().next()).collect();
        assert!(pauses.len() > 10);
    }
}
