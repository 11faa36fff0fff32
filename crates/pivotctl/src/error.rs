//! Errors at the edge: a stable id, what happened, what to do, and the exit code.

mod generate;
mod host;
mod ironic;
mod leases;
mod recover;
mod wait;

use std::path::Path;

use pivot::cluster::discovery::DiscoveryError;
use pivot::cluster::{ConnectError, Failure, KubeconfigError};
use pivot::describe::DescribeError;
use pivot::directory::DirectoryError;
use pivot::survey::SurveyError;
use pivot_core::link::LinkRulesError;
use pivot_core::machine::Side;
use pivot_core::plan::PlanFileError;

use crate::exit::Exit;
use crate::ui::printer::Printer;
use crate::ui::theme::{ERROR, HINT};

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct CommandError {
    /// Stable id in kebab case; each has a page in the book.
    pub(crate) id: &'static str,
    /// What happened, as a lowercase fragment.
    pub(crate) message: String,
    /// More of it, a line each.
    pub(crate) details: Vec<String>,
    /// One next step.
    pub(crate) hint: Option<String>,
    /// Exit code.
    pub(crate) exit: Exit,
}

impl CommandError {
    /// The command line, or a file that it names, cannot be used.
    pub(crate) fn usage(id: &'static str, message: impl Into<String>) -> Self {
        Self { id, message: message.into(), details: vec![], hint: None, exit: Exit::Usage }
    }

    /// It failed, and nothing was changed.
    pub(crate) fn failed(id: &'static str, message: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, ..Self::usage(id, message) }
    }

    /// The user did not want to wait, and nothing was written.
    pub(crate) fn interrupted() -> Self {
        Self {
            exit: Exit::Interrupted,
            ..Self::usage("interrupted", "interrupted before anything was written")
        }
    }

    /// With the next step.
    #[must_use]
    pub(crate) fn hinted(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// With more lines.
    #[must_use]
    pub(crate) fn with_details(self, details: Vec<String>) -> Self {
        Self { details, ..self }
    }

    /// Writes it to standard error.
    pub(crate) fn print(&self, printer: Printer) {
        printer.note(format_args!("{ERROR}error[{}]{ERROR:#}: {}", self.id, self.message));
        for detail in &self.details {
            printer.note(format_args!("  {detail}"));
        }
        if let Some(hint) = &self.hint {
            printer.note(format_args!("  {HINT}hint{HINT:#}: {hint}"));
        }
    }

    /// A kubeconfig that leads to no cluster.
    pub(crate) fn connect(side: Side, error: &ConnectError) -> Self {
        let (file, context) = match side {
            Side::Source => ("--kubeconfig", "--kubeconfig-context"),
            Side::Target => ("--to-kubeconfig", "--to-kubeconfig-context"),
        };
        let (id, hint) = match error {
            ConnectError::Kubeconfig(error) => match error {
                KubeconfigError::NoFile => ("kubeconfig-missing", format!("name a file with {file}")),
                KubeconfigError::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                    ("kubeconfig-missing", format!("name another file with {file}"))
                }
                KubeconfigError::Read { .. } => {
                    ("kubeconfig-unreadable", "make the file readable for yourself".to_owned())
                }
                KubeconfigError::Malformed { .. } => (
                    "kubeconfig-malformed",
                    format!("correct the file at that place, or name another one with {file}"),
                ),
                KubeconfigError::NoContext { .. } => {
                    ("context-missing", format!("choose a context with {context}"))
                }
                KubeconfigError::UnknownContext { .. } => {
                    ("context-unknown", format!("choose one of these with {context}"))
                }
                KubeconfigError::Dangling { .. } => (
                    "context-dangling",
                    format!("correct the kubeconfig, or choose another context with {context}"),
                ),
            },
            ConnectError::Cluster { .. } => {
                ("kubeconfig-cluster", "correct this cluster in the kubeconfig".to_owned())
            }
            ConnectError::User { .. } => {
                ("kubeconfig-user", "correct this user in the kubeconfig, or log in again".to_owned())
            }
        };
        Self::usage(id, format!("{side}: {error}")).hinted(hint)
    }

    /// A file that cannot be read.
    pub(crate) fn unreadable(what: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::usage("file-unreadable", format!("cannot read {what} {}: {error}", path.display()))
            .hinted("check the path and that you may read the file")
    }

