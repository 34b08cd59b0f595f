//! A text that the tokens do not spell.

/// Where a text cannot be encoded, and why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Which of the texts, from 0.
    pub(crate) text: usize,
    /// The byte in it.
    pub(crate) at: u64,
    /// What is said before the place and after it.
    before: String,
    after: String,
}

impl Refused {
    /// A reason in two parts, between which the place belongs.
    pub(super) fn new(
        (text, at): (usize, usize),
        before: impl Into<String>,
        after: impl Into<String>,
    ) -> Self {
        Self {
            text,
            at: at as u64,
            before: before.into(),
            after: after.into(),
        }
    }

    /// The whole sentence with the place in it.
    pub(super) fn told(&self, place: &str) -> String {
        format!("{} {place}{}", self.before, self.after)
    }
}
