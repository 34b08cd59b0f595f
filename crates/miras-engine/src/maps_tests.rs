use burn::tensor::{Device, TensorData};

use super::*;

fn tensor(from: f32, shape: [usize; 4]) -> Tensor<4> {
    let count = shape.iter().product::<usize>();
    let values: Vec<f32> = (0..count).map(|i| (from + i as f32 * 0.7).sin()).collect();
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

/// `⟨g, z W_t⟩ = ⟨g W_tᵀ, z⟩` for every row: the two maps are each other's transpose. And a map
/// that is written out is the one that is not.
#[test]
fn the_transposed_map_is_the_transpose_and_written_out_it_is_the_same() {
    let (n, g, c, r, d_in, d_out) = (2, 3, 4, 2, 5, 6);
    let start = MapState {
        weights: tensor(0.2, [n, g, d_in, d_out]),
        slots: vec![tensor(0.3, [n, g, d_in, d_out])],
    };
    let write = Factor {
        x: tensor(0.4, [n, g, c * r, d_in]),
        d: tensor(0.5, [n, g, c * r, d_out]),
    };
    let rows = Rows {
        carry: tensor(0.6, [n, g, c, 1]),
        slots: vec![tensor(0.7, [n, g, c, 1])],
        writes: WriteWeights::Numbers(tensor(0.8, [n, g, c, c])),
    };
    let gap = |a: Tensor<4>, b: Tensor<4>| (a - b).abs().max().into_scalar::<f32>();
    for (anchored, scaled) in [(false, false), (true, false), (false, true), (true, true)] {
        let dual = DualMap {
            start: &start,
            anchor: anchored.then(|| tensor(0.1, [1, g, d_in, d_out])),
            scale: scaled.then(|| tensor(1.1, [n, g, 1, 1])),
            write: &write,
            rows: &rows,
        };
        let weights = dual.states();
        let (z, h) = (
            tensor(0.9, [n, g, c * r, d_in]),
            tensor(1.0, [n, g, c * r, d_out]),
        );
        let there = dual.apply(z.clone());
        let back = dual.apply_transposed(h.clone());
        let forward = (there.clone() * h.clone()).sum_dim(3);
        let backward = (back.clone() * z.clone()).sum_dim(3);
        let written = through_each(z, weights.clone());
        let written_back = through_each(h, weights.transpose());
        for gap in [
            gap(forward, backward),
            gap(there, written),
            gap(back, written_back),
        ] {
            assert!(gap < 1e-4, "anchored {anchored}, scaled {scaled}: {gap}");
        }
    }
}
