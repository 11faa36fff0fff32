//! Machines with BMCs that speak Redfish, and nothing behind them.

use std::{fs, net::IpAddr, path::PathBuf, time::Duration};

use serde_json::{Value, json};

use super::ask;
use crate::{
    Error, Result,
    assets::{Assets, Program},
    client::{Progress, wait_until},
    plane::{Folder, PodNetwork, Process},
};

/// Nobody else has the address.
const PORT: u16 = 8000;

const DEADLINE: Duration = Duration::from_secs(120);

/// A machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// What its BMC calls it: a UUID.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The hardware address that it boots from.
    pub mac: String,
    /// Whether it is switched on at first.
    pub on: bool,
}

/// Something that a BMC was asked to do: a request that does not only read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Who asked: a pod's address, on the network of its plane.
    pub from: IpAddr,
    /// The method, such as `POST`.
    pub method: String,
    /// The path, such as `/redfish/v1/Systems/ID/Actions/ComputerSystem.Reset`.
    pub path: String,
}

impl Order {
    /// True where it switches a machine on or off, or starts it anew.
    pub fn is_about_power(&self) -> bool {
        self.path.ends_with("/Actions/ComputerSystem.Reset")
    }
}

/// The BMCs of some machines, which the pods of every plane reach. They end when this is dropped, and also when the test process is killed.
#[derive(Debug)]
pub struct Bmcs {
    // Fields are dropped in this order.
    emulator: Process,
    network: PodNetwork,
    log: PathBuf,
    _folder: Folder,
}

impl Bmcs {
    /// Starts them and waits until they answer.
    pub async fn start(assets: &Assets, machines: &[Machine]) -> Result<Self> {
        let program = assets.program(Program::SushyEmulator)?;
        let (folder, network) = (Folder::new("bmcs")?, PodNetwork::new().await?);
        let (config, log) = (folder.path().join("config.py"), folder.path().join("log"));
        let text = config_of(machines, &network.gateway().to_string(), &folder.path().display().to_string());
        fs::write(&config, text).map_err(Error::file(&config))?;
        let args = vec!["--config".into(), config.into()];
        let emulator = Process::new("sushy-emulator", program, args, log.clone());
        emulator.start()?;
        let bmcs = Self { emulator, network, log, _folder: folder };
        let service = format!("{}/redfish/v1/", bmcs.server());
        wait_until("the BMCs to answer", DEADLINE, async || {
            Ok(match ask::get(&service).await {
                Ok(_) => Progress::Done(()),
                Err(error) => Progress::Pending(format!("{error}\n{}", bmcs.emulator.log_tail())),
            })
        })
        .await?;
        Ok(bmcs)
    }

    fn server(&self) -> String {
        format!("http://{}:{PORT}", self.network.gateway())
    }

    /// What `spec.bmc.address` of a machine's host is.
    pub fn address(&self, id: &str) -> String {
        format!("redfish+{}/redfish/v1/Systems/{id}", self.server())
    }

    /// True where a machine is switched on.
    pub async fn is_on(&self, id: &str) -> Result<bool> {
        let system = ask::get(&format!("{}/redfish/v1/Systems/{id}", self.server())).await?;
        Ok(system["PowerState"] == "On")
    }

    /// What the BMCs were asked to do so far, in order.
    pub fn orders(&self) -> Result<Vec<Order>> {
        let log = fs::read_to_string(&self.log).map_err(Error::file(&self.log))?;
        let requests = log.lines().filter_map(request);
        Ok(requests.filter(|request| !matches!(request.method.as_str(), "GET" | "HEAD")).collect())
    }
}

/// A file in Python, which strings, lists and dictionaries of JSON are as well.
fn config_of(machines: &[Machine], address: &str, folder: &str) -> String {
    let system = |machine: &Machine| {
        json!({
            "uuid": machine.id,
            "name": machine.name,
            "power_state": if machine.on { "On" } else { "Off" },
            "nics": [{"mac": machine.mac}],
        })
    };
    let systems: Value = machines.iter().map(system).collect();
    format!(
        "SUSHY_EMULATOR_FAKE_DRIVER = True\n\
         SUSHY_EMULATOR_LISTEN_IP = {}\n\
         SUSHY_EMULATOR_LISTEN_PORT = {PORT}\n\
         SUSHY_EMULATOR_STATE_DIR = {}\n\
         SUSHY_EMULATOR_FAKE_SYSTEMS = {systems}\n",
        json!(address),
        json!(folder),
    )
}

/// Reads a line of the log that tells of a request: `ADDRESS - - [TIME] "METHOD PATH VERSION" STATUS -`. What failed is coloured.
fn request(line: &str) -> Option<Order> {
    let (from, rest) = line.split_once(" - - [")?;
    let mut words = rest.split('"').nth(1)?.split(' ');
    let method = words.next()?.trim_start_matches(|c: char| !c.is_ascii_uppercase());
    Some(Order { from: from.parse().ok()?, method: method.to_owned(), path: words.next()?.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_whatever_became_of_them() {
        let path = "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset";
        let lines = [
            format!(r#"10.200.1.3 - - [22/Nov/2026 05:05:12] "POST {path} HTTP/1.1" 204 -"#),
            format!(
                "10.200.1.3 - - [22/Nov/2026 05:05:12] \"\x1b[1m\x1b[31mPOST {path} HTTP/1.1\x1b[0m\" 409 -"
            ),
        ];
        for line in lines {
            let order = request(&line).unwrap();
            assert_eq!(
                (order.from.to_string().as_str(), order.method.as_str(), order.path.as_str()),
                ("10.200.1.3", "POST", path)
            );
            assert!(order.is_about_power());
        }
        assert_eq!(request(" * Running on http://127.0.0.1:8000"), None);
    }

    #[test]
    fn the_config_is_python() {
        let machine = Machine {
            id: "u".to_owned(),
            name: "n".to_owned(),
            mac: "52:54:00:00:00:01".to_owned(),
            on: true,
        };
        let text = config_of(&[machine], "10.200.1.1", "/f");
        assert!(text.contains("LISTEN_IP = \"10.200.1.1\"\n"), "{text}");
        assert!(text.contains(r#""power_state":"On""#), "{text}");
        assert!(!text.contains("true") && !text.contains("null"), "no words of JSON's own: {text}");
    }
}
