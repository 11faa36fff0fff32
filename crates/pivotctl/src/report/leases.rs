//! Leases as a table, or for machines.

use std::net::IpAddr;

use pivot_core::lease::{Client, Expiry, LeaseFile};
use serde::Serialize;

use super::age::Age;
use super::table::table;

/// The leases of one file.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LeasesReport {
    /// DUID of the server, by which clients of IPv6 know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    server_duid: Option<String>,
    leases: Vec<LeaseReport>,
    /// Lines that are not used.
    set_aside: Vec<AsideReport>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LeaseReport {
    address: IpAddr,
    client: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iaid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hostname: Option<String>,
    /// Seconds since 1970; missing where it holds for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
    expired: bool,
}

#[derive(Debug, Serialize)]
struct AsideReport {
    line: usize,
    problem: String,
    text: String,
}

impl LeasesReport {
    /// The leases, by address. `now` is in seconds since 1970.
    pub(crate) fn of(file: &LeaseFile, now: u64) -> Self {
        let mut leases: Vec<LeaseReport> = file
            .leases()
            .map(|lease| {
                let (client_id, iaid) = match lease.client() {
                    Client::V4 { id, .. } => (id.clone(), None),
                    Client::V6 { iaid, .. } => (None, Some(*iaid)),
                };
                LeaseReport {
                    address: lease.address(),
                    client: lease.client().to_string(),
                    client_id,
                    iaid,
                    hostname: lease.hostname().map(str::to_owned),
                    expires: match lease.expiry() {
                        Expiry::At(end) => Some(end),
                        Expiry::Never => None,
                    },
                    expired: lease.expiry().is_over(now),
                }
            })
            .collect();
        leases.sort_by_key(|lease| lease.address);
        let set_aside = file
            .aside()
            .iter()
            .map(|aside| AsideReport {
                line: aside.line,
                problem: aside.problem.to_string(),
                text: aside.text.clone(),
            })
            .collect();
        Self { server_duid: file.duid().map(str::to_owned), leases, set_aside }
    }

    /// A line a lease.
    pub(crate) fn text(&self, now: u64) -> String {
        let rows: Vec<[String; 4]> = self
            .leases
            .iter()
            .map(|lease| {
                let expires = match lease.expires {
                    None => "never".to_owned(),
                    Some(end) => until(end, now),
                };
                let hostname = lease.hostname.clone().unwrap_or_else(|| "<none>".to_owned());
                [lease.address.to_string(), lease.client.clone(), hostname, expires]
            })
            .collect();
        table(["ADDRESS", "CLIENT", "HOSTNAME", "EXPIRES"], &rows)
    }
}

fn until(end: u64, now: u64) -> String {
    let age = |seconds: u64| Age(i64::try_from(seconds).unwrap_or(i64::MAX));
    if end < now { format!("expired {} ago", age(now - end)) } else { format!("in {}", age(end - now)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_stand_by_address() {
        let file = LeaseFile::parse(
            b"5000 52:54:00:00:00:02 172.22.0.100 node-1 *\n\
              0 52:54:00:00:00:01 172.22.0.20 * 01:52:54\n\
              300 52:54:00:00:00:03 172.22.0.3 * *\n\
              duid 00:01\n5000 7 fd2e::10 * 00:03:00:01\n",
        );
        let text = LeasesReport::of(&file, 1000).text(1000);
        insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string(), @r"
        ADDRESS        CLIENT              HOSTNAME   EXPIRES
        172.22.0.3     52:54:00:00:00:03   <none>     expired 11m ago
        172.22.0.20    52:54:00:00:00:01   <none>     never
        172.22.0.100   52:54:00:00:00:02   node-1     in 66m
        fd2e::10       00:03:00:01         <none>     in 66m
        ");
    }
}
