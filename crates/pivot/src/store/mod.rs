//! Where a pivot is recorded.

mod local;

pub(crate) use local::LocalRecords;
