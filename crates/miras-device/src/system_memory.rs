//! The memory of this machine, and whether a run fits.

use std::fs;
use std::path::Path;

/// Memory of the machine in bytes, or of the control group that this process is confined to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SystemMemory {
    /// All of it.
    pub total: u64,
    /// What a new process can have.
    pub available: u64,
    /// What there is to swap to, beside it.
    pub swap: u64,
}

impl SystemMemory {
    /// What Linux says; none on other systems, which have no such files.
    pub fn read() -> Option<Self> {
        let machine = Self::parse(&fs::read_to_string("/proc/meminfo").ok()?)?;
        let group = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Some(machine.confined(Path::new("/sys/fs/cgroup"), &group))
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
            swap: bytes("SwapTotal:").unwrap_or(0),
        })
    }

    /// Within the limits of the control group (version 2) named in `/proc/self/cgroup`, and of
    /// those above it, as of a container or a job.
    fn confined(mut self, root: &Path, group: &str) -> Self {
        let Some(path) = group.lines().find_map(|line| line.strip_prefix("0::/")) else {
            return self;
        };
        let read = |folder: &Path, file: &str| -> Option<u64> {
            let text = fs::read_to_string(folder.join(file)).ok()?;
            text.trim().parse().ok()
        };
        for folder in root.join(path).ancestors() {
            if let Some(most) = read(folder, "memory.max") {
                let used = read(folder, "memory.current").unwrap_or(0);
                self.total = self.total.min(most);
                self.available = self.available.min(most.saturating_sub(used));
            }
            if let Some(most) = read(folder, "memory.swap.max") {
                self.swap = self.swap.min(most);
            }
            if folder == root {
                break;
            }
        }
        self
    }

    /// What to say of a run that is estimated to take so many bytes; none if it fits.
    pub fn warning(self, peak: u64) -> Option<String> {
        (peak > self.available).then(|| {
            format!(
                "training is estimated to take {:.1} GiB of memory, and {:.1} GiB are available: \
                 a smaller train.batch with a larger train.accumulate, or a smaller data.seq_len, takes less",
                gib(peak),
                gib(self.available)
            )
        })
    }

    /// Whether so many bytes can never be held.
    pub fn is_beyond(self, bytes: u64) -> bool {
        bytes > self.total.saturating_add(self.swap)
    }
}

/// Bytes in units of 2^30.
pub fn gib(bytes: u64) -> f64 {
    bytes as f64 / (1_u64 << 30) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "MemTotal:       3145728 kB\nMemFree: 1 kB\nMemAvailable:   2097152 kB\n\
                        SwapTotal:      1048576 kB\n";

    #[test]
    fn a_run_that_cannot_fit_is_warned_of() {
        let memory = SystemMemory::parse(TEXT).unwrap();
        assert_eq!((memory.total, memory.available), (3 << 30, 2 << 30));
        assert_eq!(memory.warning(2 << 30), None);
        let said = memory.warning(5 << 30).unwrap();
        assert!(
            said.starts_with("training is estimated to take 5.0 GiB of memory, and 2.0 GiB are"),
            "{said}"
        );
        assert!(!memory.is_beyond(4 << 30) && memory.is_beyond((4 << 30) + 1));
        assert_eq!(SystemMemory::parse("MemTotal: many kB"), None);
    }

    #[test]
    fn the_limits_of_a_container_are_those_of_its_processes() {
        let root = tempfile::tempdir().unwrap();
        let job = root.path().join("jobs/7");
        fs::create_dir_all(&job).unwrap();
        let write = |folder: &Path, file: &str, text: &str| {
            fs::write(folder.join(file), text).unwrap();
        };
        write(&job, "memory.max", "max\n");
        write(&job, "memory.swap.max", "0\n");
        write(&root.path().join("jobs"), "memory.max", "1073741824\n");
        write(&root.path().join("jobs"), "memory.current", "73741824\n");
        let machine = SystemMemory::parse(TEXT).unwrap();
        let inside = machine.confined(root.path(), "1:name=x:/old\n0::/jobs/7\n");
        assert_eq!(inside.total, 1 << 30);
        assert_eq!(inside.available, 1_000_000_000);
        assert_eq!(inside.swap, 0);
        // Without a group of its own, and in one that is not there.
        for group in ["", "0::/", "0::/other"] {
            assert_eq!(machine.confined(root.path(), group), machine, "{group}");
        }
    }
}
