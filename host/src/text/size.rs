//! Sizes in a form for people.

/// Returns a size as `50 MiB`, or as `50 MB` if it is not a whole number of MiB.
pub fn size(bytes: u64) -> String {
    if bytes.is_multiple_of(1 << 20) {
        format!("{} MiB", bytes >> 20)
    } else {
        format!("{} MB", bytes / 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rounder_number_is_told() {
        assert_eq!(size(50 << 20), "50 MiB");
        assert_eq!(size(50_000_000), "50 MB");
    }
}
