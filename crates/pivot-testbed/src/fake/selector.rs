//! Label and field selectors.

use serde_json::Value;

/// Conditions that an object must meet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Selector {
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    /// A JSON pointer.
    pointer: String,
    test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Exists,
    Absent,
    In(Vec<String>),
    NotIn(Vec<String>),
}

impl Selector {
    /// Reads the two query parameters; an error is the message for a 400.
    pub(super) fn parse(labels: &str, fields: &str) -> Result<Self, String> {
        let mut conditions = Vec::new();
        for requirement in requirements(labels) {
            let (key, test) = label_requirement(requirement)
                .ok_or_else(|| format!("unable to parse requirement: {requirement}"))?;
            let key = key.replace('~', "~0").replace('/', "~1");
            conditions.push(Condition { pointer: format!("/metadata/labels/{key}"), test });
        }
        for requirement in requirements(fields) {
            let (key, test) =
                label_requirement(requirement).ok_or_else(|| format!("invalid selector: '{requirement}'"))?;
            let pointer = match key {
                "metadata.name" | "metadata.namespace" | "type" | "status.phase" => {
                    format!("/{}", key.replace('.', "/"))
                }
                _ => return Err(format!("field label not supported: {key}")),
            };
            conditions.push(Condition { pointer, test });
        }
        Ok(Self { conditions })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.conditions.is_empty()
    }

    pub(super) fn matches(&self, object: &Value) -> bool {
        self.conditions.iter().all(|condition| {
            let value = object.pointer(&condition.pointer).and_then(Value::as_str);
            match &condition.test {
                Test::Exists => value.is_some(),
                Test::Absent => value.is_none(),
                Test::In(allowed) => value.is_some_and(|value| allowed.iter().any(|a| a == value)),
                Test::NotIn(denied) => value.is_none_or(|value| denied.iter().all(|d| d != value)),
            }
        })
    }
}

/// Splits at commas outside parentheses.
fn requirements(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    text.split(move |c| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    })
    .map(str::trim)
    .filter(|part| !part.is_empty())
}

fn label_requirement(text: &str) -> Option<(&str, Test)> {
    let one = |value: &str| vec![value.trim().to_owned()];
    if let Some((key, values)) = text.split_once(" notin ") {
        return Some((key.trim(), Test::NotIn(list(values)?)));
    }
    if let Some((key, values)) = text.split_once(" in ") {
        return Some((key.trim(), Test::In(list(values)?)));
    }
    if let Some((key, value)) = text.split_once("!=") {
        return Some((key.trim(), Test::NotIn(one(value))));
    }
    if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return Some((key.trim(), Test::In(one(value))));
    }
    if text.contains(char::is_whitespace) {
        return None;
    }
    Some(text.strip_prefix('!').map_or((text, Test::Exists), |key| (key, Test::Absent)))
}

fn list(text: &str) -> Option<Vec<String>> {
    let inside = text.trim().strip_prefix('(')?.strip_suffix(')')?;
    Some(inside.split(',').map(|value| value.trim().to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn labels_and_fields_select() {
        let object = json!({"metadata": {"name": "a", "namespace": "n", "labels": {"x.io/k": "1", "e": ""}}});
        for (labels, fields, expected) in [
            ("", "", true),
            ("x.io/k=1,e", "metadata.name=a", true),
            ("x.io/k==2", "", false),
            ("x.io/k in (1, 2),!z", "metadata.namespace!=m", true),
            ("x.io/k notin (1,2)", "", false),
            ("z!=1", "", true),
            ("!e", "", false),
        ] {
            let selector = Selector::parse(labels, fields).unwrap();
            assert_eq!(selector.matches(&object), expected, "{labels} {fields}");
        }
        assert!(Selector::parse("a b", "").is_err());
        assert!(Selector::parse("", "spec.x=1").is_err());
    }
}
