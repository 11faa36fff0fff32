//! What people see: the printer, the progress of a pivot, the event stream for machines, questions and the last line.

pub(crate) mod confirm;
pub(crate) mod elapsed;
pub(crate) mod interrupt;
pub(crate) mod last_line;
pub(crate) mod narrator;
pub(crate) mod printer;
pub(crate) mod progress;
pub(crate) mod reporter;
pub(crate) mod stream;
pub(crate) mod theme;
pub(crate) mod timeline;
pub(crate) mod trace;
