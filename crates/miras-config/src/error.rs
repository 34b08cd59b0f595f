//! The error type of this crate, shown like an error of a compiler.

use std::{fmt, ops::Range};

/// One or more mistakes in the configuration, each with its line.
///
/// `Display` gives the whole report of each, from `error:` to the help line, with an empty line
/// between two and without a newline at the end.
#[derive(Debug, Clone)]
pub struct ConfigError {
    first: Box<Report>,
    others: Vec<Report>,
}

#[derive(Debug, Clone)]
struct Report {
    message: String,
    place: Option<Place>,
    help: Option<String>,
    /// Whether the cause is a disk or a file, and not the configuration.
    is_outside: bool,
}

#[derive(Debug, Clone)]
enum Place {
    /// A part of the text of a layer, and what it is.
    Text { excerpt: Excerpt, subject: String },
    /// A value that no layer wrote.
    Default { path: String },
}

/// One line of a text, with a part of it underlined.
#[derive(Debug, Clone)]
pub(crate) struct Excerpt {
    source: String,
    number: usize,
    text: String,
    /// Characters before the underlined part.
    before: usize,
    underlined: usize,
}

impl ConfigError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            first: Box::new(Report {
                message: message.into(),
                place: None,
                help: None,
                is_outside: false,
            }),
            others: Vec::new(),
        }
    }

    /// All mistakes as one error, each once, grouped by file and in the order of the lines; `None`
    /// if there are none.
    pub fn join(errors: impl IntoIterator<Item = Self>) -> Option<Self> {
        let errors = errors.into_iter();
        let mut reports: Vec<Report> = errors
            .flat_map(|error| std::iter::once(*error.first).chain(error.others))
            .collect();
        let mut sources: Vec<String> = Vec::new();
        for report in &reports {
            if let Some((source, _)) = report.line()
                && !sources.iter().any(|known| known == source)
            {
                sources.push(source.to_owned());
            }
        }
        reports.sort_by_key(|report| {
            let (source, line) = report.line()?;
            let at = sources.iter().position(|known| known == source)?;
            // Mistakes without a line come first.
            Some((at, line))
        });
        let mut each: Vec<Report> = Vec::new();
        for report in reports {
            if !each.iter().any(|known| known.says_the_same(&report)) {
                each.push(report);
            }
        }
        let mut each = each.into_iter();
        Some(Self {
            first: Box::new(each.next()?),
            others: each.collect(),
        })
    }

    /// Points at a piece of text; `subject` says what it is, if that is known.
    pub(crate) fn at(mut self, excerpt: Excerpt, subject: &str) -> Self {
        self.first.place = Some(Place::Text {
            excerpt,
            subject: subject.to_owned(),
        });
        self
    }

    /// Notes that no layer wrote `path`.
    pub(crate) fn at_default(mut self, path: &str) -> Self {
        self.first.place = Some(Place::Default {
            path: path.to_owned(),
        });
        self
    }

    /// What is wrong, without its place; of several mistakes the first.
    pub fn message(&self) -> &str {
        &self.first.message
    }

    /// What to do about it, if that is known.
    pub fn advice(&self) -> Option<&str> {
        self.first.help.as_deref()
    }

    /// How many mistakes it holds.
    pub fn count(&self) -> usize {
        1 + self.others.len()
    }

    /// Marks the cause as a disk or a file, and not the configuration.
    #[must_use]
    pub fn outside(mut self) -> Self {
        self.first.is_outside = true;
        self
    }

    /// Whether the cause is a disk or a file, and not the configuration.
    pub fn is_outside(&self) -> bool {
        self.first.is_outside && self.others.iter().all(|other| other.is_outside)
    }

    pub(crate) fn help(mut self, help: impl Into<Option<String>>) -> Self {
        self.first.help = help.into();
        self
    }

    /// Adds help if there is none yet.
    pub(crate) fn or_help(self, help: impl FnOnce() -> String) -> Self {
        if self.first.help.is_some() {
            self
        } else {
            self.help(help())
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        for report in &self.others {
            write!(f, "\n\n{report}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

impl Report {
    /// Whether another one is about the same key in the same line, with the same words.
    fn says_the_same(&self, other: &Self) -> bool {
        let subject = |report: &Self| match &report.place {
            Some(Place::Text { subject, .. } | Place::Default { path: subject }) => subject.clone(),
            None => String::new(),
        };
        self.message == other.message
            && self.line() == other.line()
            && subject(self) == subject(other)
    }

    /// The text and the number of the line that it points at.
    fn line(&self) -> Option<(&str, usize)> {
        match &self.place {
            Some(Place::Text { excerpt, .. }) => Some((&excerpt.source, excerpt.number)),
            Some(Place::Default { .. }) | None => None,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            message,
            place,
            help,
            is_outside: _,
        } = self;
        write!(f, "error: {message}")?;
        let mut margin = 1;
        match place {
            Some(Place::Text { excerpt, subject }) => {
                margin = excerpt.number.to_string().len();
                excerpt.draw(f, margin, subject)?;
            }
            Some(Place::Default { path }) => write!(f, "\n --> default value  ({path})")?,
            None => {}
        }
        if let Some(help) = help {
            write!(f, "\n{:margin$} = help: {help}", "")?;
        }
        Ok(())
    }
}

impl Excerpt {
    /// A part of the text called `source`; one that spans several lines is cut after the first.
    pub(crate) fn new(source: &str, text: &str, span: &Range<usize>) -> Self {
        // A place at the end of the text is shown at the last line that is not empty.
        let start = text.floor_char_boundary(span.start.min(text.trim_end().len()));
        let end = text.floor_char_boundary(span.end).max(start);
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line = text[line_start..].lines().next().unwrap_or_default();
        let end = end.min(line_start + line.len()).max(start);
        Self {
            source: source.to_owned(),
            number: line_at(text, start),
            text: line.to_owned(),
            before: text[line_start..start].chars().count(),
            underlined: text[start..end].chars().count().max(1),
        }
    }

    fn draw(&self, f: &mut fmt::Formatter<'_>, margin: usize, subject: &str) -> fmt::Result {
        let Self {
            source,
            number,
            text,
            before,
            underlined,
        } = self;
        write!(f, "\n{:margin$}--> {source}:{number}:{}", "", before + 1)?;
        if !subject.is_empty() {
            write!(f, "  ({subject})")?;
        }
        // Tabs stay tabs, so that the carets line up with any tab width.
        let indent: String = text
            .chars()
            .take(*before)
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        let carets = "^".repeat(*underlined);
        let line = format!("{number} | {text}");
        let line = line.trim_end();
        write!(
            f,
            "\n{:margin$} |\n{line}\n{:margin$} | {indent}{carets}",
            "", ""
        )
    }
}

/// The number of the line, counted from 1, at a byte offset.
pub(crate) fn line_at(text: &str, offset: usize) -> usize {
    let offset = text.floor_char_boundary(offset);
    text[..offset].matches('\n').count() + 1
}
