//! Initial weights, each a function of the seed and its own name: the same on
//! every device, whatever is built before it.

use burn::{
    module::{Param, ParamId},
    nn::{RmsNorm, RmsNormConfig},
    tensor::{Device, Tensor, TensorData},
};
use miras_random::Stream;

use crate::{InitKind, Precision, precision::Projection};

/// Makes parameters, numbered in the order they are made: the numbers are the
/// identifiers under which the optimiser's state is stored. Layers of another's model are not
/// alone in it, so theirs are unique instead.
pub(crate) struct Init<'a> {
    pub(crate) kind: InitKind,
    pub(crate) precision: Precision,
    seed: u64,
    device: &'a Device,
    /// Parameters so far, if they are numbered.
    made: Option<u64>,
}

impl<'a> Init<'a> {
    pub(crate) fn new(seed: u64, kind: InitKind, device: &'a Device) -> Self {
        Self {
            kind,
            precision: Precision::F32,
            seed,
            device,
            made: Some(0),
        }
    }

    /// With projections that multiply in `precision`.
    pub(crate) fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// Without numbers.
    pub(crate) fn unnumbered(seed: u64, kind: InitKind, device: &'a Device) -> Self {
        Self {
            made: None,
            ..Self::new(seed, kind, device)
        }
    }

    fn next_id(&mut self) -> ParamId {
        match &mut self.made {
            Some(made) => {
                *made += 1;
                ParamId::from(*made)
            }
            None => ParamId::new(),
        }
    }

    pub(crate) fn values<const D: usize>(
        &mut self,
        shape: [usize; D],
        values: Vec<f64>,
    ) -> Param<Tensor<D>> {
        let id = self.next_id();
        let data = TensorData::new(values, shape).convert::<f32>();
        let tensor = Tensor::from_data(data, self.device);
        let tensor = if self.device.is_autodiff() {
            tensor.require_grad()
        } else {
            tensor
        };
        Param::initialized(id, tensor)
    }

    fn draw<const D: usize>(
        &mut self,
        name: &str,
        shape: [usize; D],
        draw: impl Fn(&mut Stream) -> f64,
    ) -> Param<Tensor<D>> {
        let values = self.drawn(name, shape.iter().product(), draw);
        self.values(shape, values)
    }

    /// `count` numbers from the stream of the parameter `name`.
    pub(crate) fn drawn(
        &self,
        name: &str,
        count: usize,
        draw: impl Fn(&mut Stream) -> f64,
    ) -> Vec<f64> {
        let mut stream = Stream::new(self.seed, &format!("init {name}"), &[]);
        (0..count).map(|_| draw(&mut stream)).collect()
    }

    /// Uniform in ±`bound`.
    pub(crate) fn uniform<const D: usize>(
        &mut self,
        name: &str,
        shape: [usize; D],
        bound: f64,
    ) -> Param<Tensor<D>> {
        self.draw(name, shape, |stream| (2.0 * stream.unit() - 1.0) * bound)
    }

    /// Normal with mean 0.
    pub(crate) fn normal<const D: usize>(
        &mut self,
        name: &str,
        shape: [usize; D],
        deviation: f64,
    ) -> Param<Tensor<D>> {
        self.draw(name, shape, |stream| stream.normal() * deviation)
    }

    pub(crate) fn constant<const D: usize>(
        &mut self,
        shape: [usize; D],
        value: f64,
    ) -> Param<Tensor<D>> {
        self.values(shape, vec![value; shape.iter().product()])
    }

    /// A projection without bias, uniform in ±1/√`d_in`.
    pub(crate) fn projection(&mut self, name: &str, d_in: usize, d_out: usize) -> Projection {
        let weight = self.uniform(name, [d_in, d_out], 1.0 / (d_in as f64).sqrt());
        Projection::new(weight, self.precision)
    }

    /// A projection to the keys of several writes, `d_out` features in all, of which the first is
    /// the projection `name`.
    pub(crate) fn projection_of_writes(
        &mut self,
        name: &str,
        d_in: usize,
        [d_out, writes]: [usize; 2],
    ) -> Projection {
        if writes == 1 {
            return self.projection(name, d_in, d_out);
        }
        let bound = 1.0 / (d_in as f64).sqrt();
        let width = d_out / writes;
        let of_writes: Vec<Vec<f64>> = (0..writes)
            .map(|write| {
                let name = match write {
                    0 => name.to_owned(),
                    _ => format!("{name}.{write}"),
                };
                self.drawn(&name, d_in * width, |stream| {
                    (2.0 * stream.unit() - 1.0) * bound
                })
            })
            .collect();
        let rows = (0..d_in).flat_map(|row| {
            (of_writes.iter()).flat_map(move |values| &values[row * width..(row + 1) * width])
        });
        let values = rows.copied().collect();
        let weight = self.values([d_in, d_out], values);
        Projection::new(weight, self.precision)
    }

    /// The projection `name` of `heads` heads, of which the first of every group of
    /// `heads / kept` is kept.
    pub(crate) fn projection_of_groups(
        &mut self,
        name: &str,
        d_in: usize,
        [heads, kept]: [usize; 2],
        width: usize,
    ) -> Projection {
        let bound = 1.0 / (d_in as f64).sqrt();
        let all = self.drawn(name, d_in * heads * width, |stream| {
            (2.0 * stream.unit() - 1.0) * bound
        });
        let group = heads / kept * width;
        let kept_values = all.chunks(group).flat_map(|heads| &heads[..width]).copied();
        let weight = self.values([d_in, kept * width], kept_values.collect());
        Projection::new(weight, self.precision)
    }

    pub(crate) fn rms_norm(&mut self, d: usize) -> RmsNorm {
        let mut norm = RmsNormConfig::new(d).init(self.device);
        norm.gamma = self.constant([d], 1.0);
        norm
    }

    /// `count` learned tokens of width `d`; none for 0.
    pub(crate) fn persistent(
        &mut self,
        layer: &str,
        count: usize,
        d: usize,
    ) -> Option<Param<Tensor<2>>> {
        (count > 0).then(|| self.normal(&format!("{layer}.persistent"), [count, d], 0.02))
    }

    pub(crate) fn optional_norm(&mut self, is_there: bool, d: usize) -> Option<RmsNorm> {
        is_there.then(|| self.rms_norm(d))
    }
}

impl Init<'_> {
    /// Names for query and key projections: one name, hence equal weights, under
    /// the recall initialisation.
    pub(crate) fn query_and_key(&self, layer: &str) -> [String; 2] {
        let query = format!("{layer}.q");
        match self.kind {
            InitKind::Recall => [query.clone(), query],
            InitKind::Standard => [query, format!("{layer}.k")],
        }
    }
}
