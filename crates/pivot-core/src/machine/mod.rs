//! The phase machine: outcomes in, effects out (DESIGN section 2).

mod end;
mod notice;
mod phase;

pub use end::{Active, End};
pub use notice::{Notice, Side};
pub use phase::{Phase, Reversal};