    /// A file or stream that cannot be written.
    pub(crate) fn unwritable(what: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::failed("file-unwritable", format!("cannot write {what} {}: {error}", path.display()))
            .hinted("name a path that you may write")
    }

    /// A links file that cannot be used.
    pub(crate) fn links_file(path: &Path, error: &LinkRulesError) -> Self {
        let path = path.display().to_string();
        // The parser shows the lines around the place, of a file whose name it does not know.
        let text = error.to_string().replace("<input>", &path);
        let mut lines = text.trim_start_matches("error: ").lines().map(str::to_owned);
        let problem = lines.next().unwrap_or_default();
        Self::usage("links-malformed", format!("links file {path}: {problem}"))
            .with_details(lines.collect())
            .hinted("correct the file at that place; docs/links.md describes the format")
    }

    /// A plan file that cannot be used.
    pub(crate) fn plan_file(path: &Path, error: &PlanFileError) -> Self {
        let id = match error {
            PlanFileError::Format(_) => "plan-malformed",
            PlanFileError::Version { .. } => "plan-version",
            PlanFileError::Damaged => "plan-damaged",
        };
        Self::usage(id, format!("{}: {error}", path.display())).hinted("make a new one with `plan --out`")
    }

    /// Flags that exclude each other.
    pub(crate) fn flags_conflict(one: &str, other: &str) -> Self {
        Self::usage("flags-conflict", format!("{one} cannot be used with {other}"))
            .hinted(format!("leave out one of {one} and {other}"))
    }
}

impl From<SurveyError> for CommandError {
    fn from(error: SurveyError) -> Self {
        let (id, hint) = of_failure(error.failure());
        Self::failed(id, error.to_string()).hinted(hint)
    }
}

/// Id and hint for a request that a cluster did not answer as it should.
fn of_failure(failure: &Failure) -> (&'static str, &'static str) {
    match failure {
        Failure::NotSent { .. } => (
            "cluster-unreachable",
            "check that the server of the kubeconfig runs and can be reached from here",
        ),
        Failure::Unknown { .. } => {
            ("no-answer", "check the connection to the server, then run the command again")
        }
        Failure::Refused(refusal) => match refusal.status {
            401 => ("not-authenticated", "log in again, or correct the user in the kubeconfig"),
            403 => ("forbidden", "ask for this permission, or use a kubeconfig that has it"),
            _ => (
                "request-refused",
                "look at the server's message, correct its cause, then run the command again",
            ),
        },
    }
}

impl From<DescribeError> for CommandError {
    fn from(error: DescribeError) -> Self {
        let message = error.to_string();
        match error {
            DescribeError::Discovery { error: DiscoveryError { source, .. }, .. }
            | DescribeError::List { error: source, .. } => {
                let (id, hint) = of_failure(&source);
                Self::failed(id, message).hinted(hint)
            }
            DescribeError::NoSuchCluster { there, .. } if there.is_empty() => {
                Self::failed("no-such-cluster", format!("{message}, nor any other"))
                    .hinted("check --kubeconfig-context and --namespace; -A looks everywhere")
            }
            DescribeError::NoSuchCluster { there, .. } => Self::failed("no-such-cluster", message)
                .with_details(there)
                .hinted("name one of these, or another namespace with --namespace"),
            DescribeError::Several { .. } => {
                Self::usage("several-clusters", message).hinted("choose one of them with --namespace")
            }
        }
    }
}

impl From<DirectoryError> for CommandError {
    fn from(error: DirectoryError) -> Self {
        let message = error.to_string();
        match error {
            DirectoryError::Survey(error) => (*error).into(),
            DirectoryError::Io { .. } => Self::failed("directory-unusable", message)
                .hinted("check the path, its permissions and the free space"),
            DirectoryError::Occupied { .. } => Self::usage("directory-occupied", message)
                .hinted("name an empty directory, or one that holds an earlier export unchanged"),
            DirectoryError::Refused { .. } => {
                Self::usage("directory-refused", message).hinted("write it again with --to-directory")
            }
            DirectoryError::Filtered => Self::flags_conflict("--filter-cluster", "--from-directory"),
            DirectoryError::Checks { findings } => Self::failed("check-failed", "the checks refuse it")
                .with_details(findings.iter().map(ToString::to_string).collect())
                .hinted("correct what the checks name, then run the command again"),
            DirectoryError::Unsteady { .. } => Self::failed("source-changing", message)
                .hinted("run the command again when the source is at rest"),
        }
    }
}
