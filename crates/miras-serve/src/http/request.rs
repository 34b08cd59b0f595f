//! Keys of requests.

use miras_config::did_you_mean;
use serde_json::{Map, Value};

use crate::error::ApiError;

/// The keys of a request, taken out one by one.
pub(super) struct Keys {
    fields: Map<String, Value>,
    known: Vec<&'static str>,
}

impl Keys {
    pub(super) fn new(fields: Map<String, Value>) -> Self {
        Self {
            fields,
            known: Vec::new(),
        }
    }

    /// A key; null counts as none.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.fields.remove(key).filter(|value| !value.is_null())
    }

    fn typed<T>(
        &mut self,
        key: &'static str,
        what: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<T>, ApiError> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        let wrong = || ApiError::key(key, format!("`{key}` must be {what}, not {value}"));
        read(&value).map(Some).ok_or_else(wrong)
    }

    pub(super) fn text(&mut self, key: &'static str) -> Result<Option<String>, ApiError> {
        self.typed(key, "a text", |value| value.as_str().map(str::to_owned))
    }

    /// A text that has to be there.
    pub(super) fn needed_text(&mut self, key: &'static str) -> Result<String, ApiError> {
        let missing = || ApiError::key(key, format!("`{key}` is missing"));
        self.text(key)?.ok_or_else(missing)
    }

    pub(super) fn flag(&mut self, key: &'static str) -> Result<bool, ApiError> {
        let found = self.typed(key, "true or false", Value::as_bool)?;
        Ok(found.unwrap_or(false))
    }

    pub(super) fn number(&mut self, key: &'static str) -> Result<Option<f64>, ApiError> {
        self.typed(key, "a number", Value::as_f64)
    }

    /// A whole number within bounds.
    pub(super) fn count(
        &mut self,
        key: &'static str,
        [least, most]: [usize; 2],
    ) -> Result<Option<usize>, ApiError> {
        let what = format!("a whole number from {least} to {most}");
        let within = |count: &usize| (least..=most).contains(count);
        self.typed(key, &what, |value| {
            let count = value.as_u64().and_then(|count| usize::try_from(count).ok());
            count.filter(within)
        })
    }

    pub(super) fn texts(&mut self, key: &'static str) -> Result<Vec<String>, ApiError> {
        let found = self.typed(key, "a text or a list of texts", |value| match value {
            Value::String(text) => Some(vec![text.clone()]),
            Value::Array(texts) => texts
                .iter()
                .map(|text| text.as_str().map(str::to_owned))
                .collect(),
            _ => None,
        })?;
        Ok(found.unwrap_or_default())
    }

    /// Refuses a key that would change the reply and is not carried out.
    pub(super) fn refuse(&mut self, key: &'static str, idle: &[Value]) -> Result<(), ApiError> {
        match self.take(key) {
            Some(value) if !idle.contains(&value) => Err(ApiError::key(
                key,
                format!("`{key}` is not supported: leave it out"),
            )),
            _ => Ok(()),
        }
    }

    /// Keys that nothing here knows: an error if one looks misspelled, else their names.
    pub(super) fn rest(self) -> Result<Vec<String>, ApiError> {
        for name in self.fields.keys() {
            if let Some(hint) = did_you_mean(name, self.known.iter().copied()) {
                let message = format!("`{name}` is no key of this request: did you mean `{hint}`?");
                return Err(ApiError::key(name, message));
            }
        }
        Ok(self.fields.keys().cloned().collect())
    }
}
