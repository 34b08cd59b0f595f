//! Values of hyperparameters.

use crate::schema::json;
use crate::wire::Message;

/// The value of one hyperparameter on TensorBoard's HParams page.
#[derive(Debug, Clone, PartialEq)]
pub enum HParam {
    /// A name, such as the kind of a part.
    String(String),
    /// A number. Non-finite ones are written as strings, since TensorBoard
    /// leaves out a column value that JSON cannot hold.
    Number(f64),
    /// A switch.
    Bool(bool),
    /// A column without a value in this run. It is declared too, because TensorBoard takes the
    /// columns of all runs from one of them.
    Absent,
}

impl HParam {
    /// The type of its column, an enum of TensorBoard.
    pub(crate) fn data_type(&self) -> u64 {
        match self {
            Self::Number(number) if number.is_finite() => 3,
            Self::String(_) | Self::Number(_) | Self::Absent => 1,
            Self::Bool(_) => 2,
        }
    }

    /// `None` if there is no value.
    pub(crate) fn to_message(&self) -> Option<Message> {
        let message = Message::default();
        match self {
            Self::Absent => None,
            Self::String(text) => Some(message.bytes(json::STRING, text)),
            Self::Number(number) if number.is_finite() => {
                Some(message.double(json::NUMBER, *number))
            }
            Self::Number(number) => Some(message.bytes(json::STRING, number.to_string())),
            Self::Bool(switch) => Some(message.int(json::BOOL, u64::from(*switch))),
        }
    }
}

impl From<&str> for HParam {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for HParam {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<f64> for HParam {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for HParam {
    fn from(switch: bool) -> Self {
        Self::Bool(switch)
    }
}
