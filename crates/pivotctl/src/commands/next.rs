//! Command lines to type next, with the flags that name the same clusters and the same selection.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use pivot_core::record::{FenceMode, Terms};

use crate::args::{Fence, FenceArgs, GlobalArgs, SelectionArgs};
use crate::program::Program;

/// A command line that is being put together.
#[derive(Clone, Debug)]
pub(crate) struct NextCommand(String);

/// The flags that name the two clusters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sides {
    kubeconfig: Option<PathBuf>,
    kubeconfig_context: Option<String>,
    to_kubeconfig: Option<PathBuf>,
    to_kubeconfig_context: Option<String>,
}

impl Sides {
    /// As they were given.
    pub(crate) fn of(global: &GlobalArgs) -> Self {
        let GlobalArgs { kubeconfig, kubeconfig_context, to_kubeconfig, to_kubeconfig_context, .. } =
            global.clone();
        Self { kubeconfig, kubeconfig_context, to_kubeconfig, to_kubeconfig_context }
    }

    /// Source and target exchanged. `default` is the kubeconfig that counts where none is named.
    pub(crate) fn exchanged(self, default: Option<&Path>) -> Self {
        let Self { kubeconfig, kubeconfig_context, to_kubeconfig, to_kubeconfig_context } = self;
        // A context alone is one of the source's file.
        let target = to_kubeconfig.or_else(|| to_kubeconfig_context.as_ref().and(kubeconfig.clone()));
        let source =
            kubeconfig.or_else(|| default.map(Path::to_owned)).unwrap_or_else(|| PathBuf::from("FILE"));
        Self {
            kubeconfig: target,
            kubeconfig_context: to_kubeconfig_context,
            to_kubeconfig: Some(source),
            to_kubeconfig_context: kubeconfig_context,
        }
    }
}

impl NextCommand {
    /// A verb on two clusters.
    pub(crate) fn new(program: Program, verb: &str, sides: &Sides) -> Self {
        let mut next = Self(format!("{} {verb}", program.name()));
        for (flag, path) in [("--kubeconfig", &sides.kubeconfig), ("--to-kubeconfig", &sides.to_kubeconfig)] {
            next = next.maybe(flag, path.as_deref().map(|path| path.to_string_lossy()).as_deref());
        }
        next.maybe("--kubeconfig-context", sides.kubeconfig_context.as_deref())
            .maybe("--to-kubeconfig-context", sides.to_kubeconfig_context.as_deref())
    }

    /// In the same namespaces.
    pub(crate) fn in_namespaces(mut self, global: &GlobalArgs) -> Self {
        for namespace in &global.namespaces {
            self = self.with("-n", namespace);
        }
        if global.all_namespaces { self.flag("-A") } else { self }
    }

    /// Of what was asked for before.
    pub(crate) fn of_terms(mut self, terms: &Terms) -> Self {
        match &terms.namespaces {
            Some(names) => {
                for name in names {
                    self = self.with("-n", name);
                }
            }
            None => self = self.flag("-A"),
        }
        for cluster in &terms.clusters {
            self = self.with("--filter-cluster", cluster);
        }
        for _ in &terms.links {
            // The record keeps what the file said, and not where it was.
            self = self.with("--links", "FILE");
        }
        if terms.fence == FenceMode::Pause { self.with("--fence", "pause") } else { self }
    }

    /// With the same fence.
    pub(crate) fn fenced(self, fence: FenceArgs) -> Self {
        if fence.fence == Fence::Pause { self.with("--fence", "pause") } else { self }
    }

    /// A flag without a value.
    pub(crate) fn flag(mut self, flag: &str) -> Self {
        self.0.push(' ');
        self.0.push_str(flag);
        self
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

    fn exchanged(sides: Sides) -> String {
        let sides = sides.exchanged(Some(Path::new("/home/a/.kube/config")));
        NextCommand::new(Program::of(None), "move", &sides).line().to_owned()
    }

    #[test]
    fn sides_are_exchanged_wherever_they_came_from() {
        let (file, other) = (Some(PathBuf::from("a.yaml")), Some(PathBuf::from("b.yaml")));
        let context = |name: &str| Some(name.to_owned());
        let both = Sides { kubeconfig: file.clone(), to_kubeconfig: other.clone(), ..Sides::default() };
        assert_eq!(exchanged(both), "pivotctl move --kubeconfig b.yaml --to-kubeconfig a.yaml");
        let one_file = Sides { kubeconfig: file, to_kubeconfig_context: context("mgmt"), ..Sides::default() };
        assert_eq!(
            exchanged(one_file),
            "pivotctl move --kubeconfig a.yaml --to-kubeconfig a.yaml --kubeconfig-context mgmt"
        );
        let default = Sides { to_kubeconfig: other, ..Sides::default() };
        assert_eq!(
            exchanged(default),
            "pivotctl move --kubeconfig b.yaml --to-kubeconfig /home/a/.kube/config"
        );
    }

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(quoted("a-b/c.yaml"), "a-b/c.yaml");
        assert_eq!(quoted("my file"), "'my file'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
