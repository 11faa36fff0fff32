//! What is wrong with a directory.

use super::manifest::FORMAT;
use crate::kind::GroupKind;
use crate::object::ObjectKey;

/// One thing for which a directory is refused. It names the file and the place in it, never what stands there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// An entry that no export puts there.
    #[error("{file} does not belong there")]
    Foreign {
        /// Name of the entry.
        file: String,
    },
    /// An entry that is no regular file.
    #[error("{file} is {what}, not a file")]
    NoFile {
        /// Name of the entry.
        file: String,
        /// What it is.
        what: &'static str,
    },
    /// A file that no object can fill.
    #[error("{file} is larger than {limit} bytes")]
    TooLarge {
        /// Name of the file.
        file: String,
        /// Largest size, in bytes.
        limit: u64,
    },
    /// In the manifest, but not in the directory.
    #[error("{file} is missing")]
    Missing {
        /// Name of the file.
        file: String,
    },
    /// It says something else than when it was written.
    #[error("{file} was changed after it was written: its digest does not match")]
    Altered {
        /// Name of the file.
        file: String,
    },
    /// Neither JSON nor YAML.
    #[error("{file} line {line} column {column}: {problem}")]
    Syntax {
        /// Name of the file.
        file: String,
        /// Line, from 1.
        line: u64,
        /// Column, from 1; 0 before the first.
        column: u64,
        /// What is wrong there.
        problem: &'static str,
    },
    /// Not the content of a Kubernetes object.
    #[error("{file} holds no object: {field} is missing")]
    NoObject {
        /// Name of the file.
        file: String,
        /// Path of the field.
        field: &'static str,
    },
    /// The object is another one than the file's name says.
    #[error("{file} holds {key}, whose file is {expected}")]
    Misnamed {
        /// Name of the file.
        file: String,
        /// What it holds.
        key: Box<ObjectKey>,
        /// The name that file has.
        expected: String,
    },
    /// The object is another one than the manifest says.
    #[error("{file} holds {found}, the manifest says {listed}")]
    Misplaced {
        /// Name of the file.
        file: String,
        /// What it holds.
        found: Box<ObjectKey>,
        /// What it is to hold.
        listed: Box<ObjectKey>,
    },
    /// Two files for one object, or one uid for two.
    #[error("{file} and {other} hold the same object or uid")]
    Twice {
        /// Name of one file.
        file: String,
        /// Name of the other.
        other: String,
    },
    /// A kind in more than one version.
    #[error("objects of {kind} are written in versions {}; one is needed", .versions.join(" and "))]
    MixedVersions {
        /// The kind.
        kind: GroupKind,
        /// The versions found.
        versions: Vec<String>,
    },
    /// In a namespace although its kind has none in the target, or the other way round.
    #[error("{key} {}, other than its kind in the target", if .key.namespace.is_some() { "is in a namespace" } else { "is in no namespace" })]
    OtherScope {
        /// The object.
        key: Box<ObjectKey>,
    },
    /// The manifest is of a later format.
    #[error("the manifest has format {found}; this version of pivotctl reads format {FORMAT}")]
    NewerFormat {
        /// Format of the manifest.
        found: u32,
    },
    /// The manifest does not match its own digest, or cannot be read.
    #[error("the manifest was changed after it was written: {problem}")]
    ManifestDamaged {
        /// What is wrong.
        problem: &'static str,
    },
    /// The export was interrupted while it put its files in place.
    #[error("the export {id} into it did not finish")]
    Unfinished {
        /// Id of the export.
        id: String,
    },
}
