//! Facts about what people are, have and like.

use super::{Draw, Kind};

/// What they work.
pub(super) const TRADE: Kind = Kind {
    slots: &[("trade", Draw::Listed)],
    tell: &[
        "{n} was the {trade} of the town.",
        "Everyone knew {n}, the {trade}.",
        "{n} had been {a trade} since {he} was young.",
        "Like {his} mother before {him}, {n} became {a trade}.",
        "There was only one {trade} far and wide, and that was {n}.",
    ],
    write: &[
        "I work as {a trade} now.",
        "You ask what I do here: I am {a trade}.",
        "They have made me the {trade} of the whole town.",
    ],
    note: "{n}, {trade}",
    change: &["trade"],
    changed: &[
        "But {n} grew tired of the work and became {a trade} instead.",
        "Later {n} learned another trade, and from then on {he} was {a trade}.",
    ],
    ask: &[
        "\"And what do you do, {n}?\" asked the stranger. \"I am {a trade},\" {said} {n}.",
        "Somebody called for the {trade}, and {n} came at once.",
        "\"I need {a trade},\" {said} a traveller. \"Then go to {n},\" {said} {m}.",
        "{m} tried to guess the trade of {n}. It was easy: {trade}.",
    ],
    reply: &[
        "So you are {a trade} now! I told everyone at home.",
        "I never thought that you would become {a trade}.",
    ],
    quiz: &[
        "What was the trade of {n}? {a trade}.",
        "Who was the {trade}? {n}.",
    ],
};

/// Where they live.
pub(super) const HOME: Kind = Kind {
    slots: &[("place", Draw::Listed)],
    tell: &[
        "{n} lived near the {place}.",
        "The house of {n} stood beside the {place}.",
        "{n} had rented a room behind the {place}.",
        "From {his} bed {n} could see the {place}.",
    ],
    write: &[
        "I live beside the {place} now, so write to me there.",
        "My room is close to the {place}.",
    ],
    note: "{n}, house near the {place}",
    change: &["place"],
    changed: &[
        "In {season} {n} moved to a house near the {place}.",
        "Then {n} left that house and took another beside the {place}.",
    ],
    ask: &[
        "\"Where does {n} live?\" asked a boy. \"Near the {place},\" {said} {m}.",
        "{m} wanted to visit {n} and went to the {place}.",
        "The postman had a parcel for {n} and carried it to the house near the {place}.",
        "\"I am going home,\" {said} {n}, and turned toward the {place}.",
    ],
    reply: &[
        "I send this to your house near the {place}.",
        "Is it not loud, so close to the {place}?",
    ],
    quiz: &[
        "Where did {n} live? Near the {place}.",
        "Who lived near the {place}? {n}.",
    ],
};

/// Their animal.
pub(super) const PET: Kind = Kind {
    slots: &[("animal", Draw::Listed), ("pet", Draw::Listed)],
    tell: &[
        "{n} had {a animal} called {pet}.",
        "Wherever {n} went, {his} {animal} {pet} went too.",
        "{n} had found {a animal} in the {season} and named it {pet}.",
        "{pet}, the {animal} of {n}, slept by the door.",
    ],
    write: &[
        "I have {a animal} now, and its name is {pet}.",
        "You would like {pet}, my {animal}.",
    ],
    note: "{n}, one {animal}, answers to {pet}",
    change: &[],
    changed: &[],
    ask: &[
        "\"{pet}!\" called {n}, and the {animal} came running.",
        "\"What is the name of your {animal}?\" asked {m}. \"{pet},\" {said} {n}.",
        "{m} found {a animal} in the street. \"This is {pet},\" {said} {m}, \"it belongs to {n}.\"",
        "{n} could not sleep, because {pet} the {animal} was not at home.",
    ],
    reply: &[
        "Give {pet} a kiss from me. {a animal} is good company.",
        "Does your {animal} {pet} bite?",
    ],
    quiz: &[
        "What was the {animal} of {n} called? {pet}.",
        "Who or what was {pet}? The {animal} of {n}.",
    ],
};

/// What they like to eat.
pub(super) const FOOD: Kind = Kind {
    slots: &[("food", Draw::Listed)],
    tell: &[
        "Nothing pleased {n} more than {food}.",
        "{n} ate {food} every {day}.",
        "For {food}, {n} would have walked to the end of the world.",
    ],
    write: &[
        "They make good {food} here, and I eat nothing else.",
        "I live on {food} and tea.",
    ],
    note: "{n}, always orders {food}",
    change: &["food"],
    changed: &["After an illness {n} wanted only {food}."],
    ask: &[
        "\"What shall I cook for {n}?\" asked the innkeeper. \"{food},\" {said} {m}.",
        "{m} wanted to please {n} and brought {food}.",
        "There were many dishes on the table, but {n} took only the {food}.",
    ],
    reply: &[
        "Do not eat too much {food}!",
        "Mother laughed about the {food}.",
    ],
    quiz: &[
        "What did {n} like to eat? {food}.",
        "Who liked {food}? {n}.",
    ],
};

/// What they wear.
pub(super) const COAT: Kind = Kind {
    slots: &[("colour", Draw::Listed), ("garment", Draw::Listed)],
    tell: &[
        "{n} always wore {a colour} {garment}.",
        "You could see {n} from far away by {his} {colour} {garment}.",
        "A tailor had made {a colour} {garment} for {n}.",
    ],
    write: &[
        "I have bought {a colour} {garment}.",
        "You will know me by my {colour} {garment}.",
    ],
    note: "{n}, {colour} {garment}",
    change: &["colour"],
    changed: &["When it was worn out, {n} bought {a colour} {garment}."],
    ask: &[
        "\"Who is that in the {colour} {garment}?\" asked a child. \"That is {n},\" {said} {m}.",
        "{m} saw {a colour} {garment} in the crowd and knew that it was {n}.",
        "It was cold, so {n} put on the {colour} {garment}.",
    ],
    reply: &[
        "I can see you before me in your {colour} {garment}.",
        "Does the {colour} {garment} keep you warm?",
    ],
    quiz: &[
        "What did {n} wear? {a colour} {garment}.",
        "Who wore {a colour} {garment}? {n}.",
    ],
};
