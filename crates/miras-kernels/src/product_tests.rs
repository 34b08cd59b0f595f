use pulp::{Arch, Simd, WithSimd};

use super::*;
use crate::buffer::Buffer;

fn numbers(rows: usize, columns: usize, seed: f32) -> Buffer {
    let mut buffer = Buffer::new(rows, columns);
    for (at, x) in buffer.iter_mut().enumerate() {
        *x = (at as f32 * 0.37 + seed).sin();
    }
    buffer
}

struct Products<'a> {
    size: [usize; 2],
    part: Band,
    terms: &'a [Term<'a>],
    out: &'a mut [f32],
}

impl WithSimd for Products<'_> {
    type Output = ();

    fn with_simd<S: Simd>(self, simd: S) {
        part(simd, self.size, self.part, self.terms, &mut Set(self.out));
    }
}

/// Whether an entry belongs to a band.
fn is_in(band: Band, row: usize, column: usize) -> bool {
    match band {
        Band::Full => true,
        Band::Upper => row <= column,
        Band::Lower => row >= column,
    }
}

#[test]
fn products_are_sums_over_the_depth() {
    for columns in [16, 32, 48, 64, 112] {
        for band in [Band::Full, Band::Upper, Band::Lower] {
            let rows = 48;
            let depth = if band == Band::Full { 32 } else { columns };
            let a = numbers(rows, depth, 0.1);
            let turned = numbers(depth, rows, 0.2);
            let mut b = numbers(depth, columns, 0.3);
            for (at, x) in b.iter_mut().enumerate() {
                if !is_in(band, at / columns, at % columns) {
                    *x = 0.0;
                }
            }
            let mut out = Buffer::new(rows, columns);
            let terms = [
                times((&a, depth), &b).within(band),
                transposed((&turned, rows), &b).within(band),
            ];
            Arch::new().dispatch(Products {
                size: [rows, columns],
                part: Band::Full,
                terms: &terms,
                out: &mut out,
            });
            for row in 0..rows {
                for column in 0..columns {
                    let products = (0..depth).map(|k| {
                        let a = a[row * depth + k] + turned[k * rows + row];
                        f64::from(a) * f64::from(b[k * columns + column])
                    });
                    let sum = products.sum::<f64>();
                    let ours = f64::from(out[row * columns + column]);
                    assert!((ours - sum).abs() < 1e-4, "{columns} {band:?}");
                }
            }
        }
    }
}

#[test]
fn the_upper_part_is_complete() {
    let n = 80;
    let (a, b) = (numbers(n, n, 0.1), numbers(n, n, 0.2));
    let [mut whole, mut upper] = [Buffer::new(n, n), Buffer::new(n, n)];
    for (part, out) in [(Band::Full, &mut whole), (Band::Upper, &mut upper)] {
        Arch::new().dispatch(Products {
            size: [n, n],
            part,
            terms: &[times((&a, n), &b)],
            out,
        });
    }
    for at in 0..n * n {
        if is_in(Band::Upper, at / n, at % n) {
            assert!(whole[at].to_bits() == upper[at].to_bits());
        }
    }
    // The last rows of the first columns are left out.
    assert!(upper[(n - 1) * n] == 0.0);
}
