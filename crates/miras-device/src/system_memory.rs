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

    /// Within the limits of the control groups named in `/proc/self/cgroup` and of those above
    /// them, as of a container or a job.
    fn confined(mut self, root: &Path, groups: &str) -> Self {
        for line in groups.lines() {
            let mut fields = line.splitn(3, ':').skip(1);
            let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else {
                continue;
            };
            let (version, root) = match controllers {
                "" => (&V2, root.to_owned()),
                all if all.split(',').any(|one| one == "memory") => (&V1, root.join("memory")),
                _ => continue,
            };
            for folder in root.join(path.trim_start_matches('/')).ancestors() {
                self.limit(folder, version);
                if folder == root {
                    break;
                }
            }
        }
        self
    }

    /// Within the limit of one group, if it has one.
    fn limit(&mut self, folder: &Path, files: &Files) {
        let text = |file: &str| fs::read_to_string(folder.join(file)).ok();
        let number = |file: &str| text(file)?.trim().parse::<u64>().ok();
        if let Some(most) = number(files.limit) {
            // Files that were read can be given up.
            let cached = text("memory.stat").and_then(|stat| {
                let mut lines = stat.lines();
                let line = lines.find_map(|line| line.strip_prefix(files.cached))?;
                line.trim().parse().ok()
            });
            let used = number(files.used).unwrap_or(0);
            let used = used.saturating_sub(cached.unwrap_or(0));
            self.total = self.total.min(most);
            self.available = self.available.min(most.saturating_sub(used));
        }
        if let Some(most) = number(files.swap) {
            self.swap = self.swap.min(most);
        }
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

/// The files of a control group.
struct Files {
    limit: &'static str,
    used: &'static str,
    swap: &'static str,
    /// How the line of `memory.stat` begins that counts what is kept of files.
    cached: &'static str,
}

/// The two versions of control groups; the limit on swap of the first one is part of another.
const V2: Files = Files {
    limit: "memory.max",
    used: "memory.current",
    swap: "memory.swap.max",
    cached: "inactive_file ",
};
const V1: Files = Files {
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    swap: "",
    cached: "total_inactive_file ",
};

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
        let write = |file: &str, text: &str| {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let machine = SystemMemory::parse(TEXT).unwrap();
        let inside = |groups: &str| machine.confined(root.path(), groups);
        write("jobs/7/memory.max", "max\n");
        write("jobs/7/memory.swap.max", "0\n");
        write("jobs/memory.max", "1073741824\n");
        write("jobs/memory.current", "173741824\n");
        write(
            "jobs/memory.stat",
            "anon 1\ninactive_file 100000000\nfile 9\n",
        );
        let found = inside("1:name=x:/old\n0::/jobs/7\n");
        assert_eq!((found.total, found.available), (1 << 30, 1_000_000_000));
        assert_eq!(found.swap, 0);

        // The older version, seen from a container that knows its name outside alone.
        write("memory/memory.limit_in_bytes", "536870912\n");
        write("memory/memory.usage_in_bytes", "36870912\n");
        let found = inside("4:cpu,memory:/docker/abc\n0::/\n");
        assert_eq!((found.total, found.available), (512 << 20, 500_000_000));
        assert_eq!(found.swap, machine.swap);
        // Without a group of its own, and in one that is not there.
        for groups in ["", "0::/", "0::/other", "3:cpu:/jobs"] {
            assert_eq!(inside(groups), machine, "{groups}");
        }
    }
}
