use burn::tensor::{Device, TensorData};

use super::*;

fn tensor(from: f32, shape: [usize; 4]) -> Tensor<4> {
    let count = shape.iter().product::<usize>();
    let values: Vec<f32> = (0..count).map(|i| (from + i as f32 * 0.7).sin()).collect();
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

/// `⟨g, z W_t⟩ = ⟨g W_tᵀ, z⟩` for every row: the two maps are each other's transpose.
#[test]
fn the_transposed_map_is_the_transpose() {
    let (n, g, c, d_in, d_out) = (2, 3, 4, 5, 6);
    let initial = Initial {
        maps: vec![tensor(0.1, [1, g, d_in, d_out])],
        gains: Vec::new(),
    };
    let starts = [MapState {
        weights: tensor(0.2, [n, g, d_in, d_out]),
        slots: vec![tensor(0.3, [n, g, d_in, d_out])],
    }];
    let writes = [Factor {
        x: tensor(0.4, [n, g, c, d_in]),
        d: tensor(0.5, [n, g, c, d_out]),
    }];
    let rows = Rows {
        carry: tensor(0.6, [n, g, c, 1]),
        slots: vec![tensor(0.7, [n, g, c, 1])],
        writes: tensor(0.8, [n, g, c, c]),
    };
    for (anchored, scaled) in [(false, false), (true, false), (false, true), (true, true)] {
        let maps = DualMaps {
            initial: &initial,
            anchors: anchored.then(|| initial.maps.clone()),
            scales: scaled.then(|| vec![tensor(1.1, [n, g, 1, 1])]),
            starts: &starts,
            writes: &writes,
            rows: &rows,
        };
        let (z, dual) = (tensor(0.9, [n, g, c, d_in]), tensor(1.0, [n, g, c, d_out]));
        let forward = (maps.apply(0, z.clone()) * dual.clone()).sum_dim(3);
        let backward = (maps.apply_transposed(0, dual) * z).sum_dim(3);
        let gap = (forward - backward).abs().max().into_scalar::<f32>();
        assert!(gap < 1e-4, "anchored {anchored}, scaled {scaled}: {gap}");
    }
}
