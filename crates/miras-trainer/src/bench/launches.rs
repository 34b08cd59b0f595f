//! How many kernels a pass and a training step launch.

use miras_device::LaunchCounter;

use super::passes::Passes;
use crate::TrainError;

/// Kernels that were launched: a property of the work, not of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Launches {
    /// By a forward pass without gradients.
    pub forward: u64,
    /// By forward and backward, with all that is read off the gradients.
    pub both: u64,
    /// By the optimiser's update; none of a mixer alone, which has no optimiser.
    pub update: Option<u64>,
}

impl Launches {
    /// Counts one pass of each kind, which have been made before.
    pub(super) fn of(passes: &mut Passes, counter: &LaunchCounter) -> Result<Self, TrainError> {
        // The first update makes the optimiser's moments.
        passes.step(|| ())?;
        counter.take();
        passes.forward()?;
        let forward = counter.take();
        let mut both = 0;
        let updates = passes.step(|| both = counter.take())?;
        let update = counter.take();
        Ok(Self {
            forward,
            both,
            update: updates.then_some(update),
        })
    }
}
