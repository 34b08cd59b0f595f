//! What the loss is multiplied with under `train.precision = "f16"`.

use serde::{Deserialize, Serialize};

/// A factor of the loss with which gradients are numbers of float16, whose smallest is 6e-8 and
/// whose largest is 65,504. It is remembered from step to step, and saved with them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct LossScale {
    /// That of the next step.
    scale: f64,
    /// Steps in a row that it fitted.
    fitting: u32,
}

/// Where a run begins, and the most that is tried.
const LARGEST: f64 = 16_384.0;
pub(crate) const SMALLEST: f64 = 1.0;
/// What a scale is divided by when gradients overflow.
const SMALLER: f64 = 16.0;
/// Steps in a row after which a scale that fitted is doubled.
const PATIENCE: u32 = 200;

impl LossScale {
    pub(crate) fn new() -> Self {
        Self {
            scale: LARGEST,
            fitting: 0,
        }
    }

    /// What the first pass of a step uses.
    pub(crate) fn scale(self) -> f64 {
        self.scale
    }

    /// The scale to try after `scale` was too large.
    pub(crate) fn below(scale: f64) -> f64 {
        (scale / SMALLER).max(SMALLEST)
    }

    /// After a step whose gradients fitted with `used`.
    pub(crate) fn after(self, used: f64) -> Self {
        if used < self.scale {
            return Self {
                scale: used,
                fitting: 1,
            };
        }
        match self.fitting + 1 {
            PATIENCE.. if self.scale < LARGEST => Self {
                scale: (self.scale * 2.0).min(LARGEST),
                fitting: 0,
            },
            fitting => Self {
                fitting: fitting.min(PATIENCE),
                ..self
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_falls_at_once_and_rises_slowly_and_never_beyond_its_start() {
        let start = LossScale::new();
        assert_eq!(start.after(LARGEST).scale().to_bits(), LARGEST.to_bits());
        let mut scale = start.after(1024.0);
        assert_eq!(scale.scale().to_bits(), 1024_f64.to_bits());
        for _ in 1..PATIENCE - 1 {
            scale = scale.after(1024.0);
            assert_eq!(scale.scale().to_bits(), 1024_f64.to_bits());
        }
        scale = scale.after(1024.0);
        assert_eq!(
            scale,
            LossScale {
                scale: 2048.0,
                fitting: 0
            }
        );
        for _ in 0..10 * PATIENCE {
            scale = scale.after(scale.scale());
        }
        assert_eq!(scale.scale().to_bits(), LARGEST.to_bits());
    }

    #[test]
    fn every_scale_down_to_the_smallest_is_tried() {
        let tried = std::iter::successors(Some(LARGEST), |scale| {
            (*scale > SMALLEST).then(|| LossScale::below(*scale))
        });
        assert_eq!(
            tried.collect::<Vec<_>>(),
            [16_384.0, 1024.0, 64.0, 4.0, 1.0]
        );
    }
}
