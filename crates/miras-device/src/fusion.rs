//! Kernel fusion, on or off for a whole process.

use std::sync::OnceLock;

use burn::BurnConfig;
use cubecl_environment::config::RuntimeConfig;

use crate::DeviceError;

/// What the process has decided on.
static FUSES: OnceLock<bool> = OnceLock::new();

/// Decides whether operations are fused into kernels, in programs built with the feature
/// `fusion`; in others nothing is.
///
/// # Errors
/// If this process has already decided otherwise, or has used a device before it decided
/// against fusion: burn reads its configuration once.
pub fn set_fusion(on: bool) -> Result<(), DeviceError> {
    if !cfg!(feature = "fusion") {
        return Ok(());
    }
    let decided = *FUSES.get_or_init(|| on || !switch_off());
    if decided == on {
        Ok(())
    } else {
        Err(DeviceError::Fusion { on: decided })
    }
}

/// Whether it could be: without explorations no fused kernel is ever found.
fn switch_off() -> bool {
    let text = "[fusion.beam_search]\nmax_explorations = 0";
    toml::from_str::<BurnConfig>(text).is_ok_and(BurnConfig::try_set)
}
