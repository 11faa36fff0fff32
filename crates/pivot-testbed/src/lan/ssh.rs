//! An SSH server on a station, and a user who may log in.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use super::{Service, Station, program};
use crate::{Error, Result};

/// How often, and after what time each, the server is looked at.
const LOOKS: u32 = 300;
const LOOK: Duration = Duration::from_millis(50);

/// The real sshd.
#[derive(Debug)]
pub struct Sshd {
    _service: Service,
    config: PathBuf,
    outside: PathBuf,
    log: PathBuf,
}

impl Sshd {
    /// Starts it on a station, with all its files in `folder`, and waits until it listens. `name` is what the user's `ssh` calls the station.
    pub fn start(station: &Station, folder: &Path, name: &str, address: IpAddr) -> Result<Self> {
        Self::start_with(station, folder, name, address, &[])
    }

    /// The same where commands find these variables.
    pub fn start_with(
        station: &Station,
        folder: &Path,
        name: &str,
        address: IpAddr,
        variables: &[(&str, String)],
    ) -> Result<Self> {
        let path = |file: &str| folder.join(format!("{name}-{file}"));
        let (host_key, user_key) = (path("host-key"), path("user-key"));
        for key in [&host_key, &user_key] {
            make_key(key)?;
        }
        let public = |key: &Path| {
            let public = key.with_extension("pub");
            fs::read_to_string(&public).map_err(Error::file(&public))
        };
        let (authorized, known) = (path("authorized"), path("known"));
        write(&authorized, &public(&user_key)?)?;
        write(&known, &format!("{address} {}", public(&host_key)?))?;
        let server = path("sshd-config");
        let base = format!(
            "HostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin prohibit-password\n",
            host_key.display(),
            authorized.display()
        );
        let set: Vec<String> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let set = if set.is_empty() { String::new() } else { format!("SetEnv {}\n", set.join(" ")) };
        write(&server, &format!("{base}{set}"))?;
        let config = path("ssh-config");
        write(
            &config,
            &format!(
                "Host {name}\n  HostName {address}\n  User root\n  IdentityFile {}\n  IdentitiesOnly yes\n  UserKnownHostsFile {}\n\
                 Host stranger\n  HostName {address}\n  User root\n  IdentityFile {}\n  IdentitiesOnly yes\n  UserKnownHostsFile /dev/null\n",
                user_key.display(),
                known.display(),
                user_key.display(),
            ),
        )?;
        let outside = path("ssh-config-outside");
        let inside = fs::read_to_string(&config).map_err(Error::file(&config))?;
        let way = format!(
            "Host *\n  ProxyCommand nsenter --net=/run/netns/{} busybox nc %h %p\n",
            station.namespace()
        );
        write(&outside, &format!("{way}{inside}"))?;
        // It insists on its own full path, and on a folder that its package's service makes.
        let sshd = program("sshd").ok_or_else(|| Error::MissingTool { path: "sshd".into() })?;
        let script =
            format!("mkdir -p /run/sshd && exec {} -D -e -f {} -p 22", sshd.display(), server.display());
        let service = station.start_with_cgroups("sshd", &["sh", "-c", &script], &path("log"))?;
        for _ in 0..LOOKS {
            if service.log_tail().contains("Server listening") {
                return Ok(Self { _service: service, config, outside, log: path("log") });
            }
            sleep(LOOK);
        }
        Err(Error::Network { program: "sshd", stderr: service.log_tail() })
    }

    /// How often somebody logged in.
    pub fn logins(&self) -> Result<usize> {
        let log = fs::read(&self.log).map_err(Error::file(&self.log))?;
        Ok(String::from_utf8_lossy(&log).lines().filter(|line| line.contains("Accepted publickey")).count())
    }

    /// The user's configuration of `ssh`. It also has a `stranger`: the same machine, whose key is not known.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// The same for who is not on the network: `ssh` goes through the station's own namespace.
    pub fn config_outside(&self) -> &Path {
        &self.outside
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(Error::file(path))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(Error::file(path))
}

fn make_key(path: &Path) -> Result<()> {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path);
    let output = command.output().map_err(|source| Error::Spawn { program: "ssh-keygen".into(), source })?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Network {
        program: "ssh-keygen",
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
