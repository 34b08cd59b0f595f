//! The norm of a gradient: the same bits for any number of threads, and finite wherever the
//! gradient is.

use burn::tensor::Tensor;
use miras_engine::kernel::{self, has_kernels};
use miras_kernels::sum_of_squares;
use miras_model::Parameter;
use miras_spec::read::{Numbers, PIECE, ReadBack, Slot};

use crate::TrainError;

/// Below this sum of squares, squares may have been rounded to 0.
const TINY: f64 = 1e-30;
/// The largest number whose square is a float32.
const LARGEST_ROOT: f64 = 1.8e19;

/// The norm of a whole gradient.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Norm {
    /// Infinite or NaN only where the gradient is.
    pub(crate) value: f64,
    /// The parameter nearest to the loss whose gradient is not finite.
    pub(crate) nonfinite: Option<String>,
    /// The largest entry, and its parameter, where its square is larger than a float32.
    pub(crate) huge: Option<Huge>,
}

/// An entry of a gradient whose square is larger than a float32.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Huge {
    /// Its absolute value.
    pub(crate) value: f64,
    /// Its parameter.
    pub(crate) name: String,
}

impl Huge {
    /// Whether its square is still too large after the gradient was multiplied with `factor`.
    pub(crate) fn overflows_at(&self, factor: f64) -> bool {
        self.value * factor > LARGEST_ROOT
    }
}

/// The squares of a gradient on their way from the device.
pub(crate) struct Squares(Vec<Slot>);

impl Squares {
    /// Puts the squares of all gradients among the numbers to read.
    pub(crate) fn of(gradients: &[Parameter], numbers: &mut ReadBack) -> Self {
        let squares = gradients.iter().map(|one| squares(one.values.clone()));
        Self(squares.map(|squares| numbers.add(squares)).collect())
    }

    /// The norm. Squares that are too large or too small for float32 are taken again from
    /// scaled gradients, which reads from the device twice more.
    pub(crate) fn norm(
        self,
        numbers: &Numbers,
        gradients: &[Parameter],
    ) -> Result<Norm, TrainError> {
        let sum = numbers.sum(&self.0);
        if sum.is_finite() && sum > TINY {
            return Ok(Norm {
                value: sum.sqrt(),
                nonfinite: None,
                huge: None,
            });
        }
        scaled_norm(gradients, sum)
    }
}

fn scaled_norm(gradients: &[Parameter], plain: f64) -> Result<Norm, TrainError> {
    let mut back = ReadBack::default();
    // 0 times NaN or infinity is NaN.
    let slots: Vec<(Slot, Slot)> = (gradients.iter())
        .map(|one| {
            let probe = one.values.clone().mul_scalar(0.0).sum();
            (back.add(probe), back.add(one.values.clone().abs().max()))
        })
        .collect();
    let numbers = back.read()?;
    // The backward pass comes from the last parameter to the first.
    let nonfinite = slots
        .iter()
        .rposition(|(probe, _)| !is_finite(&numbers, probe));
    if let Some(at) = nonfinite {
        return Ok(Norm {
            // A sum of finite squares may have overflown as well.
            value: if plain.is_finite() {
                f64::NAN
            } else {
                plain.sqrt()
            },
            nonfinite: Some(gradients[at].name.clone()),
            huge: None,
        });
    }
    let largest = (slots.iter().zip(gradients))
        .map(|((_, largest), one)| (f64::from(numbers.of(largest)[0]), one))
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    let Some((largest, of)) = largest.filter(|(largest, _)| *largest > 0.0) else {
        return Ok(Norm {
            value: 0.0,
            nonfinite: None,
            huge: None,
        });
    };
    // A power of two scales without rounding; its limits are those of float32.
    let scale = largest.log2().floor().clamp(-126.0, 126.0).exp2();
    let mut back = ReadBack::default();
    let slots: Vec<Slot> = (gradients.iter())
        .map(|one| back.add(squares(one.values.clone().mul_scalar(scale.recip()))))
        .collect();
    Ok(Norm {
        value: back.read()?.sum(&slots).sqrt() * scale,
        nonfinite: None,
        huge: (largest > LARGEST_ROOT).then(|| Huge {
            value: largest,
            name: of.name.clone(),
        }),
    })
}

fn is_finite(numbers: &Numbers, slot: &Slot) -> bool {
    numbers.of(slot).iter().all(|value| value.is_finite())
}

