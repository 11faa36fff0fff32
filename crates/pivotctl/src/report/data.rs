//! Results for machines.

use serde::Serialize;

/// Indented JSON with a newline at its end.
pub(crate) fn json(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("BUG: a report does not serialize as JSON");
    text.push('\n');
    text
}

/// YAML with a newline at its end.
pub(crate) fn yaml(value: &impl Serialize) -> String {
    let mut text = serde_saphyr::to_string(value).expect("BUG: a report does not serialize as YAML");
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}
