//! Why there is no export or import.

use std::io;
use std::path::PathBuf;

use pivot_core::bundle::Flaw;
use pivot_core::check::{Finding, Severity};
use pivot_core::object::ObjectKey;

use crate::survey::SurveyError;

/// How many of many things a message names.
const SHOWN: usize = 5;

/// Why an export or import did not begin, or an export did not end. No message quotes a file.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The file system.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was to be done.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The directory holds what an export must not touch.
    #[error("{} is neither empty nor an export of pivotctl: {}", path.display(), listed(flaws))]
    Occupied {
        /// The directory.
        path: PathBuf,
        /// What is in the way.
        flaws: Vec<Flaw>,
    },
    /// The directory is not whole, or holds what does not belong there. Nothing was written.
    #[error("{} is refused: {}", path.display(), listed(flaws))]
    Refused {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        flaws: Vec<Flaw>,
    },
    /// Some Clusters were asked for; an import takes all that is there.
    #[error("an import takes everything in the directory; Clusters can be selected when it is written")]
    Filtered,
    /// A cluster could not be looked at.
    #[error(transparent)]
    Survey(Box<SurveyError>),
    /// The checks found errors. Nothing was written.
    #[error("{}", listed(&errors(findings)))]
    Checks {
        /// Everything that they found.
        findings: Vec<Finding>,
    },
    /// The source never stood still between two looks at it. Nothing was written.
    #[error("the objects kept changing while they were listed: {}", listed(objects))]
    Unsteady {
        /// Objects that changed last.
        objects: Vec<ObjectKey>,
    },
}

impl From<SurveyError> for DirectoryError {
    fn from(error: SurveyError) -> Self {
        Self::Survey(Box::new(error))
    }
}

fn errors(findings: &[Finding]) -> Vec<&Finding> {
    findings.iter().filter(|finding| finding.severity == Severity::Error).collect()
}

fn listed(things: &[impl ToString]) -> String {
    let shown: Vec<_> = things.iter().take(SHOWN).map(ToString::to_string).collect();
    let rest = things.len().saturating_sub(SHOWN);
    let more = if rest > 0 { format!(" (and {rest} more)") } else { String::new() };
    format!("{}{more}", shown.join("; "))
}
