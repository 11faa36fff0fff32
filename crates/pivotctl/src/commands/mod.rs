//! The verbs, one file each, and what they share.

mod carry_out;
pub(crate) mod check;
pub(crate) mod completion;
pub(crate) mod describe;
mod directory;
mod ending;
pub(crate) mod finalize;
pub(crate) mod generate;
pub(crate) mod history;
pub(crate) mod ironic;
mod ironic_cluster;
pub(crate) mod leases;
pub(crate) mod r#move;
pub(crate) mod network;
mod network_dhcp;
pub(crate) mod next;
mod partly;
mod pivot_id;
pub(crate) mod plan;
mod pulse;
mod recovery;
mod refuse;
pub(crate) mod resume;
pub(crate) mod rollback;
mod saved_plan;
mod session;
mod standing;
pub(crate) mod status;
mod steady;
pub(crate) mod util;
pub(crate) mod verify;
pub(crate) mod version;
pub(crate) mod wait;
pub(crate) mod whoami;

pub(crate) use session::{Session, Verb};
