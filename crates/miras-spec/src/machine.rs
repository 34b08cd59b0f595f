//! Whether this machine, and this build, can train a configuration.

use burn::tensor::Device;
use miras_device::{KNOWN, SystemMemory, is_cpu};
use miras_model::Ends;

use crate::estimate::{TrainMemory, embedding_note, estimate};
use crate::{RunConfig, SpecError, TrainConfig};

/// Notes on a configuration before it is trained here: its own [notes](RunConfig::notes), those of
/// its data, and whether the memory of this machine suffices.
pub fn notes_here(config: &RunConfig, ends: Ends, of_data: &[String]) -> Vec<String> {
    let mut notes = config.notes();
    notes.extend_from_slice(of_data);
    notes.extend(embedding_note(config, ends));
    if is_cpu(&config.train.device) {
        notes.extend(memory_note(config, ends));
    }
    notes
}

/// Why this machine or this build cannot train a configuration. None if it can, or if its device
/// is a GPU, which would have to be opened for an answer.
pub fn unfit(config: &RunConfig, ends: Ends) -> Option<SpecError> {
    let name = &config.train.device;
    let is_absent = (KNOWN.iter()).any(|known| known.name == name && !known.compiled);
    if !is_cpu(name) && !is_absent {
        return None;
    }
    let check = || {
        check_fusion(&config.train)?;
        let device = miras_device::open(name)?;
        check_precision(&config.train, &device)?;
        check_verify(&config.train, &device)?;
        check_memory(config, ends, &device)
    };
    check().err()
}

/// The device of a configuration, if it can do what is asked of it.
pub fn open_device(train: &TrainConfig) -> Result<Device, SpecError> {
    check_fusion(train)?;
    miras_device::set_fusion(train.fusion)?;
    let device = miras_device::open(&train.device)?;
    check_precision(train, &device)?;
    Ok(device)
}

/// Refuses `train.fusion = false` in a build that fuses nothing.
fn check_fusion(train: &TrainConfig) -> Result<(), SpecError> {
    if !train.fusion && !cfg!(feature = "fusion") {
        return Err(SpecError::NoFusion);
    }
    Ok(())
}

/// Refuses a precision that the device does not compute in.
fn check_precision(train: &TrainConfig, device: &Device) -> Result<(), SpecError> {
    let precision = train.precision;
    if !device.supports_dtype(precision.dtype()) {
        return Err(SpecError::Precision {
            precision: precision.name(),
            device: train.device.clone(),
            has: miras_device::describe(device).dtypes.join(", "),
        });
    }
    Ok(())
}

/// Refuses `train.verify_device` on the CPU, which would be compared with itself.
pub fn check_verify(train: &TrainConfig, device: &Device) -> Result<(), SpecError> {
    if train.verify_device > 0 && *device == Device::flex() {
        return Err(SpecError::VerifiesItself {
            device: train.device.clone(),
        });
    }
    Ok(())
}

/// Refuses, before anything is built, a model whose parameters, gradients and optimiser do not fit
/// into the memory of the machine, or whose training is estimated far beyond it.
pub fn check_memory(config: &RunConfig, ends: Ends, device: &Device) -> Result<(), SpecError> {
    require_memory(config, ends, device, certain(estimate(config, ends).train))
}

/// Bytes that training takes even if its activations are far fewer than estimated.
fn certain(takes: TrainMemory) -> u64 {
    takes.fixed().max(takes.peak() / 2)
}

/// Refuses if these bytes of a model do not fit into the memory of the machine. The memory of a
/// GPU is not known.
pub fn require_memory(
    config: &RunConfig,
    ends: Ends,
    device: &Device,
    bytes: u64,
) -> Result<(), SpecError> {
    let is_here = *device == Device::flex();
    match SystemMemory::read().filter(|memory| is_here && memory.is_beyond(bytes)) {
        Some(memory) => Err(too_large(config, ends, bytes, memory)),
        None => Ok(()),
    }
}

fn too_large(config: &RunConfig, ends: Ends, bytes: u64, memory: SystemMemory) -> SpecError {
    SpecError::TooLarge {
        parameters: estimate(config, ends).parameters,
        bytes,
        has: memory.total + memory.swap,
    }
}

/// A note if training on the CPU is estimated not to fit into memory.
fn memory_note(config: &RunConfig, ends: Ends) -> Option<String> {
    let memory = SystemMemory::read()?;
    let takes = estimate(config, ends).train;
    if memory.is_beyond(certain(takes)) {
        return Some(too_large(config, ends, certain(takes), memory).to_string());
    }
    memory.warning(takes.peak())
}
