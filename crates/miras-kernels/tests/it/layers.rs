//! The operations of layers on one thread and on several.

use miras_kernels::{
    Attention, Convolution, CrossEntropy, Gate, Operation, RmsNorm, Rotation, UnitRows,
};
use miras_random::Stream;
use rayon::ThreadPoolBuilder;

fn numbers(len: usize, seed: usize) -> Vec<f32> {
    let mut stream = Stream::new(seed as u64, "layers", &[]);
    (0..len).map(|_| stream.normal() as f32).collect()
}

/// Results and gradients, bit for bit whatever the number of threads.
fn check<const N: usize>(operation: &impl Operation<N>, lengths: [usize; N]) {
    let mut seed = 0;
    let inputs = lengths.map(|len| {
        seed += 1;
        numbers(len, seed)
    });
    let inputs = inputs.each_ref().map(|x| &x[..]);
    let [one, several] = [1, 3].map(|threads| {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(|| {
            let (y, kept) = operation.forward(inputs, true);
            let gradients = operation.backward(inputs, &kept, &numbers(y.len(), 0));
            let lengths_of_gradients = gradients.each_ref().map(Vec::len);
            assert_eq!(lengths_of_gradients, lengths, "{operation:?}");
            assert_eq!(y, operation.forward(inputs, false).0, "{operation:?}");
            [vec![y], gradients.into()].concat().concat()
        })
    });
    let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&one), bits(&several), "{operation:?}");
    assert!(one.iter().all(|x| x.is_finite()), "{operation:?}");
}

#[test]
fn layers_do_not_depend_on_the_number_of_threads() {
    let (rows, tokens, width) = (3, 190, 100);
    let len = rows * tokens * width;
    check(&Gate::Silu, [len, len]);
    check(&Gate::Sigmoid, [len, len]);
    check(&RmsNorm { epsilon: 1e-5 }, [len, width]);
    let epsilon = 1e-6;
    check(&UnitRows { width, epsilon }, [len]);
    let convolution = Convolution {
        rows,
        width,
        silu: true,
    };
    check(&convolution, [len, rows * 3 * width, 4 * width]);
    let targets = (0..rows * tokens).map(|at| at * at % width).collect();
    check(&CrossEntropy { targets }, [len]);
    let rotation = Rotation {
        cosines: numbers(tokens * 10, 1),
        sines: numbers(tokens * 10, 2),
        heads: 5,
        width: 20,
    };
    check(&rotation, [len]);
    let attention = Attention {
        rows,
        tokens,
        earlier: 0,
        heads: 4,
        groups: 2,
        scale: 0.2,
    };
    check(&attention, [len, len / 2, len / 2]);
    let keys = rows * (tokens + 70) * width / 2;
    let earlier = 70;
    check(
        &Attention {
            earlier,
            ..attention
        },
        [len, keys, keys],
    );
}

/// Scores far apart, of which every power but one is 0.
#[test]
fn attention_to_the_largest_of_scores_is_its_value() {
    let attention = Attention {
        rows: 1,
        tokens: 130,
        earlier: 0,
        heads: 1,
        groups: 1,
        scale: 1.0,
    };
    let ones = vec![1000.0; 130];
    let keys: Vec<f32> = (0..130).map(|at| (at % 100) as f32).collect();
    let (y, kept) = attention.forward([&ones, &keys, &keys], true);
    let largest = keys.iter().scan(0.0_f32, |most, key| {
        *most = most.max(*key);
        Some(*most)
    });
    assert_eq!(y, largest.collect::<Vec<_>>());
    let gradients = attention.backward([&ones, &keys, &keys], &kept, &ones);
    assert!(gradients.iter().flatten().all(|x| x.is_finite()));
}
