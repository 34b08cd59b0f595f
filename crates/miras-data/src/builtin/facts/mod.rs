//! Kinds of facts and the ways to state and to recall them.

mod people;
mod things;

/// How a slot of a fact gets its value.
pub(super) enum Draw {
    /// From the word list of the slot's name.
    Listed,
    /// A made-up word, which can only be known from the story.
    Invented,
    /// A number of two digits.
    Number,
}

/// One kind of fact about a person `n`; `m` is another person.
pub(super) struct Kind {
    /// What is drawn for it.
    pub(super) slots: &'static [(&'static str, Draw)],
    /// States it in a story.
    pub(super) tell: &'static [&'static str],
    /// States it in a letter by `n`.
    pub(super) write: &'static [&'static str],
    /// States it in a line of a register.
    pub(super) note: &'static str,
    /// Slots that get new values if the fact changes; none if it never does.
    pub(super) change: &'static [&'static str],
    /// States the change.
    pub(super) changed: &'static [&'static str],
    /// Recalls it in a story.
    pub(super) ask: &'static [&'static str],
    /// Recalls it in the answer of `m` to a letter.
    pub(super) reply: &'static [&'static str],
    /// Recalls it as a question with its answer.
    pub(super) quiz: &'static [&'static str],
}

/// All kinds, in an order that is part of the corpus.
pub(super) const KINDS: &[Kind] = &[
    people::TRADE,
    people::HOME,
    people::PET,
    people::FOOD,
    things::HIDDEN,
    things::WORD,
    things::COUNT,
    things::MEETING,
    people::COAT,
    things::GIFT,
];
