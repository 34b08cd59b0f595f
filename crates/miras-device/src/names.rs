//! Devices by name.

use burn::tensor::Device;
use miras_config::did_you_mean;

/// A device that this program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Its name in `train.device` and `--device`.
    pub name: &'static str,
    /// What it is.
    pub summary: &'static str,
    /// The cargo feature it needs; none for the CPU.
    pub feature: Option<&'static str>,
    /// Whether it is compiled in.
    pub compiled: bool,
    /// What a machine needs for it.
    needs: &'static str,
}

/// All devices, compiled in or not. Beside them there is `auto`: a GPU that is
/// compiled in and present, else the CPU.
pub const KNOWN: &[DeviceInfo] = &[
    DeviceInfo {
        name: "cpu",
        summary: "the CPU, in Rust; always there",
        feature: None,
        compiled: true,
        needs: "nothing",
    },
    DeviceInfo {
        name: "wgpu",
        summary: "the default GPU, through Vulkan, Metal or DirectX 12",
        feature: Some("wgpu"),
        compiled: cfg!(feature = "wgpu"),
        needs: "install a Vulkan driver (mesa-vulkan-drivers has one for every CPU)",
    },
    DeviceInfo {
        name: "cuda",
        summary: "the first NVIDIA GPU",
        feature: Some("cuda"),
        compiled: cfg!(feature = "cuda"),
        needs: "install the NVIDIA driver",
    },
    DeviceInfo {
        name: "tch",
        summary: "the CPU, through LibTorch",
        feature: Some("tch"),
        compiled: cfg!(feature = "tch"),
        needs: "nothing",
    },
    DeviceInfo {
        name: "tch:cuda",
        summary: "the first NVIDIA GPU, through LibTorch",
        feature: Some("tch"),
        compiled: cfg!(feature = "tch"),
        needs: "install the NVIDIA driver and a LibTorch with CUDA",
    },
];

/// The name that stands for the best device there is.
const AUTO: &str = "auto";

/// Why there is no such device.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DeviceError {
    /// No device has this name.
    #[error("unknown device `{name}`, expected one of {}{}", names(), hint(*nearest))]
    Unknown {
        /// The name as given.
        name: String,
        /// The name that was probably meant.
        nearest: Option<&'static str>,
    },
    /// It exists, and this program was built without it.
    #[error(
        "this program was built without the device `{name}`: \
         use `cargo run -p miras-train --features {feature}`, or --device cpu"
    )]
    NotCompiled {
        /// The device.
        name: &'static str,
        /// The cargo feature that brings it.
        feature: &'static str,
    },
    /// Its work is not launched kernel by kernel.
    #[error(
        "the device `{name}` launches no kernels that could be counted: `{}` do, in a program that is built with that feature",
        counted.join("` and `")
    )]
    NoLaunches {
        /// The name as given.
        name: String,
        /// Devices whose launches are counted.
        counted: [&'static str; 2],
    },
    /// Fusion is decided once for a process.
    #[error(
        "this process already computes {} fusion, and burn decides that once: use a process of its own",
        if *on { "with" } else { "without" }
    )]
    Fusion {
        /// Whether it fuses.
        on: bool,
    },
    /// It is compiled in, and this machine has none.
    #[error("this machine has no `{name}` device: {needs}, or use --device cpu")]
    Absent {
        /// The device.
        name: &'static str,
        /// What would have to be there.
        needs: &'static str,
    },
}

/// The devices that are compiled in.
pub fn compiled() -> Vec<DeviceInfo> {
    (KNOWN.iter().copied())
        .filter(|known| known.compiled)
        .collect()
}

/// The device called `name`, without gradients.
///
/// # Errors
/// If there is no such name, or the device is not compiled in or not in this machine.
pub fn open(name: &str) -> Result<Device, DeviceError> {
    let Some(known) = find(name)? else {
        return Ok(best());
    };
    if let (false, Some(feature)) = (known.compiled, known.feature) {
        return Err(DeviceError::NotCompiled {
            name: known.name,
            feature,
        });
    }
    get(known.name).ok_or(DeviceError::Absent {
        name: known.name,
        needs: known.needs,
    })
}

/// The device that tests run on: that of `MIRAS_TEST_DEVICE`, or the CPU.
///
/// # Panics
/// If there is no such device, for a test that passed elsewhere would prove nothing.
pub fn for_tests() -> Device {
    match open(&name_for_tests()) {
        Ok(device) => device,
        Err(error) => panic!("MIRAS_TEST_DEVICE: {error}"),
    }
}

