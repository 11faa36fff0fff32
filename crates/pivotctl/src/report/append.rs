//! Adding formatted text to a document.

use std::fmt::{Arguments, Write};

/// Adds to the end.
pub(crate) fn append(text: &mut String, what: Arguments<'_>) {
    text.write_fmt(what).expect("BUG: writing to a string failed");
}
