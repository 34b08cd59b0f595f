//! Symmetric positive systems of equations.

/// `X` with `A X = B`, for a symmetric positive definite `A`; none if a pivot is not positive.
///
/// # Formula
/// `A = L Lᵀ`, then `L Y = B` and `Lᵀ X = Y`.
///
/// # Shapes
/// `a`: `[n, n]`, `b` and the result: `[n, m]`, row by row.
pub(super) fn solve(mut a: Vec<f64>, n: usize, mut b: Vec<f64>, m: usize) -> Option<Vec<f64>> {
    assert_eq!((a.len(), b.len()), (n * n, n * m));
    for j in 0..n {
        let (above, row) = a.split_at_mut(j * n);
        for (k, of_k) in above.chunks(n).enumerate() {
            row[k] = (row[k] - dot(&row[..k], &of_k[..k])) / of_k[k];
        }
        let pivot = row[j] - dot(&row[..j], &row[..j]);
        if pivot.is_nan() || pivot <= 0.0 {
            return None;
        }
        row[j] = pivot.sqrt();
    }
    for i in 0..n {
        let (above, row) = b.split_at_mut(i * m);
        for (k, of_k) in above.chunks(m).enumerate() {
            subtract(&mut row[..m], a[i * n + k], of_k);
        }
        divide(&mut row[..m], a[i * n + i]);
    }
    for i in (0..n).rev() {
        let (above, below) = b.split_at_mut((i + 1) * m);
        let row = &mut above[i * m..];
        for (k, of_k) in below.chunks(m).enumerate() {
            subtract(row, a[(i + 1 + k) * n + i], of_k);
        }
        divide(row, a[i * n + i]);
    }
    Some(b)
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn divide(row: &mut [f64], by: f64) {
    for x in row {
        *x /= by;
    }
}

fn subtract(row: &mut [f64], scale: f64, other: &[f64]) {
    for (x, y) in row.iter_mut().zip(other) {
        *x -= scale * y;
    }
}

#[cfg(test)]
mod tests {
    use miras_random::Stream;

    use super::*;

    #[test]
    fn a_solution_solves_and_what_is_not_positive_has_none() {
        let mut stream = Stream::new(3, "cholesky", &[]);
        for (n, m) in [(1, 1), (2, 3), (7, 2), (20, 5)] {
            let root: Vec<f64> = (0..n * n).map(|_| stream.normal()).collect();
            let mut a = vec![0.0; n * n];
            for i in 0..n {
                for j in 0..n {
                    a[i * n + j] = dot(&root[i * n..(i + 1) * n], &root[j * n..(j + 1) * n]);
                }
                a[i * n + i] += 1.0;
            }
            let b: Vec<f64> = (0..n * m).map(|_| stream.normal()).collect();
            let x = solve(a.clone(), n, b.clone(), m).unwrap();
            for i in 0..n {
                for c in 0..m {
                    let sum: f64 = (0..n).map(|k| a[i * n + k] * x[k * m + c]).sum();
                    assert!((sum - b[i * m + c]).abs() < 1e-10, "{n} {m}");
                }
            }
        }
        assert_eq!(solve(vec![1.0, 2.0, 2.0, 1.0], 2, vec![1.0; 2], 1), None);
        assert_eq!(solve(vec![f64::NAN], 1, vec![1.0], 1), None);
        assert_eq!(solve(Vec::new(), 0, Vec::new(), 4), Some(Vec::new()));
    }
}
