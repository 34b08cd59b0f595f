/// What to measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BenchRequest {
    /// One mixer alone rather than the whole model.
    pub layer: bool,
    /// Sequences a pass, 1 or more.
    pub batch: usize,
    /// Tokens a sequence, 1 or more.
    pub seq: usize,
    /// How often each pass is timed, 1 or more.
    pub repeats: usize,
    /// Whether the kernels of a step are counted as well, for devices that launch some.
    pub launches: bool,
    /// The device's name.
    pub device: String,
}
