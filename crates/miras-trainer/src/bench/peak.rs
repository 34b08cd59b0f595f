//! The most memory that a process held at once, as Linux counts it.

use std::fs;

/// The process' memory in RAM at some moment, against which later peaks are held.
pub(super) struct Peak {
    before: u64,
}

impl Peak {
    /// Notes what is held now and lets the count of the peak begin here; none where the
    /// system has no such count.
    pub(super) fn start() -> Option<Self> {
        // Where this is not allowed the peak counts from the process' start: before
        // anything is built there was none worth the name.
        let _ = fs::write("/proc/self/clear_refs", "5");
        let before = status("VmRSS:")?;
        Some(Self { before })
    }

    /// The most bytes held since, beyond those of the start.
    pub(super) fn bytes(&self) -> Option<u64> {
        Some(status("VmHWM:")?.saturating_sub(self.before))
    }
}

/// A line of `/proc/self/status`, in bytes.
fn status(name: &str) -> Option<u64> {
    field(&fs::read_to_string("/proc/self/status").ok()?, name)
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_status_is_read_as_bytes() {
        let text = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t      12 kB\n";
        assert_eq!(field(text, "VmHWM:"), Some(2048 * 1024));
        assert_eq!(field(text, "VmRSS:"), Some(12 * 1024));
        assert_eq!(field(text, "VmSwap:"), None);
        assert_eq!(field("VmHWM:\tmany kB", "VmHWM:"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_allocated_and_freed_stays_in_the_peak() {
        let peak = Peak::start().expect("Linux counts");
        let size = 64 << 20;
        drop(std::hint::black_box(vec![1_u8; size]));
        assert!(peak.bytes().expect("Linux counts") > (size / 2) as u64);
    }
}
