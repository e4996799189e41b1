//! Conversion of Telegram's times, which are seconds since the Unix epoch.

/// 9999-12-31T23:59:59Z, in seconds since the Unix epoch: a later year has more than four digits.
const LAST: i64 = 253_402_300_799;

/// Converts to milliseconds since the Unix epoch. Clamps times before the epoch or after the year 9999.
pub(super) fn milliseconds(seconds: i64) -> u64 {
    clamped(seconds) * 1000
}

/// Formats a time as `2026-08-01T12:00:00Z`, with the same limits.
pub(super) fn iso(seconds: i64) -> String {
    let seconds = clamped(seconds);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // In years that begin in March, the leap day is the last day, and 400 years have 146,097 days. The Unix epoch is
    // day 719,468 of such a calendar that begins in the year 0.
    let day = days + 719_468;
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // From March on, the lengths of months repeat every five months, which have 153 days.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + carry;
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

fn clamped(seconds: i64) -> u64 {
    seconds.clamp(0, LAST).cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_what_the_calendar_says() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_767_225_599, "2025-12-31T23:59:59Z"),
            (1_767_225_600, "2026-01-01T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (LAST, "9999-12-31T23:59:59Z"),
            (i64::MAX, "9999-12-31T23:59:59Z"),
            (-1, "1970-01-01T00:00:00Z"),
        ] {
            assert_eq!(iso(seconds), expected, "{seconds}");
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let is_leap =
            |year: u32| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for index in 0..200_000 {
            assert_eq!(iso(index * 86_400), format!("{year:04}-{month:02}-{day:02}T00:00:00Z"));
            let length = match month {
                2 if is_leap(year) => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > length {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }

    #[test]
    fn absurd_times_are_moved_to_the_nearest_end() {
        for (seconds, expected) in
            [(i64::MIN, 0), (-1, 0), (1_754_049_600, 1_754_049_600_000), (i64::MAX, 253_402_300_799_000)]
        {
            assert_eq!(milliseconds(seconds), expected, "{seconds}");
        }
    }
}
