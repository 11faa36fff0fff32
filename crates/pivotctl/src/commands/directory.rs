//! `move --to-directory` and `move --from-directory`.

use crate::error::CommandError;

/// Refuses the flags as long as the library has no folders.
pub(super) fn unavailable(flag: &str) -> CommandError {
    CommandError::usage("directory-not-available", format!("{flag} is not available in this version"))
        .hinted("move from cluster to cluster with --to-kubeconfig")
}
