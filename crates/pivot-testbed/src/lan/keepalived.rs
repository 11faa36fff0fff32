//! Who has an address that keepalived carries, as a third machine sees it.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use super::{INTERFACE, Service, Station};
use crate::{Error, Result};

/// How often, and after what time each, an owner is looked for: together half a minute.
const LOOKS: u32 = 300;
const LOOK: Duration = Duration::from_millis(100);

/// The configuration of ironic-image's keepalived: the same on both sides, and so are number and priority.
pub fn keepalived_config(address: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\n  state MASTER\n  interface {INTERFACE}\n  virtual_router_id 1\n  priority 101\n  advert_int 1\n  \
         virtual_ipaddress {{\n    {address} dev {INTERFACE}\n  }}\n}}\n"
    )
}

/// The real keepalived on a station, with its files in `folder`.
pub fn start_keepalived(station: &Station, folder: &Path, address: &str) -> Result<Service> {
    let file = |name: &str| folder.join(format!("{}-{name}", station.namespace()));
    let config = file("keepalived.conf");
    fs::write(&config, keepalived_config(address)).map_err(Error::file(&config))?;
    let text = |path: PathBuf| path.display().to_string();
    let command = [
        "keepalived",
        "--dont-fork",
        "--log-console",
        "--vrrp",
        "--use-file",
        &text(config.clone()),
        "--pid",
        &text(file("pid")),
        "--vrrp_pid",
        &text(file("vrrp-pid")),
    ];
    station.start("keepalived", &command, &file("keepalived.log"))
}

/// A machine that asks for an address again and again, for all to hear, and writes down who answers.
#[derive(Debug)]
pub struct Witness {
    service: Service,
    log: PathBuf,
}

impl Witness {
    /// Asks from a station that is on the network of the address.
    pub fn start(station: &Station, folder: &Path, address: &str) -> Result<Self> {
        let log = folder.join(format!("{}-arping.log", station.namespace()));
        // Buffered by lines, so that what was seen is known at once; once a second is what it can do.
        let command = ["stdbuf", "-oL", "arping", "-b", "-I", INTERFACE, address];
        let service = station.start("arping", &command, &log)?;
        Ok(Self { service, log })
    }

    /// Hardware addresses of those who answered so far, one an answer, in lower case.
    pub fn answers(&self) -> Vec<String> {
        let said = fs::read_to_string(&self.log).unwrap_or_default();
        let owner = |line: &str| Some(line.split_once('[')?.1.split_once(']')?.0.to_lowercase());
        said.lines().filter_map(owner).collect()
    }

    /// Waits until the last to answer, twice, was this one.
    pub fn sees(&self, mac: &str) -> Result<()> {
        for _ in 0..LOOKS {
            let answers = self.answers();
            if answers.len() >= 2 && answers[answers.len() - 2..].iter().all(|answer| answer == mac) {
                return Ok(());
            }
            sleep(LOOK);
        }
        let stderr =
            format!("{mac} does not answer alone: {:?}; {}", self.answers(), self.service.log_tail());
        Err(Error::Network { program: "arping", stderr })
    }

    /// Everybody who answered, in order, each as long as nobody else did.
    pub fn owners(&self) -> Vec<String> {
        let mut owners = self.answers();
        owners.dedup();
        owners
    }
}
