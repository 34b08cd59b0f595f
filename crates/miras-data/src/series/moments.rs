//! Sums over all windows of a part, from which least squares follow.

use super::{split::Part, windows::Series};

/// First and second moments of windows whose last read value is subtracted from all of their
/// values, `d_i = z_i − z_last`, with the values that are forecast behind those that are read.
///
/// # Formula
/// `S_i = Σ d_i`, `G_ij = Σ d_i d_j`, over the windows of all channels. Windows overlap:
/// `Σ_s z_{s+i+1} z_{s+j+1}` is `Σ_s z_{s+i} z_{s+j}` with one product less at its start and one
/// more at its end, so that the sums take `w n + w²` products a channel, not `w² n`.
pub(super) struct Moments {
    /// Values of a window.
    pub(super) width: usize,
    /// Windows of all channels.
    pub(super) count: f64,
    /// `[w]`.
    pub(super) sums: Vec<f64>,
    /// `[w, w]`, row by row.
    pub(super) products: Vec<f64>,
}

impl Moments {
    /// Those of a part.
    pub(super) fn of(series: &Series, part: Part) -> Self {
        let width = series.lookback + series.horizon;
        let windows = series.windows(part);
        let (mut sums, mut products) = (vec![0.0; width], vec![0.0; width * width]);
        for values in &series.values {
            let z = &values[series.rows(part)];
            let mut sum: f64 = z[..windows].iter().sum();
            for i in 0..width {
                sums[i] += sum;
                if i + 1 < width {
                    sum += z[windows + i] - z[i];
                }
            }
            for lag in 0..width {
                let pairs = z[..windows].iter().zip(&z[lag..]);
                let mut product: f64 = pairs.map(|(a, b)| a * b).sum();
                for i in 0..width - lag {
                    products[i * width + i + lag] += product;
                    if i + lag + 1 < width {
                        product += z[windows + i] * z[windows + i + lag] - z[i] * z[i + lag];
                    }
                }
            }
        }
        let mut found = Self {
            width,
            count: (windows * series.values.len()) as f64,
            sums,
            products,
        };
        found.subtract(series.lookback - 1);
        found
    }

    /// Turns moments of `z` into those of `z − z_last`, and fills in the other triangle.
    fn subtract(&mut self, last: usize) {
        let w = self.width;
        for i in 0..w {
            for j in 0..i {
                self.products[i * w + j] = self.products[j * w + i];
            }
        }
        let of_last: Vec<f64> = self.products[last * w..(last + 1) * w].to_vec();
        for (i, row) in self.products.chunks_mut(w).enumerate() {
            for (j, product) in row.iter_mut().enumerate() {
                *product += of_last[last] - of_last[i] - of_last[j];
            }
        }
        let sum = self.sums[last];
        for own in &mut self.sums {
            *own -= sum;
        }
    }
}
