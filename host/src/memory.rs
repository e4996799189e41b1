//! Releases memory that only the start needed.
//!
//! A start runs much of the program once: options, settings, the client above, certificates, linking. The system keeps
//! the pages of that code mapped, and the pages beside them. In a release build that serves telegram, the program's own
//! pages were 16 of 19 MiB of proportional set size. About 2 MiB are left after this, and pages that are needed again
//! come from the page cache.

/// Unmaps the program's own code and constants. Nothing is lost: the next use maps them again, which takes a
/// microsecond for every sixteen pages.
pub fn trim() {
    #[cfg(target_os = "linux")]
    linux::trim();
}

#[cfg(target_os = "linux")]
mod linux {
    use rustix::mm::{Advice, madvise};

    pub(super) fn trim() {
        let (Ok(program), Ok(maps)) = (std::env::current_exe(), std::fs::read_to_string("/proc/self/maps"))
        else {
            return;
        };
        let program = program.to_string_lossy();
        // Constants come before the code. The loader has written to the pages after the code, so they must stay.
        let own = maps.lines().filter(|line| line.ends_with(&*program));
        for line in own {
            let Some((start, end, code)) = mapping(line) else { return };
            #[expect(unsafe_code, reason = "the system offers it in no other way")]
            // SAFETY: the range is a private mapping of a file, taken from the system's own list, and it is unmodified:
            // it is mapped without write permission, comes before the loader's relocations, and the code has no
            // relocations. So every page that is released comes back from the file unchanged.
            let let_go = unsafe { madvise(start as *mut _, end - start, Advice::LinuxDontNeed) };
            if code || let_go.is_err() {
                return;
            }
        }
    }

    /// Returns start and end of a mapping that is not writable, and whether it is code.
    fn mapping(line: &str) -> Option<(usize, usize, bool)> {
        let mut fields = line.split_ascii_whitespace();
        let (start, end) = fields.next()?.split_once('-')?;
        let code = match fields.next()? {
            "r--p" => false,
            "r-xp" => true,
            _ => return None,
        };
        let address = |text| usize::from_str_radix(text, 16).ok();
        Some((address(start)?, address(end)?, code))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn only_what_nobody_can_have_written_is_let_go() {
            let line = |mode: &str| format!("55d0-55f0 {mode} 00000000 fd:00 17 /usr/bin/tidegate");
            assert_eq!(mapping(&line("r--p")), Some((0x55d0, 0x55f0, false)));
            assert_eq!(mapping(&line("r-xp")), Some((0x55d0, 0x55f0, true)));
            for mode in ["rw-p", "r--s", "rwxp"] {
                assert_eq!(mapping(&line(mode)), None);
            }
        }

        #[test]
        fn the_program_goes_on() {
            super::super::trim();
            assert_eq!(format!("{}", std::hint::black_box(42)), "42");
        }
    }
}
