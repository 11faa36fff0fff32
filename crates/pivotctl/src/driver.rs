//! Who drives a pivot: this process, as others know it by the Leases.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;
use std::process;
use std::sync::Arc;

use jiff::Timestamp;
use pivot::coordinator::{Identity, LeaseTimes};
use pivot::run::Driver;

use crate::environment::Environment;

/// The driver that this process is.
pub(crate) fn driver(environment: &Environment) -> Driver {
    let me = Identity { host: host(), pid: process::id(), nonce: nonce(), boot: boot() };
    let mine = me.clone();
    let is_dead = move |holder: &str| {
        holder.parse::<Identity>().is_ok_and(|other| {
            mine.shares_boot_with(&other)
                && !mine.boot.is_empty()
                && other.pid != mine.pid
                && !exists(other.pid)
        })
    };
    Driver {
        me,
        times: LeaseTimes::default(),
        is_dead: Arc::new(is_dead),
        journals: environment.state_directory(),
        clock: Arc::new(|| Timestamp::now().to_string()),
    }
}

/// Name of the machine, or of the container: process ids mean something only inside of it.
fn host() -> String {
    let namespace = fs::read_link("/proc/self/ns/pid").map(|link| link.to_string_lossy().into_owned());
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    match namespace {
        Ok(namespace) => format!("{name}:{}", namespace.trim_start_matches("pid:[").trim_end_matches(']')),
        Err(_) => name,
    }
}

/// Changes with every start of the machine. Where it cannot be read nobody is taken for dead.
fn boot() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

/// A process that ended and that its parent has not noticed yet is none.
fn exists(pid: u32) -> bool {
    match fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")) {
        Ok(stat) => !stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(['Z', 'X'])),
        // Where there is no such file system nobody is taken for dead.
        Err(_) => !Path::new("/proc/self/stat").exists(),
    }
}

/// Random, and never used before: the keys of a `RandomState` come from the operating system.
fn nonce() -> String {
    let draw = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", draw(), draw())
}
