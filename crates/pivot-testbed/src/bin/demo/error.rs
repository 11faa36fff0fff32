//! What ends the demo early.

use std::io;

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Testbed(#[from] pivot_testbed::Error),
    #[error("pivotctl could not be run: {0}")]
    Start(#[source] io::Error),
}