/// The name of [`for_tests`].
pub fn name_for_tests() -> String {
    std::env::var("MIRAS_TEST_DEVICE").unwrap_or_else(|_| "cpu".to_owned())
}

/// Whether `name` is the name of a device, compiled in or not.
///
/// # Errors
/// If it is not.
pub fn check(name: &str) -> Result<(), DeviceError> {
    find(name).map(|_| ())
}

/// Whether the device of this name is sure to compute on the CPU, in the memory of the machine.
pub fn is_cpu(name: &str) -> bool {
    let has_gpu = || compiled().iter().any(|known| GPUS.contains(&known.name));
    name == "cpu" || name == "tch" || name == AUTO && !has_gpu()
}

/// Whether the device of this name is burn's own CPU backend, on which layers and the inner loop have kernels.
pub fn has_kernels(name: &str) -> bool {
    name != "tch" && is_cpu(name)
}

/// Whether the device of this name is there and computes by kernels that are launched one by one.
pub(crate) fn has_kernels_to_launch(name: &str) -> Result<bool, DeviceError> {
    let device = open(name)?;
    Ok(GPUS.into_iter().filter_map(get).any(|gpu| gpu == device))
}

/// None for `auto`.
fn find(name: &str) -> Result<Option<&'static DeviceInfo>, DeviceError> {
    if name == AUTO {
        return Ok(None);
    }
    let known = KNOWN.iter().find(|known| known.name == name);
    known.map(Some).ok_or_else(|| DeviceError::Unknown {
        name: name.to_owned(),
        nearest: did_you_mean(name, all()),
    })
}

/// What `auto` looks for, the best first: GPUs that compute by kernels of `CubeCL`.
pub(crate) const GPUS: [&str; 2] = ["cuda", "wgpu"];

fn best() -> Device {
    GPUS.into_iter().find_map(get).unwrap_or_else(Device::flex)
}

/// None if it is not compiled in or this machine has none.
fn get(name: &str) -> Option<Device> {
    match name {
        "cpu" => Some(Device::flex()),
        #[cfg(feature = "wgpu")]
        "wgpu" => first(burn::tensor::DeviceType::Wgpu, |_| true)
            .map(|_| Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)),
        #[cfg(feature = "cuda")]
        "cuda" => first(burn::tensor::DeviceType::Cuda, |_| true),
        #[cfg(feature = "tch")]
        "tch" => Some(Device::libtorch()),
        #[cfg(feature = "tch")]
        "tch:cuda" => {
            (first(burn::tensor::DeviceType::LibTorch, |device| {
                *device == Device::libtorch_cuda(0)
            }))
        }
        _ => None,
    }
}

#[cfg(any(feature = "wgpu", feature = "cuda", feature = "tch"))]
fn first(kind: burn::tensor::DeviceType, is_it: impl Fn(&Device) -> bool) -> Option<Device> {
    Device::enumerate(kind).into_vec().into_iter().find(is_it)
}

fn all() -> impl Iterator<Item = &'static str> {
    [AUTO]
        .into_iter()
        .chain(KNOWN.iter().map(|known| known.name))
}

fn names() -> String {
    all().collect::<Vec<_>>().join(", ")
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!(": did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_is_always_there_and_auto_finds_something() {
        assert!(open("cpu").is_ok());
        assert!(open("auto").is_ok());
        assert_eq!(compiled()[0].name, "cpu");
    }

    #[test]
    fn what_is_called_the_cpu_is_one() {
        assert!(has_kernels("cpu") && !has_kernels("tch") && !has_kernels("cuda"));
        assert!(is_cpu("cpu") && !is_cpu("cuda") && !is_cpu("tch:cuda"));
        if is_cpu("auto") {
            assert_eq!(open("auto"), open("cpu"));
        }
    }

    #[test]
    fn other_names_say_what_to_do() {
        let unknown = open("cdua").unwrap_err().to_string();
        let expected = "unknown device `cdua`, expected one of auto, cpu, wgpu, cuda, tch, tch:cuda: did you mean `cuda`?";
        assert_eq!(unknown, expected);
        for device in KNOWN.iter().filter(|known| !known.compiled) {
            let error = open(device.name).unwrap_err().to_string();
            let feature = format!("--features {}", device.feature.unwrap());
            assert!(error.contains(&feature), "{error}");
        }
    }
}
