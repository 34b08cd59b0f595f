//! Texts that end what is generated.

/// Lets bytes through until one of the texts has come, which is itself left out.
///
/// The beginning of such a text is kept back until it is known whether it goes on.
#[derive(Debug, Default)]
pub struct Stops {
    texts: Vec<Vec<u8>>,
    waiting: Vec<u8>,
}

impl Stops {
    /// Empty texts end nothing.
    pub fn new<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let texts = texts.into_iter().filter(|text| !text.is_empty());
        Self {
            texts: texts.map(|text| text.as_bytes().to_vec()).collect(),
            waiting: Vec::new(),
        }
    }

    /// What can be passed on with these bytes, and whether it ends there.
    pub fn push(&mut self, bytes: &[u8]) -> (Vec<u8>, bool) {
        self.waiting.extend(bytes);
        let find = |text: &Vec<u8>| {
            let mut places = self.waiting.windows(text.len());
            places.position(|place| place == text)
        };
        if let Some(end) = self.texts.iter().filter_map(find).min() {
            let mut before = std::mem::take(&mut self.waiting);
            before.truncate(end);
            return (before, true);
        }
        let begins = |from: &usize| {
            let rest = &self.waiting[*from..];
            self.texts.iter().any(|text| text.starts_with(rest))
        };
        let longest = self.texts.iter().map(Vec::len).max().unwrap_or(0);
        let all = self.waiting.len();
        let first = all.saturating_sub(longest.saturating_sub(1));
        let kept = (first..all).find(begins).unwrap_or(all);
        let rest = self.waiting.split_off(kept);
        (std::mem::replace(&mut self.waiting, rest), false)
    }

    /// What was kept back, at the end.
    pub fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What passes of a text that comes in pieces, and whether it was ended.
    fn passed(stops: &[&str], text: &str, size: usize) -> (String, bool) {
        let mut stops = Stops::new(stops.iter().copied());
        let mut all = Vec::new();
        for piece in text.as_bytes().chunks(size) {
            let (bytes, ended) = stops.push(piece);
            all.extend(bytes);
            if ended {
                return (String::from_utf8(all).unwrap(), true);
            }
        }
        all.extend(stops.finish());
        (String::from_utf8(all).unwrap(), false)
    }

    #[test]
    fn a_text_ends_in_front_of_the_first_stop_however_it_comes() {
        for (stops, text, expected, ended) in [
            (&["<|end|>"][..], "one<|end|>two", "one", true),
            (&["<|end|>"], "one<|end>two", "one<|end>two", false),
            (&["<|end|>"], "<|end|>", "", true),
            (&["<|end|>"], "one<|en", "one<|en", false),
            (&["\n\n", "."], "a\nb. c\n\nd", "a\nb", true),
            (&["aab"], "aaab", "a", true),
            (&["abc", "b"], "abc", "", true),
            (&["ä"], "o ä", "o ", true),
            (&[""], "all of it", "all of it", false),
            (&[], "all of it", "all of it", false),
        ] {
            for size in 1..=text.len() {
                let found = passed(stops, text, size);
                let longer = stops == ["abc", "b"] && size < 3;
                // A shorter stop inside of a longer one ends the text as soon as it is there.
                let expected = if longer { "a" } else { expected };
                assert_eq!(found, (expected.to_owned(), ended), "{stops:?} {size}");
            }
        }
    }

    #[test]
    fn nothing_is_kept_back_that_cannot_become_a_stop() {
        let mut stops = Stops::new(["<|end|>"]);
        assert_eq!(stops.push(b"one <"), (b"one ".to_vec(), false));
        assert_eq!(stops.push(b"|"), (Vec::new(), false));
        assert_eq!(stops.push(b"x"), (b"<|x".to_vec(), false));
    }
}
