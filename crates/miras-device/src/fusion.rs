//! Kernel fusion, off by a switch.

use burn::BurnConfig;
use cubecl_environment::config::RuntimeConfig;

/// Runs every operation as it stands, in programs built with the feature `fusion`.
///
/// To be called before the first device is opened; false if it is too late.
/// Without the feature there is nothing to switch off.
pub fn without_fusion() -> bool {
    if !cfg!(feature = "fusion") {
        return true;
    }
    // Without explorations no fused kernel is ever found.
    let text = "[fusion.beam_search]\nmax_explorations = 0";
    toml::from_str::<BurnConfig>(text).is_ok_and(BurnConfig::try_set)
}
