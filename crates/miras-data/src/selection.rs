//! Which rows an evaluation reads.

/// How much of the held-out part an evaluation reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// All of it.
    All,
    /// This many tokens, rounded up to whole rows, or all if there are fewer.
    Tokens(u64),
}

/// The rows of an evaluation.
///
/// They depend only on the data, the row length and the amount, not on the batch size. They form
/// stretches of consecutive rows, which are spread evenly over the held-out part: many stretches
/// cover more of the text, long ones let a memory carry its state from row to row. The number of
/// stretches follows from the amount, so that all row lengths that divide a stretch read the same
/// tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selection {
    /// Tokens of a row.
    len: usize,
    rows: u64,
    stretches: u64,
    /// Tokens of the held-out part that are not read.
    free: u64,
}

/// The row length for which there are about as many stretches as rows in each.
const BALANCED_ROW: u64 = 256;

impl Selection {
    /// The default number of stretches for so many tokens, with room for a row of `longest` tokens
    /// in each: a power of two near the square root, such as 8 stretches of 2,048 tokens for
    /// 16,384.
    pub fn usual_stretches(tokens: u64, longest: u64) -> u64 {
        let rows = (tokens / BALANCED_ROW).max(1);
        let usual = 1_u64 << (rows.ilog2() / 2);
        usual.min(tokens / longest.max(1)).max(1)
    }

    /// The rows of `len` tokens out of `all` tokens, which is `None` for data that are generated
    /// without end. Returns `None` if all of such data is asked for.
    pub fn new(
        amount: Amount,
        stretches: Option<u64>,
        len: usize,
        all: Option<u64>,
    ) -> Option<Self> {
        let len = len.max(1);
        let whole = |tokens: u64| tokens.div_ceil(len as u64).max(1);
        let rows = match (amount, all.map(whole)) {
            (Amount::All, all) => all?,
            (Amount::Tokens(tokens), None) => whole(tokens),
            (Amount::Tokens(tokens), Some(all)) => whole(tokens).min(all),
        };
        let len_of_row = len as u64;
        let tokens = rows.saturating_mul(len_of_row);
        let usual = || Self::usual_stretches(tokens, len_of_row);
        Some(Self {
            len,
            rows,
            stretches: stretches.unwrap_or_else(usual).clamp(1, rows),
            free: all.map_or(0, |all| all.saturating_sub(tokens)),
        })
    }

    /// Tokens of a row.
    pub fn row_len(&self) -> usize {
        self.len
    }

    /// How many rows there are, 1 or more.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// How many stretches they lie in, 1 or more.
    pub fn stretches(&self) -> u64 {
        self.stretches
    }

    /// Rows of a stretch, from 0; the first ones may have one more than the last ones.
    pub fn rows_of(&self, stretch: u64) -> u64 {
        self.rows / self.stretches + u64::from(stretch < self.rows % self.stretches)
    }

    /// The token of the held-out part at which a row of a stretch begins.
    pub fn start(&self, stretch: u64, row: u64) -> u64 {
        let before =
            stretch * (self.rows / self.stretches) + stretch.min(self.rows % self.stretches);
        let skipped = u128::from(stretch) * u128::from(self.free) / u128::from(self.stretches);
        // It is at most `free`, which has 64 bits.
        (before + row) * self.len as u64 + skipped as u64
    }

    /// Where each row begins, stretch by stretch.
    pub fn starts(&self) -> impl Iterator<Item = u64> {
        let each = *self;
        (0..self.stretches).flat_map(move |stretch| {
            (0..each.rows_of(stretch)).map(move |row| each.start(stretch, row))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select(tokens: u64, stretches: Option<u64>, len: usize, all: Option<u64>) -> Selection {
        Selection::new(Amount::Tokens(tokens), stretches, len, all).unwrap()
    }

    #[test]
    fn rows_do_not_overlap_stay_inside_and_are_spread() {
        for all in [1, 7, 16, 17, 100, 1001, 12_345] {
            for len in [1, 3, 16, 40] {
                for tokens in [1, 16, 50, 500, 100_000] {
                    for stretches in [None, Some(1), Some(2), Some(5), Some(1000)] {
                        let found = select(tokens, stretches, len, Some(all));
                        let starts: Vec<u64> = found.starts().collect();
                        assert_eq!(starts.len() as u64, found.rows());
                        let wanted = tokens.div_ceil(len as u64);
                        assert_eq!(found.rows(), wanted.min(all.div_ceil(len as u64)));
                        let len = len as u64;
                        assert!(starts.windows(2).all(|two| two[1] >= two[0] + len));
                        let last = *starts.last().unwrap();
                        assert!(last < all);
                        // Only the end of the text may be part of a row.
                        assert!(last + len <= all || found.rows() == all.div_ceil(len));
                        let end = all.saturating_sub(last + len);
                        let gap = found.free.div_ceil(found.stretches());
                        assert!(end <= gap, "{found:?}: {end} tokens behind the last row");
                    }
                }
            }
        }
    }

    #[test]
    fn all_of_a_text_is_every_token_once() {
        let all = Selection::new(Amount::All, None, 16, Some(100)).unwrap();
        let starts: Vec<u64> = all.starts().collect();
        assert_eq!(starts, [0, 16, 32, 48, 64, 80, 96]);
        let two = Selection::new(Amount::All, Some(2), 16, Some(100)).unwrap();
        assert_eq!(two.starts().collect::<Vec<_>>(), starts);
        assert_eq!((two.stretches(), two.rows_of(0), two.rows_of(1)), (2, 4, 3));
        assert_eq!(Selection::new(Amount::All, None, 16, None), None);
    }

    #[test]
    fn lengths_that_divide_a_stretch_read_the_same_tokens() {
        let read = |len: usize| -> Vec<u64> {
            let found = select(16_384, None, len, Some(100_003));
            found.starts().flat_map(|at| at..at + len as u64).collect()
        };
        for len in [1, 16, 256, 1024, 2048] {
            assert_eq!(read(len), read(512), "{len}");
        }
        assert_eq!(read(512).len(), 16_384);
        assert_eq!(select(16_384, None, 256, Some(100_003)).stretches(), 8);
        assert_eq!(select(16_384, None, 8192, Some(100_003)).stretches(), 2);
    }

    #[test]
    fn generated_rows_follow_one_another() {
        let found = select(100, None, 16, None);
        let starts: Vec<u64> = found.starts().collect();
        assert_eq!(starts, [0, 16, 32, 48, 64, 80, 96]);
    }
}
