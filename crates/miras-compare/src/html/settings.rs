//! What was the same in all runs, and what was not.

use maud::{Markup, html};
use serde_json::Value;

use super::breakable;
use crate::comparison::Comparison;
use crate::comparison::label::in_words;
use crate::input::Settings;
use crate::table::number::UNKNOWN;

/// A row a variant, a column a key.
pub(super) fn differing(comparison: &Comparison) -> Markup {
    let cell = |settings: &Settings, key: &str| {
        settings
            .get(key)
            .map_or_else(|| UNKNOWN.to_owned(), in_words)
    };
    html! {
        @if !comparison.differing.is_empty() {
            h2 { "What differs" }
            div.wide {
                table {
                    thead { tr {
                        th { "variant" }
                        @for key in &comparison.differing { th { (breakable(key)) } }
                    } }
                    tbody { @for variant in &comparison.variants {
                        tr {
                            td { (variant.label) }
                            @for key in &comparison.differing {
                                td { (breakable(&cell(&variant.settings, key))) }
                            }
                        }
                    } }
                }
            }
        }
    }
}

pub(super) fn common(comparison: &Comparison) -> Markup {
    html! {
        h2 { "What was the same" }
        details {
            summary { (comparison.common.len()) " settings" }
            pre { (listing(&comparison.common)) }
        }
        p.note {
            "Seeds, devices, time limits, what is done about steps that are not finite, and how \
             often runs are logged, evaluated and kept are left aside."
        }
    }
}

pub(super) fn each(comparison: &Comparison) -> Markup {
    html! {
        h2 { "Configurations" }
        @for variant in &comparison.variants {
            details {
                summary { (variant.label) }
                pre { (listing(&variant.settings)) }
            }
        }
    }
}

/// Settings as TOML with dotted keys.
fn listing(settings: &Settings) -> String {
    let lines = settings.iter().map(|(key, value)| match value {
        // The escapes of JSON are among those of TOML.
        Value::String(_) | Value::Array(_) => format!("{key} = {value}\n"),
        value => format!("{key} = {}\n", in_words(value)),
    });
    lines.collect()
}
