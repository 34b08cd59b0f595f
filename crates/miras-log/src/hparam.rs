//! Values of hyperparameters.

use protobuf::well_known_types::{Value, Value_oneof_kind};
use tensorboard_proto::api::DataType;

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
    pub(crate) fn data_type(&self) -> DataType {
        match self {
            Self::Number(number) if number.is_finite() => DataType::DATA_TYPE_FLOAT64,
            Self::String(_) | Self::Number(_) | Self::Absent => DataType::DATA_TYPE_STRING,
            Self::Bool(_) => DataType::DATA_TYPE_BOOL,
        }
    }

    /// `None` if there is no value.
    pub(crate) fn to_proto(&self) -> Option<Value> {
        let mut value = Value::new();
        match self {
            Self::Absent => return None,
            Self::String(text) => value.set_string_value(text.clone()),
            Self::Number(number) if number.is_finite() => value.set_number_value(*number),
            Self::Number(number) => value.set_string_value(number.to_string()),
            Self::Bool(switch) => value.set_bool_value(*switch),
        }
        Some(value)
    }

    pub(crate) fn from_proto(value: &Value) -> Option<Self> {
        match value.kind.as_ref()? {
            Value_oneof_kind::string_value(text) => Some(Self::String(text.clone())),
            Value_oneof_kind::number_value(number) => Some(Self::Number(*number)),
            Value_oneof_kind::bool_value(switch) => Some(Self::Bool(*switch)),
            _ => None,
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
