//! Two files into one.

use super::entry::Lease;
use super::file::LeaseFile;

/// What became of two files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// Both, without what gave way.
    pub file: LeaseFile,
    /// What gave way.
    pub dropped: Vec<Dropped>,
    /// The DUID of the second server, where the first has another: clients know only one.
    pub other_duid: Option<String>,
}

/// A lease that gave way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// The lease.
    pub lease: Lease,
    /// The one that holds.
    pub kept: Lease,
    /// Why both cannot be.
    pub why: Why,
}

/// Why two leases cannot both be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// They lease one address to two clients, or twice to one.
    Address,
    /// One client has two addresses; dnsmasq knows it by one.
    Client,
}

/// Merges the leases of two servers on one network.
///
/// Of two leases of one address the one that ends last holds, because its client may use the address until then; of two leases of
/// one client too, because it was given or renewed last. Where both end at once, the first file's holds. A lease that gave way to one that gives
/// way itself is not brought back: its client asks again, and is given an address that is free.
pub fn merge(first: &LeaseFile, second: &LeaseFile) -> Merged {
    let duid = first.duid().map(str::to_owned);
    let other_duid = second.duid().filter(|other| duid.as_deref().is_some_and(|duid| duid != *other));
    let other_duid = other_duid.map(str::to_owned);
    let duid = duid.or_else(|| second.duid().map(str::to_owned));
    // Within one file dnsmasq's own judgement stands, so that only leases of different files can be rivals.
    let mut kept: Vec<Lease> = first.leases().cloned().collect();
    let mut dropped = Vec::new();
    let own = kept.len();
    for lease in second.leases().cloned() {
        let mut rivals =
            kept[..own].iter().filter_map(|other| conflict(other, &lease).map(|why| (other, why)));
        match rivals.find(|(other, _)| other.expiry() >= lease.expiry()) {
            Some((winner, why)) => {
                let kept = winner.clone();
                dropped.push(Dropped { lease, kept, why });
            }
            None => kept.push(lease),
        }
    }
    // What the second file brought may end later than what the first had.
    let (first, second) = kept.split_at(own);
    let mut file = Vec::new();
    for lease in first {
        let rival = second.iter().find_map(|other| conflict(lease, other).map(|why| (other, why)));
        match rival {
            Some((other, why)) => {
                dropped.push(Dropped { lease: lease.clone(), kept: other.clone(), why });
            }
            None => file.push(lease.clone()),
        }
    }
    file.extend(second.iter().cloned());
    Merged { file: LeaseFile::of(file, duid), dropped, other_duid }
}

fn conflict(one: &Lease, other: &Lease) -> Option<Why> {
    if one.address() == other.address() {
        return Some(Why::Address);
    }
    one.client().is_same(other.client()).then_some(Why::Client)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn merged(first: &str, second: &str) -> (String, Vec<String>) {
        let Merged { file, dropped, .. } =
            merge(&LeaseFile::parse(first.as_bytes()), &LeaseFile::parse(second.as_bytes()));
        let dropped = dropped.iter().map(|dropped| format!("{:?} {}", dropped.why, dropped.lease)).collect();
        (file.text(), dropped)
    }

    #[test]
    fn the_lease_that_ends_last_holds() {
        let (old, new) = ("5 52:54:00:00:00:01 10.0.0.1 * *\n", "9 52:54:00:00:00:02 10.0.0.1 * *\n");
        let never = "0 52:54:00:00:00:03 10.0.0.1 * *\n";
        for (first, second, holds, gives_way) in
            [(old, new, new, old), (new, old, new, old), (new, never, never, new), (never, new, never, new)]
        {
            let (text, dropped) = merged(first, second);
            assert_eq!(text, holds);
            assert_eq!(dropped, [format!("Address {}", gives_way.trim())]);
        }
    }

    #[test]
    fn a_client_keeps_one_address() {
        let first = "5 52:54:00:00:00:01 10.0.0.1 * *\n5 52:54:00:00:00:02 10.0.0.2 * *\n";
        let second = "9 52:54:00:00:00:01 10.0.0.7 * *\n5 52:54:00:00:00:02 10.0.0.8 * *\n";
        let (text, dropped) = merged(first, second);
        assert_eq!(text, "5 52:54:00:00:00:02 10.0.0.2 * *\n9 52:54:00:00:00:01 10.0.0.7 * *\n");
        assert_eq!(
            dropped,
            ["Client 5 52:54:00:00:00:02 10.0.0.8 * *", "Client 5 52:54:00:00:00:01 10.0.0.1 * *"]
        );
    }

    #[test]
    fn firmware_and_operating_system_of_one_machine_are_two_clients() {
        let first = "5 52:54:00:00:00:01 10.0.0.1 * 01:52\n5 7 fd00::1 * 00:01\n";
        let second = "9 52:54:00:00:00:01 10.0.0.2 * ff:52\n9 8 fd00::2 * 00:01\n";
        let (text, dropped) = merged(first, second);
        assert_eq!(dropped, [""; 0]);
        assert_eq!(text.lines().count(), 4);
    }

    #[test]
    fn clients_know_one_server() {
        let merged = |one: &str, two: &str| {
            let merged = merge(&LeaseFile::parse(one.as_bytes()), &LeaseFile::parse(two.as_bytes()));
            (merged.file.duid().map(str::to_owned), merged.other_duid)
        };
        let (one, two) = (Some("00:01".to_owned()), Some("00:02".to_owned()));
        assert_eq!(merged("duid 00:01", "duid 00:02"), (one.clone(), two.clone()));
        assert_eq!(merged("duid 00:01", "duid 00:01"), (one, None));
        assert_eq!(merged("", "duid 00:02"), (two, None));
    }

    fn file() -> impl Strategy<Value = String> {
        let line = (0u32..4, 0u8..6, 0u8..6)
            .prop_map(|(expiry, mac, ip)| format!("{expiry} 52:54:00:00:00:0{mac} 10.0.0.{ip} * *\n"));
        prop::collection::vec(line, 0..8).prop_map(|lines| lines.concat())
    }

    proptest! {
        #[test]
        fn no_address_is_given_twice_and_nothing_vanishes(first in file(), second in file()) {
            let (one, two) = (LeaseFile::parse(first.as_bytes()), LeaseFile::parse(second.as_bytes()));
            let all = one.len() + two.len();
            let merged = merge(&one, &two);
            let read = LeaseFile::parse(merged.file.text().as_bytes());
            prop_assert_eq!(read.aside(), []);
            prop_assert_eq!(merged.file.len() + merged.dropped.len(), all);
            for dropped in &merged.dropped {
                prop_assert!(dropped.kept.expiry() >= dropped.lease.expiry());
                prop_assert!(merged.file.leases().any(|lease| *lease == dropped.kept) || merged.dropped.iter().any(|other| other.lease == dropped.kept));
            }
        }

        #[test]
        fn with_itself_nothing_changes(first in file()) {
            let one = LeaseFile::parse(first.as_bytes());
            let again = merge(&one, &one);
            prop_assert_eq!(again.file.text(), one.text());
        }
    }
}
