//! Ports on the loopback interface that two tests never share.
//!
//! A port found by binding to port 0 is free only until somebody else asks: the kernel hands the same range to every
//! outgoing connection. Ports here come from below that range and are reserved, for all test processes of the machine, by a
//! file lock that the kernel drops with its holder.

use std::{
    fs::{self, File, OpenOptions},
    net::{Ipv4Addr, TcpListener},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use crate::{Error, Result};

/// Linux uses 32768 and up for outgoing connections.
const RANGE: std::ops::Range<u16> = 21_000..31_000;

/// A reserved port; free again when dropped.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    /// Reserves a port that nothing listens on.
    pub(crate) fn reserve() -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let folder = std::env::temp_dir().join("pivot-testbed-ports");
        fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
        let size = u32::from(RANGE.end - RANGE.start);
        // Test processes begin at different places, so that they seldom try each other's ports.
        let origin = process::id().wrapping_mul(97) % size;
        for _ in 0..size {
            let offset = (origin + NEXT.fetch_add(1, Ordering::Relaxed)) % size;
            let number =
                RANGE.start + u16::try_from(offset).expect("BUG: the offset is below the range's size");
            let path = folder.join(number.to_string());
            let lock =
                OpenOptions::new().create(true).append(true).open(&path).map_err(Error::file(&path))?;
            if lock.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
                return Ok(Self { number, _lock: lock });
            }
        }
        Err(Error::NoPort { from: RANGE.start, to: RANGE.end - 1 })
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn reserved_ports_differ_and_exclude_ports_in_use() {
        let first = Port::reserve().unwrap();
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, first.number())).unwrap();
        let more: Vec<_> = (0..50).map(|_| Port::reserve().unwrap()).collect();
        let numbers: BTreeSet<_> = more.iter().chain([&first]).map(Port::number).collect();
        assert_eq!(numbers.len(), 51);
    }
}
