//! Objects in a directory (`--to-directory`, `--from-directory`): names, manifest, and what a directory must be to be read.
//!
//! One object a file, named and written as clusterctl does, so that each tool reads what the other wrote. Beside them stands a
//! manifest with a digest of every file. clusterctl reads every entry of a directory as YAML and passes over empty documents;
//! therefore each line of the manifest is a YAML comment.
//!
//! | in the directory | read as |
//! |---|---|
//! | a finished manifest | ours: every file listed must be there with its digest, and no other |
//! | the manifest of an export that did not finish | refused; clusterctl refuses it too, since it is no YAML on purpose |
//! | no manifest | clusterctl's: every file must hold the one object that its name says |

mod decode;
mod encode;
mod flaw;
mod manifest;
mod name;
mod source;

pub use decode::Bundle;
pub use encode::{Encoded, ObjectFile, export_findings};
pub use flaw::Flaw;
pub use manifest::{BundleManifest, Entry, FORMAT, MANIFEST_FILE, NamespaceMarks, State};
pub use name::{is_temporary, object_file, object_files, temporary_file};

#[cfg(test)]
mod tests;
