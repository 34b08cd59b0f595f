//! Sentence forms that carry no facts, and the frames of stories.
//!
//! Words in braces are filled in: `n`, `m`, `o` are people of the story, other names come from
//! the word lists, `a x` puts the right article before `x`.

pub(super) const TITLES: &[&str] = &[
    "The {object} of {village}",
    "{n} and {m}",
    "What {n} knew",
    "{a adj} {season} in {village}",
    "The {adj} {trade}",
    "How {n} came to {village}",
    "The road to {village}",
    "A story about {n}",
    "{m}, {n} and the {object}",
    "The {season} of the {bird}s",
];

pub(super) const OPENINGS: &[&str] = &[
    "{weather} when {n} came to {village}.",
    "In the town of {village}, {time}, people liked to tell stories.",
    "There was once a town called {village}, where {n}, {m} and {o} lived.",
    "{n}, {m} and {o} had been friends since school in {village}.",
    "This happened in {village}, in the {season} of a long year.",
    "{weather}, and the streets of {village} were empty.",
    "Nobody remembers who built {village}, but everybody remembers {n}.",
    "The {road} to {village} is long, and {n} knew every stone of it.",
    "When {n} was young, {village} had only {small} houses.",
    "If you ever come to {village}, ask for {n}.",
];

pub(super) const FILLERS: &[&str] = &[
    "{weather}.",
    "{when} {a bird} sang in the {tree} tree.",
    "{when} {n} {walk} along the {road} and saw {thing}.",
    "{n} {walk} down to the {place} {how}.",
    "{m} looked out of the window and saw {thing}.",
    "The {bird}s were loud {time}.",
    "Nobody spoke for a while.",
    "{o} was {mood} and did not know why.",
    "\"{weather}, I think,\" {said} {m}.",
    "\"Did you see {thing}?\" asked {o}. \"No,\" {said} {n} {how}.",
    "{n} sat under {a tree} and thought about the {season}.",
    "{when} {small} travellers came through {village} and asked for water.",
    "{m} told {o} a joke about {a animal} and {a trade}, but {o} did not laugh.",
    "The {road} was steep and the night was long.",
    "{when} they ate {food} together, {adj} and {mood}.",
    "Somewhere a door closed, and {a animal} cried out.",
    "\"You are {adj} today,\" {said} {o} to {m}.",
    "{m} was {mood}, but {n} was {mood}.",
    "There was {thing} near the {place}.",
    "{n} found {thing} and showed it to {m}.",
    "The people of {village} were {adj} and kind.",
    "{when} a storm took the roof of the {place}, and everyone helped to mend it.",
    "It takes {small} hours to walk from {village} to the sea.",
    "{o} had not slept for {small} nights.",
    "\"Shall we go home?\" asked {m}. \"Not yet,\" {said} {n}.",
    "A {colour} flag hung above the {place}.",
    "{n} counted the steps to the {place} and forgot the number at once.",
    "The {season} was short that year, and the {tree} trees stood bare.",
    "{when} {m} dreamed of {a object} and woke up {mood}.",
    "{o} whistled a tune that {n} had never heard.",
];

pub(super) const TURNS: &[&str] = &[
    "So the days passed, and {season} came.",
    "Then {small} years went by.",
    "One evening they all met at the table again.",
    "{when} somebody wanted to know more.",
    "Much later, people still asked about it.",
    "But that is not the end of the story.",
    "{when} {o} came back from the sea and had many questions.",
    "In the end it was all about memory.",
];

pub(super) const CLOSINGS: &[&str] = &[
    "And that is how it was in {village}.",
    "Then the lamp went out, and everyone slept.",
    "They talked until the {bird}s began to sing.",
    "After that day nobody in {village} forgot it.",
    "\"Good night,\" {said} {n}, and closed the door.",
    "So ends the story of {n}, {m} and {o}.",
    "{n} smiled. {weather} again.",
    "The rest is another story.",
];

/// Sentences of letters; `n` writes to `m`.
pub(super) const LETTER_FILLERS: &[&str] = &[
    "{weather} when I began this letter.",
    "I hope that you are well and not too {mood}.",
    "Yesterday I {walk} along the {road} and saw {thing}.",
    "Please give my love to {o}.",
    "I am {mood} these days, but do not worry.",
    "The {bird}s have come back to the {tree} by my window.",
    "Your last letter took {small} weeks to reach me.",
    "We had {food} for supper, and I thought of you.",
    "They say that the {season} will be {adj} this year.",
    "Do you remember the {object} that we lost as children?",
    "There is not much news from {village}.",
    "The evenings are long, and I read by candlelight.",
];

pub(super) const GREETINGS: &[&str] = &["Dear {m},", "My dear {m},", "Good {m},", "To {m}:"];

pub(super) const FAREWELLS: &[&str] = &[
    "Your friend {n}",
    "With love, {n}",
    "Yours, {n}",
    "Write soon. {n}",
];

pub(super) const REPLY_OPENINGS: &[&str] = &[
    "Thank you for your letter from {village}.",
    "Your letter came on {day}, and I read it twice.",
    "How good to hear from you!",
    "I have your letter here beside the lamp.",
];

pub(super) const QUIZ_OPENINGS: &[&str] = &[
    "Questions about the story:",
    "What do you remember?",
    "The teacher asked the class:",
    "Now answer:",
];

pub(super) const REGISTER_TITLES: &[&str] = &[
    "From the register of {village}",
    "Notes of the town clerk of {village}",
    "The notice board of {village}",
    "What the watchman of {village} wrote down",
];
