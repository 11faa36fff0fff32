//! Command lines to type next, with the flags that name the same clusters and the same selection.

use std::fmt::Write;
use std::path::Path;

use crate::args::{GlobalArgs, SelectionArgs};
use crate::program::Program;

/// A command line that is being put together.
#[derive(Clone, Debug)]
pub(crate) struct NextCommand(String);

impl NextCommand {
    /// A verb on the same clusters and namespaces.
    pub(crate) fn new(program: Program, verb: &str, global: &GlobalArgs) -> Self {
        let mut next = Self(format!("{} {verb}", program.name()));
        for (flag, path) in [("--kubeconfig", &global.kubeconfig), ("--to-kubeconfig", &global.to_kubeconfig)]
        {
            next = next.maybe(flag, path.as_deref().map(|path| path.to_string_lossy()).as_deref());
        }
        next = next
            .maybe("--kubeconfig-context", global.kubeconfig_context.as_deref())
            .maybe("--to-kubeconfig-context", global.to_kubeconfig_context.as_deref());
        for namespace in &global.namespaces {
            next = next.with("-n", namespace);
        }
        if global.all_namespaces {
            next.0.push_str(" -A");
        }
        next
    }

    /// And the same selection.
    pub(crate) fn selecting(mut self, selection: &SelectionArgs) -> Self {
        for cluster in &selection.filter_cluster {
            self = self.with("--filter-cluster", cluster);
        }
        for file in &selection.links {
            self = self.with_path("--links", file);
        }
        self
    }

    /// A flag with its value.
    pub(crate) fn with(mut self, flag: &str, value: &str) -> Self {
        write!(self.0, " {flag} {}", quoted(value)).expect("BUG: writing to a string failed");
        self
    }

    /// A flag with a path.
    pub(crate) fn with_path(self, flag: &str, path: &Path) -> Self {
        self.with(flag, &path.to_string_lossy())
    }

    /// The line.
    pub(crate) fn line(&self) -> &str {
        &self.0
    }

    fn maybe(self, flag: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(flag, value),
            None => self,
        }
    }
}

/// As a shell takes it for one word.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(quoted("a-b/c.yaml"), "a-b/c.yaml");
        assert_eq!(quoted("my file"), "'my file'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
