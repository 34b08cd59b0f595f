//! The last writer of each key of the merged table.

use std::{collections::BTreeMap, ops::Range};

use crate::{
    error::ConfigError,
    layer::{Kind, Layer, Source, Spans},
    origin::Origin,
    path,
};

/// The last writer of a key.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    /// The number of the layer.
    pub(crate) layer: usize,
    /// The first layer since which the key has had its present value.
    pub(crate) since: usize,
    pub(crate) spans: Spans,
}

#[derive(Debug, Default)]
pub(crate) struct Marks {
    sources: Vec<Source>,
    by_path: BTreeMap<String, Mark>,
}

impl Marks {
    /// Adds the source of the open layer, which ends it.
    pub(crate) fn close_layer(&mut self, source: Source) {
        self.sources.push(source);
    }

    /// The number of the layer that is being merged.
    pub(crate) fn open_layer(&self) -> usize {
        self.sources.len()
    }

    pub(crate) fn get(&self, path: &str) -> Option<&Mark> {
        self.by_path.get(path)
    }

    /// Marks `path` alone as written by the open layer.
    pub(crate) fn touch(&mut self, path: &str, spans: Spans) {
        let layer = self.open_layer();
        let mark = Mark {
            layer,
            since: layer,
            spans,
        };
        self.by_path.insert(path.to_owned(), mark);
    }

    /// Marks `path` and everything in it as written by `layer`, the open one.
    pub(crate) fn replace(&mut self, path: &str, layer: &Layer) {
        self.forget(path);
        for (inner, spans) in &layer.spans {
            if path::is_at_or_inside(inner, path) {
                self.touch(inner, spans.clone());
            }
        }
    }

    /// Notes that `path` has had its value since an earlier layer.
    pub(crate) fn backdate(&mut self, path: &str, since: usize) {
        if let Some(mark) = self.by_path.get_mut(path) {
            mark.since = since;
        }
    }

    /// Marks `PATH.kind` as written where `path` is.
    pub(crate) fn add_kind(&mut self, path: &str) {
        if let Some(mark) = self.by_path.get(path) {
            self.by_path.insert(path::join(path, "kind"), mark.clone());
        }
    }

    /// What was written at and inside one path is shown at another as well.
    pub(crate) fn copy(&mut self, from: &str, to: &str) {
        let copies: Vec<(String, Mark)> = (self.by_path.iter())
            .filter(|(path, _)| path::is_at_or_inside(path, from))
            .map(|(path, mark)| (format!("{to}{}", &path[from.len()..]), mark.clone()))
            .collect();
        self.by_path.extend(copies);
    }

    pub(crate) fn forget(&mut self, path: &str) {
        self.by_path
            .retain(|inner, _| !path::is_at_or_inside(inner, path));
    }

    /// Whether an assignment wrote `path`, such as `--set`.
    pub(crate) fn is_assigned(&self, path: &str) -> bool {
        let source = |mark: &Mark| self.sources.get(mark.layer);
        (self.get(path).and_then(source)).is_some_and(|source| source.kind.is_assignment())
    }

    /// Whether a flag of the command line wrote `path`.
    pub(crate) fn is_flag(&self, path: &str) -> bool {
        self.place(path)
            .is_some_and(|(source, _)| source.kind == Kind::Set)
    }

    /// The value of `path` as it is written.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        let (source, spans) = self.place(path)?;
        source.text.get(spans.value.clone())
    }

    /// An assignment, in words, that wrote something inside `path` other than `but`.
    pub(crate) fn assigned_inside(&self, path: &str, but: &str) -> Option<String> {
        let inside = self.by_path.iter().find(|(inner, mark)| {
            path::is_inside(inner, path)
                && *inner != but
                && self.sources[mark.layer].kind.is_assignment()
        });
        inside.map(|(_, mark)| self.in_words(mark))
    }

    /// The assignment that wrote `path`, in words.
    pub(crate) fn assignment(&self, path: &str) -> String {
        self.get(path)
            .map_or(String::new(), |mark| self.in_words(mark))
    }

    fn in_words(&self, mark: &Mark) -> String {
        self.sources[mark.layer].assignment(&mark.spans.key)
    }

    /// The spans of everything inside `at`, by the rest of the path.
    pub(crate) fn inside(&self, at: &str) -> BTreeMap<String, Spans> {
        (self.by_path.iter())
            .filter(|(path, _)| path::is_inside(path, at))
            .map(|(path, mark)| (path[at.len()..].to_owned(), mark.spans.clone()))
            .collect()
    }

    /// The text that holds `path`, and where in it.
    pub(crate) fn place(&self, path: &str) -> Option<(&Source, &Spans)> {
        (self.get(path)).map(|mark| (&self.sources[mark.layer], &mark.spans))
    }

    /// Whether a file or `--set` wrote `path` or something in it.
    pub(crate) fn is_from_user(&self, path: &str) -> bool {
        self.by_path.iter().any(|(inner, mark)| {
            path::is_at_or_inside(inner, path) && self.sources[mark.layer].kind != Kind::BuiltIn
        })
    }

    /// The line that wrote `path`.
    pub(crate) fn origin(&self, path: &str) -> Option<Origin> {
        self.get(path).map(|mark| self.origin_of(mark))
    }

    /// Every path with its origin.
    pub(crate) fn origins(&self) -> BTreeMap<String, Origin> {
        self.by_path
            .iter()
            .map(|(path, mark)| (path.clone(), self.origin_of(mark)))
            .collect()
    }

    fn origin_of(&self, mark: &Mark) -> Origin {
        let source = &self.sources[mark.layer];
        match source.kind {
            Kind::Set => Origin::Set,
            Kind::BuiltIn | Kind::File | Kind::Assigned => Origin::Line {
                source: source.name.clone(),
                line: source.line(mark.spans.key.start),
            },
        }
    }

    /// An error at the value of `path`.
    pub(crate) fn value_error(&self, path: &str, message: impl Into<String>) -> ConfigError {
        self.error(path, message, |spans| &spans.value)
    }

    /// An error at the key of `path`.
    pub(crate) fn key_error(&self, path: &str, message: impl Into<String>) -> ConfigError {
        self.error(path, message, |spans| &spans.key)
    }

    fn error(
        &self,
        path: &str,
        message: impl Into<String>,
        span: impl Fn(&Spans) -> &Range<usize>,
    ) -> ConfigError {
        let error = ConfigError::new(message);
        if let Some(mark) = self.get(path) {
            let source = &self.sources[mark.layer];
            let subject = match mark.spans.written_as {
                Some(old) => format!("{path}, written as {old}"),
                None => path.to_owned(),
            };
            return error.at(source.excerpt(span(&mark.spans)), &subject);
        }
        let parent = self
            .by_path
            .iter()
            .filter(|(parent, _)| path::is_inside(path, parent))
            .max_by_key(|(parent, _)| parent.len());
        match parent {
            Some((_, mark)) => error.at(
                self.sources[mark.layer].excerpt(&mark.spans.value),
                &format!("{path}, a default"),
            ),
            None => error.at_default(path),
        }
    }
}

/// The message that one assignment discards another.
pub(crate) fn discards(later: &str, earlier: &str) -> String {
    format!("{later} discards the earlier {earlier}")
}
