//! Real podman containers on a station, in a store of their own.
//!
//! Their image holds a static busybox and nothing else, so that no registry is asked; the machine's own programs are mounted into them, read-only.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::{Station, program};
use crate::plane::{Folder, Janitor};
use crate::{Error, Result};

/// What all containers are made of.
const IMAGE: &str = "localhost/ironic:testbed";

/// Ends all containers of the store `$1`. Of those that had stopped before podman leaves a mount.
const CLEAN: &str = "cat >/dev/null
export CONTAINERS_CONF=\"$1/containers.conf\" CONTAINERS_STORAGE_CONF=\"$1/storage.conf\"
podman rm --force --all --time 0 >/dev/null 2>&1
while read -r _ at _; do case $at in \"$1\"/*) umount -l \"$at\" ;; esac; done </proc/mounts
true";

/// A store of containers.
#[derive(Debug)]
pub struct Podman {
    // Ends the containers before their folder goes.
    _janitor: Janitor,
    folder: Folder,
}

impl Podman {
    /// An empty store with the image in it.
    pub fn new() -> Result<Self> {
        let folder = Folder::new("podman")?;
        let path = |name: &str| folder.path().join(name);
        let write = |name: &str, text: &str| fs::write(path(name), text).map_err(Error::file(path(name)));
        // Neither a system's cgroups nor its log are to be had everywhere.
        write(
            "containers.conf",
            "[engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n\
             [containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n",
        )?;
        let store = folder.path().display();
        write(
            "storage.conf",
            &format!(
                "[storage]\ndriver = \"vfs\"\ngraphroot = \"{store}/graph\"\nrunroot = \"{store}/run\"\n"
            ),
        )?;
        let janitor = Janitor::start(CLEAN, folder.path().as_os_str(), None)?;
        let podman = Self { _janitor: janitor, folder };
        podman.import()?;
        Ok(podman)
    }

    fn import(&self) -> Result<()> {
        let root = self.folder.path().join("root");
        let bin = root.join("bin");
        fs::create_dir_all(&bin).map_err(Error::file(&bin))?;
        let busybox = program("busybox").ok_or_else(|| Error::MissingTool { path: "busybox".into() })?;
        fs::copy(&busybox, bin.join("busybox")).map_err(Error::file(&busybox))?;
        for applet in ["sh", "cat", "sleep", "httpd", "touch", "mkdir", "ip"] {
            std::os::unix::fs::symlink("busybox", bin.join(applet)).map_err(Error::file(&bin))?;
        }
        let archive = self.folder.path().join("image.tar");
        let mut tar = Command::new("tar");
        tar.arg("-C").arg(&root).arg("-cf").arg(&archive).arg(".");
        succeeded("tar", tar.output())?;
        succeeded("podman", self.podman(&["import", "--quiet", path_text(&archive), IMAGE]).output())?;
        Ok(())
    }

    /// What `podman` of this store finds itself by.
    pub fn environment(&self) -> [(&'static str, PathBuf); 2] {
        let path = |name: &str| self.folder.path().join(name);
        [("CONTAINERS_CONF", path("containers.conf")), ("CONTAINERS_STORAGE_CONF", path("storage.conf"))]
    }

    fn podman(&self, args: &[&str]) -> Command {
        let mut command = Command::new("podman");
        command.args(args).envs(self.environment()).stdin(Stdio::null());
        command
    }

    /// Runs a container on the network of a station, as the scripts of Metal3 do; `options` go to `podman run`.
    pub fn run(&self, station: &Station, name: &str, options: &[&str], command: &[&str]) -> Result<()> {
        self.make(&["run", "--detach"], station, name, options, command)
    }

    /// Creates one that does not run yet.
    pub fn create(&self, station: &Station, name: &str, options: &[&str], command: &[&str]) -> Result<()> {
        self.make(&["create"], station, name, options, command)
    }

    fn make(
        &self,
        verb: &[&str],
        station: &Station,
        name: &str,
        options: &[&str],
        command: &[&str],
    ) -> Result<()> {
        let fixed = ["--network=host", "--privileged", "--name", name];
        let programs = ["/usr", "/lib", "/lib64", "/etc", "/sbin"]
            .map(|folder| format!("--volume={folder}:{folder}:ro"));
        let programs: Vec<&str> = programs.iter().map(String::as_str).collect();
        let args = [verb, &fixed, options, &programs, &[IMAGE], command].concat();
        // Not `ip netns exec`, which hides the control groups that containers need.
        let mut inside = Command::new("nsenter");
        inside.arg(format!("--net=/run/netns/{}", station.namespace())).args(["--", "podman"]).args(&args);
        succeeded("podman", inside.envs(self.environment()).stdin(Stdio::null()).output())?;
        Ok(())
    }

    /// Runs a command of podman that must succeed, and returns what it prints.
    pub fn done(&self, args: &[&str]) -> Result<String> {
        succeeded("podman", self.podman(args).output())
    }

    /// Names of the containers that run.
    pub fn running(&self) -> Result<Vec<String>> {
        let names = self.done(&["ps", "--format", "{{.Names}}"])?;
        let mut names: Vec<String> = names.lines().map(str::to_owned).collect();
        names.sort();
        Ok(names)
    }
}

fn path_text(path: &Path) -> &str {
    path.to_str().expect("BUG: a temporary folder has a name in UTF-8")
}

fn succeeded(program: &'static str, output: std::io::Result<Output>) -> Result<String> {
    let output = output.map_err(|source| Error::Spawn { program: program.into(), source })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Error::Network { program, stderr: String::from_utf8_lossy(&output.stderr).trim().to_owned() })
}
