//! Facts about things, words, numbers and days.

use super::{Draw, Kind};

/// Something hidden.
pub(super) const HIDDEN: Kind = Kind {
    slots: &[
        ("object", Draw::Listed),
        ("container", Draw::Listed),
        ("place", Draw::Listed),
    ],
    tell: &[
        "{n} hid the {object} in {a container} at the {place}.",
        "{n} owned {a object}, which {he} kept in {a container} near the {place}.",
        "Afraid of thieves, {n} carried the {object} to the {place} and put it in {a container}.",
    ],
    write: &[
        "Nobody else may know it: the {object} is in {a container} at the {place}.",
        "If I do not come back, look for the {object} in {a container} at the {place}.",
    ],
    note: "{n}, left {a object} in {a container} at the {place}",
    change: &["container", "place"],
    changed: &[
        "But {he} did not trust the place, so {n} moved the {object} to {a container} at the {place}.",
        "{when} {n} took the {object} away and hid it again, in {a container} at the {place}.",
    ],
    ask: &[
        "\"Where is the {object}?\" asked {m}. \"In the {container} at the {place},\" {said} {n}.",
        "{m} needed the {object}, went to the {place} and opened the {container}. There it was.",
        "\"I know where {n} hid the {object},\" {said} {m}: \"at the {place}, in the {container}.\"",
        "{n} {walk} to the {place}, opened the {container} and took out the {object}.",
    ],
    reply: &[
        "I went to the {place} and looked in the {container}: the {object} is still there.",
        "I shall tell nobody that the {object} is in the {container} at the {place}.",
    ],
    quiz: &[
        "Where was the {object}? In the {container} at the {place}.",
        "What was in the {container} at the {place}? The {object} of {n}.",
    ],
};

/// A secret word.
pub(super) const WORD: Kind = Kind {
    slots: &[("word", Draw::Invented)],
    tell: &[
        "The secret word of {n} was \"{word}\".",
        "\"Remember this word: {word},\" {said} {n} to {m}.",
        "On the door of {n} somebody had carved the word \"{word}\".",
        "There was a song that only {n} knew, and its first word was \"{word}\".",
    ],
    write: &[
        "If somebody asks you for the word, say \"{word}\".",
        "The word that opens my door is \"{word}\".",
    ],
    note: "{n}, secret word {word}",
    change: &["word"],
    changed: &["When too many people knew it, {n} chose a new word: \"{word}\"."],
    ask: &[
        "\"Say the word of {n},\" {said} the guard. \"{word},\" {said} {m}, and the gate opened.",
        "{m} had forgotten the word, but {n} whispered: \"{word}\".",
        "Even in sleep {n} said it: \"{word}, {word}.\"",
    ],
    reply: &[
        "I said \"{word}\" at the door, and they let me in.",
        "I have learned the word by heart: {word}.",
    ],
    quiz: &[
        "What was the word of {n}? {word}.",
        "Whose word was \"{word}\"? {n}.",
    ],
};

/// How much they own.
pub(super) const COUNT: Kind = Kind {
    slots: &[("number", Draw::Number), ("goods", Draw::Listed)],
    tell: &[
        "{n} owned {number} {goods}, not one more.",
        "In the barn of {n} there were {number} {goods}.",
        "{n} had bought {number} {goods} at the market.",
    ],
    write: &[
        "I have {number} {goods} in the cellar now.",
        "A man sold me {number} {goods} for almost nothing.",
    ],
    note: "{n}, {number} {goods}",
    change: &["number"],
    changed: &[
        "{when} {n} counted again, and now there were {number} {goods}.",
        "After the trade {n} had {number} {goods}.",
    ],
    ask: &[
        "\"How many {goods} have you got, {n}?\" asked {m}. \"{number},\" {said} {n}.",
        "{m} counted the {goods} of {n}. There were {number}.",
        "The tax collector wrote down: {n}, {number} {goods}.",
    ],
    reply: &[
        "What will you do with {number} {goods}?",
        "I should like to see all your {goods}. {number} of them!",
    ],
    quiz: &[
        "How many {goods} did {n} have? {number}.",
        "Who had {number} {goods}? {n}.",
    ],
};

/// An appointment.
pub(super) const MEETING: Kind = Kind {
    slots: &[("day", Draw::Listed), ("place", Draw::Listed)],
    tell: &[
        "{n} and {m} wanted to meet at the {place} on {day}.",
        "\"Meet me at the {place} on {day},\" {said} {n} to {m}.",
        "{n} had promised {m} to be at the {place} on {day}.",
    ],
    write: &[
        "Come to the {place} on {day}, and I shall wait for you.",
        "I shall be at the {place} on {day}.",
    ],
    note: "{n} meets {m} on {day} at the {place}",
    change: &["day"],
    changed: &["\"Not then,\" {said} {m}, \"let us say {day}.\" {n} agreed."],
    ask: &[
        "It was {day}, and {n} stood at the {place} and waited for {m}.",
        "\"When do you meet {m}?\" asked the neighbour. \"On {day}, at the {place},\" {said} {n}.",
        "\"Do not forget: {day}, at the {place},\" {said} {m} to {n}.",
    ],
    reply: &[
        "I shall come to the {place} on {day}.",
        "On {day} I cannot be at the {place}, I am sorry.",
    ],
    quiz: &[
        "When did {n} meet {m}? On {day}.",
        "Where did {n} meet {m}? At the {place}.",
    ],
};

/// Something given away.
pub(super) const GIFT: Kind = Kind {
    slots: &[("object", Draw::Listed)],
    tell: &[
        "{n} gave the {object} to {m}.",
        "{n} had {a object}, but {he} lent it to {m}.",
        "{m} won the {object} from {n} in a game of cards.",
    ],
    write: &[
        "Keep the {object} that I gave you, it is yours now.",
        "I have sent you my {object}.",
    ],
    note: "{n} gave {a object} to {m}",
    change: &[],
    changed: &[],
    ask: &[
        "\"Who has the {object} now?\" asked a neighbour. \"{m} has it,\" {said} {n}.",
        "{m} still had the {object} and thought of {n}.",
        "{n} asked for the {object}, and {m} gave it back for a day.",
    ],
    reply: &[
        "The {object} that you sent stands on my table.",
        "I shall take good care of your {object}.",
    ],
    quiz: &[
        "Who got the {object}? {m}.",
        "What did {n} give to {m}? The {object}.",
    ],
};
