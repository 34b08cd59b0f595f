//! The devices of this machine: their names, what they can do, and how they are opened.
//!
//! A device is chosen at run time by its [name](open); which ones a program knows is decided by
//! cargo features when it is built. Everything else in the project takes a burn
//! [`Device`](burn::tensor::Device) and does not ask which.

mod describe;
mod fusion;
mod launches;
mod names;
mod system_memory;

pub use describe::{Described, describe};
pub use fusion::set_fusion;
pub use launches::LaunchCounter;
pub use names::{
    DeviceError, DeviceInfo, KNOWN, check, compiled, for_tests, has_kernels, is_cpu,
    name_for_tests, open,
};
pub use system_memory::{SystemMemory, gib};

/// The version of burn that this is built with, as `Cargo.lock` has it.
pub const BURN: &str = env!("MIRAS_BURN_VERSION");
