//! Sentences: who is in a story, what has been said, and how forms are filled in.

use super::{
    facts::{Draw, KINDS, Kind},
    forms, words,
};
use miras_random::Stream;

/// A name in braces and its value.
type Slot = (&'static str, String);

/// The people of one story and what has been said so far.
pub(super) struct Teller {
    pub(super) stream: Stream,
    people: Vec<Person>,
    village: String,
    /// Values in use: each belongs to one fact, so that a question has one answer.
    used: Vec<String>,
    /// Forms without facts that have been used.
    told: Vec<&'static str>,
}

#[derive(Clone, Copy)]
struct Person {
    name: &'static str,
    /// he, him, his.
    pronouns: [&'static str; 3],
}

pub(super) struct Fact {
    pub(super) kind: &'static Kind,
    slots: Vec<Slot>,
    /// The places of `n` and `m` among the people.
    pub(super) who: (usize, usize),
}

impl Teller {
    pub(super) fn new(number: u64) -> Self {
        let mut stream = Stream::new(0, "built-in stories 1", &[number]);
        let women = words::WOMEN
            .iter()
            .map(|name| (*name, ["she", "her", "her"]));
        let men = words::MEN.iter().map(|name| (*name, ["he", "him", "his"]));
        let mut people: Vec<_> = women
            .chain(men)
            .map(|(name, pronouns)| Person { name, pronouns })
            .collect();
        stream.shuffle(&mut people);
        people.truncate(3);
        let village = capital(&invented(&mut stream));
        Self {
            stream,
            people,
            village,
            used: Vec::new(),
            told: Vec::new(),
        }
    }

    /// Different facts, with their values drawn.
    pub(super) fn facts(&mut self, count: usize) -> Vec<Fact> {
        let people = self.people.len();
        let choices = self.stream.distinct((KINDS.len() * people) as u64, count);
        let mut facts = Vec::new();
        for choice in choices {
            let kind = &KINDS[choice as usize / people];
            let n = choice as usize % people;
            let m = (n + 1 + self.stream.index(people - 1)) % people;
            let slots = kind.slots.iter();
            let slots = slots
                .map(|(slot, draw)| (*slot, self.draw(slot, draw)))
                .collect();
            facts.push(Fact {
                kind,
                slots,
                who: (n, m),
            });
        }
        facts
    }

    /// A value that no fact of this story has had.
    fn draw(&mut self, slot: &str, draw: &Draw) -> String {
        let mut value = String::new();
        // The lists are longer than a story needs, so a few attempts find a free value.
        for _ in 0..100 {
            value = match draw {
                Draw::Listed => self.word(slot),
                Draw::Invented => capital(&invented(&mut self.stream)),
                Draw::Number => (11 + self.stream.below(89)).to_string(),
            };
            if !self.used.contains(&value) {
                break;
            }
        }
        self.used.push(value.clone());
        value
    }

    pub(super) fn change(&mut self, fact: &mut Fact) {
        for (slot, draw) in fact.kind.slots {
            if fact.kind.change.contains(slot) {
                let value = self.draw(slot, draw);
                for (_, old) in fact.slots.iter_mut().filter(|(name, _)| name == slot) {
                    old.clone_from(&value);
                }
            }
        }
    }

    fn word(&mut self, list: &str) -> String {
        words::list(list).map_or_else(String::new, |words| {
            words[self.stream.index(words.len())].to_owned()
        })
    }

    pub(super) fn filler(&mut self, text: &mut String) {
        let n = self.stream.index(3);
        let m = (n + 1 + self.stream.index(2)) % 3;
        self.sentence(text, forms::FILLERS, (n, m));
    }

    /// Adds a sentence without facts, of a form new to this story if there is one.
    pub(super) fn sentence(
        &mut self,
        text: &mut String,
        forms: &[&'static str],
        who: (usize, usize),
    ) {
        let mut fresh: Vec<_> = forms.to_vec();
        fresh.retain(|form| !self.told.contains(form));
        let from = if fresh.is_empty() { forms } else { &fresh };
        let form = from[self.stream.index(from.len())];
        self.told.push(form);
        let sentence = self.expand(form, who, &[]);
        add(text, &capital_sentences(&sentence));
    }

    pub(super) fn line(&mut self, text: &mut String, forms: &[&'static str], who: (usize, usize)) {
        self.sentence(text, forms, who);
        end_line(text);
    }

    pub(super) fn say(&mut self, forms: &[&str], fact: &Fact) -> String {
        let form = forms[self.stream.index(forms.len())];
        capital_sentences(&self.expand(form, fact.who, &fact.slots))
    }

    /// Fills in what stands in braces.
    fn expand(&mut self, form: &str, who: (usize, usize), slots: &[Slot]) -> String {
        let mut result = String::new();
        let mut rest = form;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            result.push_str(before);
            match name.strip_prefix("a ") {
                Some(name) => {
                    let value = self.value(name, who, slots);
                    let vowel = value.starts_with(['a', 'e', 'i', 'o', 'u']);
                    result.push_str(if vowel { "an " } else { "a " });
                    result.push_str(&value);
                }
                None => result.push_str(&self.value(name, who, slots)),
            }
            rest = after;
        }
        result.push_str(rest);
        result
    }

    fn value(&mut self, name: &str, who: (usize, usize), slots: &[Slot]) -> String {
        let [n, m, o] = [who.0, who.1, 3 - who.0 - who.1].map(|at| self.people[at]);
        let person = match name {
            "n" => n.name,
            "m" => m.name,
            "o" => o.name,
            "he" => n.pronouns[0],
            "him" => n.pronouns[1],
            "his" => n.pronouns[2],
            "village" => &self.village,
            _ => "",
        };
        if !person.is_empty() {
            return person.to_owned();
        }
        if let Some((_, value)) = slots.iter().find(|(slot, _)| *slot == name) {
            return value.clone();
        }
        let word = self.word(name);
        self.expand(&word, who, slots)
    }
}

/// Adds a sentence to the line.
pub(super) fn add(text: &mut String, sentence: &str) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push(' ');
    }
    text.push_str(sentence);
}

/// A made-up word of two or three syllables.
fn invented(stream: &mut Stream) -> String {
    let skipped = stream.index(2);
    let word = ["start", "start", "end"].map(|list| {
        let syllables = words::list(list).unwrap_or(&[""]);
        syllables[stream.index(syllables.len())]
    });
    word[skipped..].concat()
}

pub(super) fn end_line(text: &mut String) {
    if !text.ends_with('\n') {
        text.push('\n');
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// Capital letters at the start and after each end of a sentence.
fn capital_sentences(text: &str) -> String {
    let mut start = true;
    let mut previous = ' ';
    text.chars()
        .map(|letter| {
            let result = if start {
                letter.to_ascii_uppercase()
            } else {
                letter
            };
            let ends = matches!(previous, '.' | '?' | '!') && letter == ' ';
            start = ends || (start && letter == '"');
            previous = letter;
            result
        })
        .collect()
}
