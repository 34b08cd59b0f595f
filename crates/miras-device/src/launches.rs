//! How many kernels a device is given.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[cfg(any(feature = "wgpu", feature = "cuda"))]
use burn::cubecl::logging::{LaunchObservation, LaunchObserver};

use crate::DeviceError;
use crate::names::{GPUS, has_kernels_to_launch};

/// Counts the kernels that this process launches, from [`start`](Self::start) until it is dropped.
///
/// One at a time: a second counter takes the launches of the first.
#[must_use = "it counts until it is dropped"]
pub struct LaunchCounter {
    count: Arc<Count>,
    #[cfg(any(feature = "wgpu", feature = "cuda"))]
    _watching: LaunchObservation,
}

#[derive(Default)]
struct Count(AtomicU64);

/// Called on the thread that launches, before the kernel is submitted.
#[cfg(any(feature = "wgpu", feature = "cuda"))]
impl LaunchObserver for Count {
    fn launched(&self, _: &'static str) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl LaunchCounter {
    /// Begins to count what the device of this name is given.
    ///
    /// # Errors
    /// If there is no such device, or its work is not launched kernel by kernel, as on `cpu` and `tch`.
    pub fn start(name: &str) -> Result<Self, DeviceError> {
        if !has_kernels_to_launch(name)? {
            return Err(DeviceError::NoLaunches {
                name: name.to_owned(),
                counted: GPUS,
            });
        }
        let count = Arc::<Count>::default();
        Ok(Self {
            #[cfg(any(feature = "wgpu", feature = "cuda"))]
            _watching: LaunchObservation::new(count.clone()),
            count,
        })
    }

    /// The launches since the start, or since the last call.
    ///
    /// What a device has not been given yet is not in it: read a result back, or wait for the
    /// device, before.
    pub fn take(&self) -> u64 {
        self.count.0.swap(0, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cpu_has_no_launches_and_the_message_says_who_has() {
        let error = LaunchCounter::start("cpu").err().map(|e| e.to_string());
        let expected = "the device `cpu` launches no kernels that could be counted: \
                        `cuda` and `wgpu` do, in a program that is built with that feature";
        assert_eq!(error.as_deref(), Some(expected));
    }
}
