//! Whole stories: tales, letters and registers.

use super::{
    forms,
    teller::{Fact, Teller, add, end_line},
};

/// Stories until there are at least this many bytes.
pub(super) fn corpus(least: usize) -> String {
    let mut text = String::with_capacity(least + (4 << 10));
    let mut number = 0;
    while text.len() < least {
        let mut story = Teller::new(number);
        match story.stream.below(5) {
            0 => story.letters(&mut text),
            1 => story.register(&mut text),
            _ => story.tale(&mut text),
        }
        text.push('\n');
        number += 1;
    }
    text
}

impl Teller {
    /// Facts among scenes, and later what became of them.
    fn tale(&mut self, text: &mut String) {
        let count = 3 + self.stream.index(3);
        let mut facts = self.facts(count);
        self.line(text, forms::TITLES, (0, 1));
        text.push('\n');
        self.sentence(text, forms::OPENINGS, (0, 1));
        for fact in &mut facts {
            let tell = self.say(fact.kind.tell, fact);
            add(text, &tell);
            if !fact.kind.change.is_empty() && self.stream.one_in(4) {
                self.filler(text);
                self.change(fact);
                let changed = self.say(fact.kind.changed, fact);
                add(text, &changed);
            }
            self.filler(text);
        }
        end_line(text);
        self.sentence(text, forms::TURNS, (0, 1));
        self.stream.shuffle(&mut facts);
        if self.stream.one_in(3) {
            self.quiz(text, &facts);
        } else {
            for fact in &facts {
                let ask = self.say(fact.kind.ask, fact);
                add(text, &ask);
                if self.stream.one_in(2) {
                    self.filler(text);
                }
            }
            self.sentence(text, forms::CLOSINGS, (0, 1));
            end_line(text);
        }
    }

    /// A letter and its answer.
    fn letters(&mut self, text: &mut String) {
        let count = 2 + self.stream.index(3);
        let mut facts = self.facts(count);
        for fact in &mut facts {
            fact.who = (0, 1);
        }
        self.line(text, forms::GREETINGS, (0, 1));
        for fact in &facts {
            self.sentence(text, forms::LETTER_FILLERS, (0, 1));
            let write = self.say(fact.kind.write, fact);
            add(text, &write);
        }
        end_line(text);
        self.line(text, forms::FAREWELLS, (0, 1));
        text.push('\n');
        self.line(text, forms::GREETINGS, (1, 0));
        self.sentence(text, forms::REPLY_OPENINGS, (1, 0));
        self.stream.shuffle(&mut facts);
        for fact in &facts {
            let reply = self.say(fact.kind.reply, fact);
            add(text, &reply);
            if self.stream.one_in(2) {
                self.sentence(text, forms::LETTER_FILLERS, (1, 0));
            }
        }
        end_line(text);
        self.line(text, forms::FAREWELLS, (1, 0));
    }

    /// Short lines of facts, then questions.
    fn register(&mut self, text: &mut String) {
        let count = 5 + self.stream.index(4);
        let mut facts = self.facts(count);
        self.line(text, forms::REGISTER_TITLES, (0, 1));
        text.push('\n');
        for (number, fact) in (1..).zip(&facts) {
            let note = self.say(&[fact.kind.note], fact);
            for piece in [number.to_string().as_str(), ". ", &note, "\n"] {
                text.push_str(piece);
            }
        }
        self.filler(text);
        end_line(text);
        self.stream.shuffle(&mut facts);
        self.quiz(text, &facts);
    }

    fn quiz(&mut self, text: &mut String, facts: &[Fact]) {
        self.sentence(text, forms::QUIZ_OPENINGS, (0, 1));
        end_line(text);
        for fact in facts {
            let quiz = self.say(fact.kind.quiz, fact);
            add(text, &quiz);
            end_line(text);
        }
    }
}
