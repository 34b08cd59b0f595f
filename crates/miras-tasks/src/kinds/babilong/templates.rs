//! What `BABILong` asks, and how.
//!
//! The texts are those of github.com/booydar/babilong (`babilong/prompts.py`, Apache-2.0), with their
//! slips, for results depend on them.

/// A task of bAbI in the form of `BABILong`.
pub(super) struct Template {
    pub(super) name: &'static str,
    instruction: &'static str,
    examples: &'static str,
    post_prompt: &'static str,
    /// All answers.
    pub(super) labels: &'static [&'static str],
    /// What a question looks like, from what stands in it to what an answer begins with.
    frame: Frame,
}

enum Frame {
    /// The answer is a label alone.
    Label,
    /// The question has these texts around what the answer takes up.
    Sentence {
        question: &'static [&'static str],
        /// Where a number stands, the text of that gap of the question belongs.
        answer: &'static str,
    },
}

const PLACES: &[&str] = &[
    "bathroom", "bedroom", "garden", "hallway", "kitchen", "office",
];

pub(super) const TEMPLATES: [Template; 5] = [
    Template {
        name: "qa1",
        instruction: "I will give you context with the facts about positions of different persons hidden in some random text and a question. You need to answer the question based only on the information from the facts. If a person was in different locations, use the latest location to answer the question.",
        examples: "<example>\nCharlie went to the hallway. Judith come back to the kitchen. Charlie travelled to balcony. Where is Charlie?\nAnswer: The most recent location of Charlie is balcony.\n</example>\n\n<example>\nAlan moved to the garage. Charlie went to the beach. Alan went to the shop. Rouse travelled to balcony. Where is Alan?\nAnswer: The most recent location of Alan is shop.\n</example>",
        post_prompt: "Always return your answer in the following format: The most recent location of ’person’ is ’location’. Do not write anything else after that.",
        labels: PLACES,
        frame: Frame::Sentence {
            question: &["Where is ", "?"],
            answer: "The most recent location of 0 is",
        },
    },
    Template {
        name: "qa2",
        instruction: "I give you context with the facts about locations and actions of different persons hidden in some random text and a question.You need to answer the question based only on the information from the facts.\nIf a person got an item in the first location and travelled to the second location the item is also in the second location. If a person dropped an item in the first location and moved to the second location the item remains in the first location.",
        examples: "<example>\nCharlie went to the kitchen. Charlie got a bottle. Charlie moved to the balcony. Where is the bottle?\nAnswer: The bottle is in the balcony.\n</example>\n<example>\nAlan moved to the garage. Alan got a screw driver. Alan moved to the kitchen. Where is the screw driver?\nAnswer: The screw driver is in the kitchen.\n</example>",
        post_prompt: "Always return your answer in the following format: The ’item’ is in ’location’. Do not write anything else after that.",
        labels: PLACES,
        frame: Frame::Sentence {
            question: &["Where is the ", "?"],
            answer: "The 0 is in the",
        },
    },
    Template {
        name: "qa3",
        instruction: "I give you context with the facts about locations and actions of different persons hidden in some random text and a question. You need to answer the question based only on the information from the facts.\nIf a person got an item in the first location and travelled to the second location the item is also in the second location. If a person dropped an item in the first location and moved to the second location the item remains in the first location",
        examples: "<example>\nJohn journeyed to the bedroom.Mary grabbed the apple. Mary went back to the bathroom. Daniel journeyed to the bedroom. Daniel moved to the garden. Mary travelled to the kitchen. Where was the apple before the kitchen?\nAnswer: Before the kitchen the apple was in the bathroom.\n</example>\n<example>\nJohn went back to the bedroom. John went back to the garden. John went back to the kitchen. Sandra took the football. Sandra travelled to the garden. Sandra journeyed to the bedroom. Where was the football before the bedroom?\nAnswer: Before the kitchen the football was in the garden.\n</example>",
        post_prompt: "Always return your answer in the following format: Before the $location_1& the $item$ was in the $location_2$. Do not write anything else after that.",
        labels: PLACES,
        frame: Frame::Sentence {
            question: &["Where was the ", " before the ", "?"],
            answer: "Before the 1 the 0 was in the",
        },
    },
    Template {
        name: "qa4",
        instruction: "I will give you context with the facts about different people, their location and actions, hidden in some random text and a question. You need to answer the question based only on the information from the facts.",
        examples: "<example>\nThe hallway is south of the kitchen. The bedroom is north of the kitchen. What is the kitchen south of?\nAnswer: bedroom\n</example>\n<example>\nThe garden is west of the bedroom. The bedroom is west of the kitchen. What is west of the bedroom?\nAnswer: garden\n</example>",
        post_prompt: "Your answer should contain only one word - location. Do not write anything else after that.",
        labels: PLACES,
        frame: Frame::Label,
    },
    Template {
        name: "qa5",
        instruction: "I will give you context with the facts about locations and their relations hidden in some random text and a question. You need to answer the question based only on the information from the facts.",
        examples: "<example>\nMary picked up the apple there. Mary gave the apple to Fred. Mary moved to the bedroom. Bill took the milk there. Who did Mary give the apple to?\nAnswer: Fred\n</example>\n<example>\nJeff took the football there. Jeff passed the football to Fred. Jeff got the milk there. Bill travelled to the bedroom. Who gave the football?\nAnswer: Jeff\n</example>\n<example>\nFred picked up the apple there. Fred handed the apple to Bill. Bill journeyed to the bedroom. Jeff went back to the garden. What did Fred give to Bill?\nAnswer: apple\n</example>",
        post_prompt: "Your answer should contain only one word. Do not write anything else after that. Do not explain your answer.",
        labels: &["Bill", "Fred", "Jeff", "Mary", "apple", "football", "milk"],
        frame: Frame::Label,
    },
];

impl Template {
    /// What is read before the context.
    pub(super) fn head(&self) -> String {
        let Self {
            instruction,
            examples,
            post_prompt,
            ..
        } = self;
        format!("{instruction}\n\n{examples}\n\n{post_prompt}\n\n<context>\n")
    }

    /// What is read behind it.
    pub(super) fn tail(question: &str) -> String {
        format!("\n</context>\n\nQuestion: {question}")
    }

    /// What an answer to a question begins with, up to the label; none if the question has another form.
    pub(super) fn lead(&self, question: &str) -> Option<String> {
        let Frame::Sentence {
            question: texts,
            answer,
        } = self.frame
        else {
            return Some("\nAnswer:".to_owned());
        };
        let mut rest = question.strip_prefix(texts[0])?;
        let mut lead = answer.to_owned();
        for (at, text) in texts[1..].iter().enumerate() {
            let (gap, behind) = rest.split_once(text)?;
            lead = lead.replace(&at.to_string(), gap);
            rest = behind;
        }
        Some(format!("\nAnswer: {lead}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_begins_as_in_the_examples() {
        for (at, question, expected) in [
            (0, "Where is Mary?", "The most recent location of Mary is"),
            (1, "Where is the milk?", "The milk is in the"),
            (
                2,
                "Where was the apple before the office?",
                "Before the office the apple was in the",
            ),
            (3, "What is north of the office?", ""),
        ] {
            let found = TEMPLATES[at].lead(question).unwrap();
            let expected = format!("\nAnswer: {expected}");
            assert_eq!(found, expected.trim_end(), "{question}");
        }
        assert_eq!(TEMPLATES[2].lead("Where is Mary?"), None);
        // What is read before a label is in the examples, with their names.
        for template in &TEMPLATES {
            assert!(template.examples.matches("Answer:").count() >= 2);
        }
    }
}
