//! What a device says of itself.

use burn::tensor::{DType, Device};

/// What `doctor` shows of an open device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// The part's own name, as its driver gives it.
    pub part: Option<String>,
    /// What its kernels are compiled for.
    pub compiles_for: Option<String>,
    /// The number types it computes in.
    pub dtypes: Vec<&'static str>,
}

/// The number types that matter here, by the names of `train.precision`.
const DTYPES: [(&str, DType); 4] = [
    ("f64", DType::F64),
    ("f32", DType::F32),
    ("bf16", DType::BF16),
    ("f16", DType::F16),
];

/// Asks a device what it is.
pub fn describe(device: &Device) -> Described {
    let (part, compiles_for) = identity(device);
    let supported = DTYPES
        .iter()
        .filter(|(_, dtype)| device.supports_dtype(*dtype));
    Described {
        part,
        compiles_for,
        dtypes: supported.map(|(name, _)| *name).collect(),
    }
}

#[cfg(any(feature = "wgpu", feature = "cuda"))]
fn identity(device: &Device) -> (Option<String>, Option<String>) {
    match device.identity() {
        Some(identity) => (Some(identity.name), Some(identity.fingerprint)),
        None => (None, None),
    }
}

#[cfg(not(any(feature = "wgpu", feature = "cuda")))]
fn identity(_: &Device) -> (Option<String>, Option<String>) {
    (None, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_device_of_tests_computes_in_f32_at_least() {
        let described = describe(&crate::for_tests());
        assert!(described.dtypes.contains(&"f32"), "{described:?}");
    }
}
