//! Word lists. Changing a word changes the corpus, which is fixed for ever.

pub(super) const WOMEN: &[&str] = &[
    "Mara", "Ilse", "Anna", "Berit", "Clara", "Dora", "Elin", "Freya", "Greta", "Hanna", "Ines",
    "Judith", "Karin", "Lena", "Martha", "Nora", "Olga", "Petra", "Rosa", "Sonja", "Thea",
    "Ursula", "Vera", "Wilma", "Agnes", "Bella", "Edith", "Flora", "Hilda", "Ruth",
];

pub(super) const MEN: &[&str] = &[
    "Tom", "Anton", "Bruno", "Carl", "David", "Emil", "Felix", "Georg", "Hugo", "Ivan", "Jonas",
    "Kaspar", "Leo", "Martin", "Nils", "Oscar", "Paul", "Robert", "Simon", "Theo", "Victor",
    "Walter", "Arno", "Bert", "Edgar", "Franz", "Gustav", "Henrik", "Jakob", "Otto",
];

/// The words that a form may use freely, by the name in its braces.
pub(super) fn list(name: &str) -> Option<&'static [&'static str]> {
    let found = LISTS.iter().find(|(list, _)| *list == name);
    found.map(|(_, words)| *words)
}

// Packed by hand: one list after another, not one word a line.
#[rustfmt::skip]
const LISTS: &[(&str, &[&str])] = &[
    ("trade", &[
        "baker", "smith", "weaver", "miller", "potter", "tailor", "carpenter", "fisher", "shepherd",
        "gardener", "clockmaker", "painter", "teacher", "doctor", "sailor", "innkeeper",
        "bookbinder", "beekeeper", "glassblower", "cobbler", "ferryman", "hunter", "musician",
        "mason",
    ]),
    ("place", &[
        "mill", "well", "bridge", "harbour", "church", "market", "old tower", "inn", "school",
        "forge", "orchard", "lighthouse", "ferry", "quarry", "north gate", "south gate",
        "boathouse", "chapel", "town hall", "bakery", "stone barn", "white fence", "graveyard",
        "sawmill", "ruined castle", "fountain", "pond", "tannery",
    ]),
    ("object", &[
        "lantern", "silver key", "map", "drum", "mirror", "letter", "compass", "golden ring",
        "knife", "flute", "clock", "blanket", "rope", "book of songs", "glass bowl", "iron pot",
        "violin", "red scarf", "spyglass", "music box", "copper bell", "hammer", "saddle",
        "walking stick", "umbrella", "chessboard", "necklace", "fishing net",
    ]),
    ("container", &[
        "wooden chest", "basket", "blue jar", "drawer", "leather bag", "cupboard", "barrel",
        "tin box", "flour sack", "hollow log", "crate", "bucket", "trunk", "clay pot",
    ]),
    ("animal", &[
        "dog", "cat", "goat", "horse", "donkey", "raven", "parrot", "hen", "pony", "rabbit",
        "goose", "turtle", "fox cub", "lamb",
    ]),
    ("pet", &[
        "Biscuit", "Pepper", "Smoke", "Button", "Thunder", "Pebble", "Ginger", "Shadow", "Clover",
        "Whistle", "Pickle", "Comet", "Mustard", "Velvet", "Bramble", "Acorn", "Captain", "Duchess",
        "Nutmeg", "Sparrow",
    ]),
    ("food", &[
        "apple pie", "onion soup", "smoked fish", "honey cake", "black bread", "plum jam",
        "roasted chestnuts", "goat cheese", "pea soup", "fried eggs", "pancakes", "stewed pears",
        "barley porridge", "cherry tart", "pickled cabbage", "ginger biscuits",
    ]),
    ("colour", &[
        "red", "green", "blue", "yellow", "grey", "brown", "white", "black", "purple", "orange",
    ]),
    ("garment", &["coat", "hat", "cloak", "jacket", "shawl", "apron"]),
    ("goods", &[
        "apples", "sheep", "loaves of bread", "barrels", "candles", "eggs", "bricks", "horses",
        "fish", "books", "blankets", "sacks of flour", "chairs", "bottles", "nails", "pumpkins",
    ]),
    ("day", &["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]),
    ("season", &["spring", "summer", "autumn", "winter"]),
    ("time", &[
        "in the morning", "at noon", "in the evening", "late at night", "before sunrise",
        "after supper", "at the same hour", "toward dusk",
    ]),
    ("when", &[
        "One morning", "The next day", "A week later", "That evening", "Soon after", "At noon",
        "Before long", "Early in {season}", "On {day}", "When the bells rang,",
    ]),
    ("weather", &[
        "It was raining", "The sun was shining", "A cold wind blew", "Fog lay on the fields",
        "Snow was falling", "The sky was clear", "Thunder rolled over the hills",
        "It was warm and still", "The frost had come early",
    ]),
    ("tree", &["oak", "birch", "pine", "willow", "chestnut", "elm", "apple", "linden"]),
    ("bird", &["crow", "swallow", "robin", "owl", "stork", "lark", "gull", "blackbird"]),
    ("adj", &[
        "old", "small", "quiet", "strange", "happy", "tired", "clever", "gentle", "stubborn",
        "cheerful", "careful", "proud",
    ]),
    ("how", &[
        "slowly", "quietly", "with a smile", "without a word", "in a hurry", "as always",
        "with great care", "and sighed", "and laughed", "for the first time",
    ]),
    ("mood", &["glad", "worried", "curious", "calm", "hungry", "sleepy", "surprised", "angry"]),
    ("walk", &["walked", "ran", "rode", "wandered", "hurried", "went", "strolled", "marched"]),
    ("said", &["said", "said", "said", "whispered", "cried"]),
    ("small", &["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]),
    ("road", &["road", "path", "river", "street", "hill", "valley", "shore", "lane"]),
    ("thing", &[
        "a broken wheel", "an empty nest", "a coin with a hole", "a letter without a name",
        "a row of small boats", "a footprint in the mud", "a lost glove", "a {colour} feather",
        "smoke above the roofs", "a {bird} on the fence", "a cart full of {goods}",
    ]),
    ("start", &[
        "ka", "mo", "ti", "vel", "or", "sa", "bri", "du", "fen", "ga", "lu", "ne", "pol", "ri",
        "tha", "wo",
    ]),
    ("end", &["ra", "lin", "tok", "mer", "dan", "vale", "sund", "bek", "nis", "por", "wick", "lo"]),
];
