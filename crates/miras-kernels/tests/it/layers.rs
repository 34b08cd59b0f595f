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
    check(
        &Attention::causal(rows, tokens, 4, 2, 0.2),
        [len, len / 2, len / 2],
    );
    for attention in attentions() {
        check(&attention, lengths(&attention));
    }
}

/// Features of a head in [`attentions`].
const WIDTH: usize = 5;

/// Every kind of what is seen, with blocks of 64 that are full and that are not.
fn attentions() -> Vec<Attention> {
    let mut all = Vec::new();
    for (tokens, earlier) in [(1, 0), (64, 0), (130, 0), (1, 100), (70, 37)] {
        for window in [
            None,
            Some(1),
            Some(10),
            Some(63),
            Some(64),
            Some(90),
            Some(1000),
        ] {
            for (prefix, per_token) in [(0, 1), (3, 1), (65, 1), (0, 2), (3, 2)] {
                all.push(Attention {
                    earlier,
                    prefix,
                    per_token,
                    window,
                    ..Attention::causal(2, tokens, 4, 2, 0.7)
                });
            }
        }
    }
    all
}

/// Of queries, keys and values.
fn lengths(attention: &Attention) -> [usize; 3] {
    let Attention {
        rows,
        tokens,
        heads,
        groups,
        ..
    } = *attention;
    let keys = rows * attention.keys() * groups * WIDTH;
    [rows * tokens * heads * WIDTH, keys, keys]
}

fn inputs(attention: &Attention) -> [Vec<f32>; 3] {
    let [q, k, v] = lengths(attention);
    [numbers(q, 1), numbers(k, 2), numbers(v, 3)]
}

fn sees(attention: &Attention, query: usize, key: usize) -> bool {
    let at = attention.earlier + query;
    key < attention.prefix || {
        let of = (key - attention.prefix) / attention.per_token;
        of <= at && attention.window.is_none_or(|window| at - of < window)
    }
}

/// Results and gradients at queries, keys and values, in float64, query by query.
fn dense(attention: &Attention, [q, k, v]: [&[f32]; 3], of: &[f32]) -> [Vec<f64>; 4] {
    let Attention {
        rows,
        tokens,
        heads,
        groups,
        ..
    } = *attention;
    let keys = attention.keys();
    let row = |x: &[f32], at: usize| -> Vec<f64> {
        let x = &x[at * WIDTH..][..WIDTH];
        x.iter().copied().map(f64::from).collect()
    };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let add = |out: &mut [f64], at: usize, by: f64, x: &[f64]| {
        let out = &mut out[at * WIDTH..][..WIDTH];
        out.iter_mut().zip(x).for_each(|(out, x)| *out += by * x);
    };
    let mut out = [q.len(), q.len(), k.len(), v.len()].map(|len| vec![0.0; len]);
    let scale = f64::from(attention.scale);
    for at in 0..rows * tokens * heads {
        let (row_at, token, head) = (at / (tokens * heads), at / heads % tokens, at % heads);
        let (q, of) = (row(q, at), row(of, at));
        let seen: Vec<_> = (0..keys)
            .filter(|key| sees(attention, token, *key))
            .map(|key| (row_at * keys + key) * groups + head * groups / heads)
            .map(|at| (at, row(k, at), row(v, at)))
            .collect();
        let scores: Vec<f64> = seen.iter().map(|(_, k, _)| scale * dot(&q, k)).collect();
        let most = scores.iter().copied().fold(f64::MIN, f64::max);
        let sum: f64 = scores.iter().map(|score| (score - most).exp()).sum();
        let shares = scores.iter().map(|score| (score - most).exp() / sum);
        let shares: Vec<f64> = shares.collect();
        let pulls: Vec<f64> = seen.iter().map(|(_, _, v)| dot(&of, v)).collect();
        let along = dot(&shares, &pulls);
        for (((key, k, v), share), pull) in seen.iter().zip(&shares).zip(&pulls) {
            let slope = scale * share * (pull - along);
            add(&mut out[0], at, *share, v);
            add(&mut out[1], at, slope, k);
            add(&mut out[2], *key, slope, &q);
            add(&mut out[3], *key, *share, &of);
        }
    }
    out
}

#[test]
fn attention_is_a_softmax_over_what_is_seen() {
    for attention in attentions() {
        let inputs = inputs(&attention);
        let inputs = inputs.each_ref().map(|x| &x[..]);
        let of = numbers(inputs[0].len(), 0);
        let (y, kept) = attention.forward(inputs, true);
        let [at_q, at_k, at_v] = attention.backward(inputs, &kept, &of);
        let wanted = dense(&attention, inputs, &of);
        for (at, (got, wanted)) in [y, at_q, at_k, at_v].iter().zip(&wanted).enumerate() {
            let largest = wanted.iter().fold(1.0, |most: f64, x| most.max(x.abs()));
            for (got, wanted) in got.iter().zip(wanted) {
                let error = (f64::from(*got) - wanted).abs();
                assert!(
                    error < 1e-5 * largest,
                    "{attention:?}, array {at}: {got} {wanted}"
                );
            }
        }
    }
}

/// Not even where they are large.
#[test]
fn keys_that_are_not_seen_do_nothing() {
    for attention in attentions() {
        let Attention {
            rows,
            tokens,
            heads,
            groups,
            ..
        } = attention;
        let [q, k, v] = inputs(&attention);
        let token = heads * WIDTH;
        let query = tokens * 3 / 5;
        let is_seen = |at: usize| {
            let key = at / (groups * WIDTH) % attention.keys();
            sees(&attention, query, key)
        };
        let of_query = |at: usize| at / token % tokens == query;
        let other = |x: &[f32]| -> Vec<f32> {
            let x = x.iter().enumerate();
            x.map(|(at, x)| if is_seen(at) { *x } else { 100.0 * x })
                .collect()
        };
        let of: Vec<f32> = (0..rows * tokens * token)
            .map(|at| f32::from(of_query(at)))
            .collect();
        let [plain, changed] = [[&k, &v], [&other(&k), &other(&v)]].map(|[k, v]| {
            let inputs = [&q[..], k, v];
            let (y, kept) = attention.forward(inputs, true);
            let [at_q, at_k, at_v] = attention.backward(inputs, &kept, &of);
            for (at, (k, v)) in at_k.iter().zip(&at_v).enumerate() {
                let is_zero = k.abs().max(v.abs()) <= 0.0;
                assert!(is_seen(at) || is_zero, "{attention:?}, {at}: {k}, {v}");
            }
            let y = y.into_iter().enumerate().filter(|(at, _)| of_query(*at));
            (y.collect::<Vec<_>>(), at_q, at_k, at_v)
        });
        assert_eq!(plain, changed, "{attention:?}");
    }
}

/// Scores far apart, of which every power but one is 0.
#[test]
fn attention_to_the_largest_of_scores_is_its_value() {
    let attention = Attention::causal(1, 130, 1, 1, 1.0);
    let ones = vec![1000.0; 130];
    let keys: Vec<f32> = (0..130).map(|at| (at % 100) as f32).collect();
    let (y, _) = attention.forward([&ones, &keys, &keys], false);
    let largest = keys.iter().scan(0.0_f32, |most, key| {
        *most = most.max(*key);
        Some(*most)
    });
    assert_eq!(y, largest.collect::<Vec<_>>());
}
