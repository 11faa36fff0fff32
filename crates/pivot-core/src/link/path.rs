//! Paths into an object: `spec.files[*].contentFrom.secret.name`, `metadata.labels["a.b/c"]`.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

/// A parsed path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    text: String,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// A field of an object.
    Field(String),
    /// Every element of an array.
    Each,
}

impl Path {
    /// All values at this path; none where a step leads nowhere.
    pub fn values<'a>(&self, root: &'a Value) -> Vec<&'a Value> {
        let mut found = vec![root];
        for step in &self.steps {
            found = match step {
                Step::Field(name) => found.into_iter().filter_map(|v| v.get(name)).collect(),
                Step::Each => found.into_iter().filter_map(Value::as_array).flatten().collect(),
            };
            if found.is_empty() {
                break;
            }
        }
        found
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Path {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix("[*]") {
                steps.push(Step::Each);
                rest = after;
            } else if let Some(quoted) = rest.strip_prefix("[\"") {
                let (name, after) = quoted
                    .split_once("\"]")
                    .ok_or_else(|| format!("`[\"` without `\"]` in path `{text}`"))?;
                steps.push(Step::Field(name.to_owned()));
                rest = after;
            } else {
                let plain = if steps.is_empty() {
                    rest
                } else {
                    rest.strip_prefix('.')
                        .ok_or_else(|| format!("`.` or `[` expected before `{rest}` in path `{text}`"))?
                };
                let end = plain.find(['.', '[']).unwrap_or(plain.len());
                if end == 0 {
                    return Err(format!("empty field name in path `{text}`"));
                }
                steps.push(Step::Field(plain[..end].to_owned()));
                rest = &plain[end..];
            }
        }
        if steps.is_empty() {
            return Err("a path cannot be empty".to_owned());
        }
        Ok(Self { text: text.to_owned(), steps })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(path: &str, value: &Value) -> Vec<Value> {
        path.parse::<Path>().unwrap().values(value).into_iter().cloned().collect()
    }

    #[test]
    fn walks_fields_arrays_and_quoted_keys() {
        let value = json!({"spec": {"files": [{"name": "a"}, {"name": "b"}, {}]}, "metadata": {"labels": {"a.b/c": "d"}}});
        assert_eq!(at("spec.files[*].name", &value), [json!("a"), json!("b")]);
        assert_eq!(at("metadata.labels[\"a.b/c\"]", &value), [json!("d")]);
        assert!(at("spec.none[*].name", &value).is_empty());
    }

    #[test]
    fn refuses_what_it_cannot_read() {
        for text in ["", ".a", "a..b", "a[\"b", "a[*]b", "a."] {
            assert!(text.parse::<Path>().is_err(), "{text:?} was taken");
        }
    }
}
