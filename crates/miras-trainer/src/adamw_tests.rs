use burn::tensor::TensorData;
use miras_random::Stream;

use super::*;

fn random(stream: &mut Stream, dims: [usize; 2]) -> Tensor<2> {
    let numbers: Vec<f32> = (0..dims[0] * dims[1])
        .map(|_| stream.normal() as f32)
        .collect();
    Tensor::from_data(TensorData::new(numbers, dims), &Device::flex())
}

fn numbers(x: &Tensor<2>) -> Vec<f32> {
    x.to_data().try_into_vec().unwrap()
}

#[test]
fn one_pass_is_burns_steps() {
    let config = OptimConfig::default();
    for (dims, decay) in [([3, 7], 0.0), ([300, 70], 0.1)] {
        let rule = AdamW::new(&config, decay);
        let mut stream = Stream::new(7, "adamw", &[]);
        let start = random(&mut stream, dims);
        let mut ours = (start.clone(), None);
        let mut burns = (start, None);
        for step in 0..20 {
            // A view, and gradients far apart in size.
            let gradient = random(&mut stream, [dims[1], dims[0]]).transpose();
            let gradient = gradient.mul_scalar(10_f64.powi(4 - step));
            ours = rule.step(0.01, ours.0, gradient.clone(), ours.1);
            burns = rule.plain.step(0.01, burns.0, gradient, burns.1);
        }
        let moments = |state: &Option<AdamWState<2>>| {
            let of = &state.as_ref().unwrap().momentum;
            assert_eq!(of.time, 20);
            [numbers(&of.moment_1), numbers(&of.moment_2)].concat()
        };
        let found = [numbers(&ours.0), moments(&ours.1)].concat();
        let expected = [numbers(&burns.0), moments(&burns.1)].concat();
        for (found, expected) in found.iter().zip(expected) {
            let gap = (found - expected).abs();
            assert!(gap <= 1e-6 * expected.abs().max(1e-3), "{found} {expected}");
        }
    }
}

#[test]
fn what_else_holds_a_tensor_keeps_its_numbers() {
    let rule = AdamW::new(&OptimConfig::default(), 0.1);
    let mut stream = Stream::new(7, "adamw", &[]);
    let [weights, gradient] = [(); 2].map(|()| random(&mut stream, [5, 5]));
    let before = numbers(&weights);
    let (after, state) = rule.step(0.1, weights.clone(), gradient.clone(), None);
    let first = state.clone().unwrap().momentum.moment_1;
    let kept = numbers(&first);
    let (later, _) = rule.step(0.1, after.clone(), gradient, state);
    assert_eq!(numbers(&weights), before);
    assert_eq!(numbers(&first), kept);
    assert_ne!(numbers(&after), before);
    assert_ne!(numbers(&later), numbers(&after));
}
