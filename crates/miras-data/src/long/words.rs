//! Words for keys.

/// Before the hyphen.
pub(super) const ADJECTIVES: [&str; 32] = [
    "able", "bitter", "brave", "calm", "clever", "cloudy", "cold", "curious", "distant", "early",
    "empty", "faint", "fierce", "gentle", "golden", "hollow", "honest", "humble", "late", "lively",
    "lonely", "narrow", "noisy", "patient", "plain", "proud", "rapid", "silent", "steep", "tender",
    "vivid", "wooden",
];

/// Behind the hyphen.
pub(super) const NOUNS: [&str; 32] = [
    "anchor", "basket", "bridge", "candle", "carpet", "circle", "cottage", "engine", "feather",
    "forest", "garden", "hammer", "harbour", "island", "kettle", "ladder", "lantern", "market",
    "meadow", "mirror", "mountain", "needle", "orchard", "pencil", "river", "saddle", "shadow",
    "station", "thunder", "valley", "window", "winter",
];