/// The sum of the squares of a tensor, or sums that add up to it, one for each [`PIECE`].
fn squares(values: Tensor<1>) -> Tensor<1> {
    if has_kernels(&values) {
        let device = values.device();
        return Tensor::from_floats([kernel::read(values, sum_of_squares)], &device);
    }
    let len = values.dims()[0];
    let of = |values: Tensor<1>| values.square().sum();
    if len <= PIECE {
        return of(values);
    }
    let pieces = (0..len).step_by(PIECE);
    let sums = pieces.map(|start| of(values.clone().narrow(0, start, PIECE.min(len - start))));
    Tensor::cat(sums.collect(), 0)
}

#[cfg(test)]
mod tests {
    use burn::module::ParamId;
    use burn::tensor::{Device, TensorData};

    use super::*;

    fn gradient(name: &str, values: Vec<f32>) -> Parameter {
        let shape = vec![values.len()];
        let data = TensorData::new(values, shape.clone());
        Parameter {
            name: name.to_owned(),
            id: ParamId::new(),
            shape,
            values: Tensor::from_data(data, &Device::flex()),
        }
    }

    fn norm(gradients: &[Parameter]) -> Norm {
        let mut numbers = ReadBack::default();
        let squares = Squares::of(gradients, &mut numbers);
        squares.norm(&numbers.read().unwrap(), gradients).unwrap()
    }

    /// Values, their norm, and the largest entry if its square overflows.
    type Case<'a> = (&'a [&'a [f32]], f64, Option<(f64, &'a str)>);

    #[test]
    fn it_is_finite_wherever_the_gradient_is() {
        let table: [Case<'_>; 8] = [
            (&[&[3.0], &[4.0]], 5.0, None),
            (&[&[3e20, 0.0], &[4e20]], 5e20, Some((4e20, "b"))),
            (&[&[3e20], &[4e-20]], 3e20, Some((3e20, "a"))),
            // No square of its own overflows, but their sum does.
            (&[&[1.5e19; 4], &[0.0]], 3e19, None),
            (
                &[&[f32::MAX], &[1.0]],
                f64::from(f32::MAX),
                Some((f64::from(f32::MAX), "a")),
            ),
            (&[&[3e-25], &[4e-25]], 5e-25, None),
            (&[&[3e-42], &[4e-42]], 5e-42, None),
            (&[&[0.0, 0.0], &[0.0]], 0.0, None),
        ];
        for (values, expected, huge) in table {
            let gradients: Vec<_> = (values.iter().zip(["a", "b"]))
                .map(|(values, name)| gradient(name, values.to_vec()))
                .collect();
            let found = norm(&gradients);
            let gap = (found.value - expected).abs();
            assert!(gap <= 1e-3 * expected, "{values:?}: {found:?}");
            assert_eq!(found.nonfinite, None, "{values:?}");
            let largest = found.huge.map(|huge| huge.name);
            assert_eq!(largest.as_deref(), huge.map(|(_, name)| name), "{values:?}");
        }
    }

    #[test]
    fn what_is_not_finite_is_named_from_the_loss_on() {
        for (values, expected) in [
            ([vec![f32::NAN], vec![1.0]], "a"),
            ([vec![1.0], vec![0.0, f32::INFINITY]], "b"),
            ([vec![f32::INFINITY], vec![f32::NEG_INFINITY]], "b"),
            // A finite gradient nearer to the loss whose squares overflow is not the place.
            ([vec![f32::NAN], vec![1e30]], "a"),
        ] {
            let [a, b] = values;
            let found = norm(&[gradient("a", a), gradient("b", b)]);
            assert!(!found.value.is_finite(), "{found:?}");
            assert_eq!(found.nonfinite.as_deref(), Some(expected));
        }
    }

    #[test]
    fn only_what_is_left_after_clipping_overflows() {
        let huge = Huge {
            value: 1e25,
            name: String::new(),
        };
        assert!(huge.overflows_at(1.0) && huge.overflows_at(1e-5));
        assert!(!huge.overflows_at(1e-6));
    }

    #[test]
    fn large_tensors_have_the_same_sum_in_any_number_of_threads() {
        let mut stream = miras_random::Stream::new(7, "norm", &[]);
        let len = (9 << 20) + 5;
        let values: Vec<f32> = (0..len).map(|_| stream.normal() as f32).collect();
        let exact: f64 = values.iter().map(|value| f64::from(*value).powi(2)).sum();
        let gradients = [gradient("a", values)];
        let in_threads = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.unwrap().install(|| norm(&gradients).value)
        };
        let one = in_threads(1);
        // How many float32 sums run side by side, and so how exact they are, is the machine's.
        assert!((one / exact.sqrt() - 1.0).abs() < 1e-5, "{one}");
        for threads in [2, 3, 5] {
            for _ in 0..3 {
                assert_eq!(in_threads(threads).to_bits(), one.to_bits(), "{threads}");
            }
        }
    }
}
