//! The local journal: what a pivot was about to do, and what came of it, line by line.
//!
//! It is a cache. The records in the clusters decide; a journal that was lost, cut off or damaged costs nothing but its story, and
//! one that cannot be written never stops a pivot. It names objects and revisions and holds nothing of their content.
//!
//! A journal is one file, `<directory>/<pivot>/journal.ndjson`, of one JSON object a line. Each line carries a checksum of itself
//! and of all lines before it: whatever does not stand where it was written is recognised.

mod entry;
mod error;
mod line;
mod reading;
#[cfg(test)]
mod tests;
mod writer;

pub use entry::{Begin, Class, Ending, Entry, Event, Guard, OpName};
pub use error::JournalError;
pub use reading::{Damage, Flaw, Listed, Reading, list, read};
pub use writer::{Journal, SetAside};

/// The format that this version writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// Name of the file.
const FILE: &str = "journal.ndjson";
