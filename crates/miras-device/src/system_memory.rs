//! The memory of this machine, and whether a run fits.

use std::fs;

/// Memory of the machine in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SystemMemory {
    /// All of it.
    pub total: u64,
    /// What a new process can have.
    pub available: u64,
}

impl SystemMemory {
    /// What Linux says; none on other systems, which have no such file.
    pub fn read() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/meminfo").ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes = |name: &str| -> Option<u64> {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
            Some(kib * 1024)
        };
        Some(Self {
            total: bytes("MemTotal:")?,
            available: bytes("MemAvailable:")?,
        })
    }

    /// What to say of a run that is estimated to take so many bytes; none if it fits.
    pub fn warning(self, peak: u64) -> Option<String> {
        let gib = |bytes: u64| bytes as f64 / (1_u64 << 30) as f64;
        (peak > self.available).then(|| {
            format!(
                "training is estimated to take {:.1} GiB of memory, and {:.1} GiB are available: \
                 a smaller train.batch with a larger train.accumulate, or a smaller data.seq_len, takes less",
                gib(peak),
                gib(self.available)
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_cannot_fit_is_warned_of() {
        let text = "MemTotal:       3145728 kB\nMemFree: 1 kB\nMemAvailable:   2097152 kB\n";
        let memory = SystemMemory::parse(text).unwrap();
        assert_eq!((memory.total, memory.available), (3 << 30, 2 << 30));
        assert_eq!(memory.warning(2 << 30), None);
        let said = memory.warning(5 << 30).unwrap();
        assert!(
            said.starts_with("training is estimated to take 5.0 GiB of memory, and 2.0 GiB are"),
            "{said}"
        );
        assert_eq!(SystemMemory::parse("MemTotal: many kB"), None);
    }
}
