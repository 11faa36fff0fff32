//! A DHCP server, and clients that ask for an address.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use super::{INTERFACE, Service, Station};
use crate::{Error, Result};

/// How often, and after what time each, a client is looked at: together half a minute.
const LOOKS: u32 = 300;
const LOOK: Duration = Duration::from_millis(100);

/// The real dnsmasq, as ironic-image starts it.
#[derive(Debug)]
pub struct Dnsmasq {
    service: Service,
    log: PathBuf,
}

/// Which of the two protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// DHCP.
    V4,
    /// DHCPv6.
    V6,
}

impl Dnsmasq {
    /// Starts it on a station, with its lease file and log in `folder`, and waits until it serves. IPv4 addresses are given one after the other.
    pub fn start(station: &Station, folder: &Path, leases: &Path, ranges: &[&str]) -> Result<Self> {
        let log = folder.join("dnsmasq.log");
        fs::write(&log, "").map_err(Error::file(&log))?;
        let options = [
            "dnsmasq",
            "-d",
            "-q",
            "--user=root",
            &format!("--interface={INTERFACE}"),
            "--bind-dynamic",
            "--port=0",
            "--log-dhcp",
            "--conf-file=/dev/null",
            "--pid-file=",
            "--no-ping",
            "--dhcp-sequential-ip",
            &format!("--dhcp-leasefile={}", leases.display()),
        ];
        let ranges: Vec<String> = ranges.iter().map(|range| format!("--dhcp-range={range}")).collect();
        let command: Vec<&str> = options.into_iter().chain(ranges.iter().map(String::as_str)).collect();
        let service = station.start("dnsmasq", &command, &log)?;
        let server = Self { service, log };
        for _ in 0..LOOKS {
            if server.service.has_ended() {
                break;
            }
            if server.log().matches("dnsmasq-dhcp: DHCP").count() >= ranges.len() {
                return Ok(server);
            }
            sleep(LOOK);
        }
        Err(Error::Network { program: "dnsmasq", stderr: server.log() })
    }

    /// What it said so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Ends it as a container's stop does.
    pub fn stop(self) -> Result<()> {
        self.service.stop()
    }
}

impl Station {
    /// Asks for an address by the real `dhclient`, which knows of none that it ever had. `None` where the server has none left.
    ///
    /// The address is not configured: what the server does is looked at, and not what the client makes of it.
    pub fn ask(&self, family: Family, server: &Dnsmasq, folder: &Path) -> Result<Option<IpAddr>> {
        let file = |name: &str| -> Result<String> {
            let path = folder.join(format!("{}-{name}", self.namespace));
            fs::write(&path, "").map_err(Error::file(&path))?;
            Ok(path.display().to_string())
        };
        let (leases, pid, config, log) = (file("leases")?, file("pid")?, file("conf")?, file("log")?);
        let switch = if family == Family::V4 { "-4" } else { "-6" };
        let mut command = vec!["dhclient", switch, "-1", "-d"];
        if family == Family::V6 {
            // By its hardware address, so that it is the same client each time.
            command.extend(["-D", "LL"]);
        }
        command.extend(["-cf", &config, "-sf", "/bin/true", "-lf", &leases, "-pf", &pid, INTERFACE]);
        let refusals = |log: &str| log.matches("no address").count();
        let before = refusals(&server.log());
        let client = self.start("dhclient", &command, Path::new(&log))?;
        let mut answer = None;
        for _ in 0..LOOKS {
            answer = fs::read_to_string(&leases).ok().and_then(|text| leased(&text));
            if answer.is_some() || refusals(&server.log()) > before {
                break;
            }
            sleep(LOOK);
        }
        client.kill();
        if answer.is_none() && refusals(&server.log()) == before {
            let said = format!("{}\n{}", client.log_tail(), server.log());
            return Err(Error::Network { program: "dhclient", stderr: said });
        }
        Ok(answer)
    }
}

/// The address in a lease file of dhclient.
fn leased(text: &str) -> Option<IpAddr> {
    let word = |line: &str| {
        let line = line.trim();
        let rest = line.strip_prefix("fixed-address ").or_else(|| line.strip_prefix("iaaddr "))?;
        rest.split([' ', ';']).next()?.parse().ok()
    };
    // The end of a declaration says that it is whole.
    text.trim_end().ends_with('}').then(|| text.lines().find_map(word)).flatten()
}
