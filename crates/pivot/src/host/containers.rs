//! Containers of a machine, run by podman or docker, whose commands and answers agree in what is used here.

use serde_json::Value;

use super::{FoundFile, Host, HostError};

/// A program that runs containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Engine {
    /// podman.
    Podman,
    /// docker.
    Docker,
}

impl Engine {
    /// Both, in the order in which they are looked for.
    pub const ALL: [Self; 2] = [Self::Podman, Self::Docker];

    /// Name of the program.
    pub fn program(self) -> &'static str {
        match self {
            Self::Podman => "podman",
            Self::Docker => "docker",
        }
    }
}

impl std::fmt::Display for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.program())
    }
}

/// A container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Who runs it.
    pub engine: Engine,
    /// Its id, which no other container ever has.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Name of its image.
    pub image: String,
    /// True where it runs.
    pub running: bool,
    /// Process id of its first process; 0 where it does not run.
    pub pid: u64,
    /// When the engine starts it again by itself: `no`, `always`, `on-failure`, `unless-stopped`.
    pub restart: String,
    /// How many times a failure starts it again; 0 for any number.
    pub restart_retries: u64,
    /// True where the engine removes it once it has stopped, so that it cannot be started again.
    pub auto_remove: bool,
    /// The pod that it is a part of.
    pub pod: Option<String>,
}

impl Container {
    /// Reads an entry of `container inspect`.
    pub fn read(engine: Engine, entry: &Value) -> Option<Self> {
        let text = |pointer: &str| entry.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let filled = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let state = entry.pointer("/State")?;
        let restart = text("/HostConfig/RestartPolicy/Name");
        Some(Self {
            engine,
            id: filled(text("/Id"))?,
            // docker writes a slash before it.
            name: text("/Name").trim_start_matches('/').to_owned(),
            image: filled(text("/ImageName")).unwrap_or_else(|| text("/Config/Image").to_owned()),
            running: state.get("Running").and_then(Value::as_bool).unwrap_or_default(),
            pid: state.get("Pid").and_then(Value::as_u64).unwrap_or_default(),
            restart: filled(restart).unwrap_or_else(|| "no".to_owned()),
            restart_retries: entry
                .pointer("/HostConfig/RestartPolicy/MaximumRetryCount")
                .and_then(Value::as_u64)
                .unwrap_or_default(),
            auto_remove: entry.pointer("/HostConfig/AutoRemove").and_then(Value::as_bool).unwrap_or_default(),
            pod: filled(text("/Pod")),
        })
    }
}

impl Host {
    /// The engines that the machine has.
    pub async fn engines(&self) -> Result<Vec<Engine>, HostError> {
        let mut found = Vec::new();
        for engine in Engine::ALL {
            let script = "command -v \"$1\" || exit 1";
            let ran = self.run(&["sh", "-c", script, "which", engine.program()], &[]).await?;
            if ran.code == Some(0) {
                found.push(engine);
            }
        }
        Ok(found)
    }

    /// A container by its name or id; `None` where the engine has none.
    pub async fn container(&self, engine: Engine, name: &str) -> Result<Option<Container>, HostError> {
        Ok(self.inspected(engine, name).await?.map(|(container, _)| container))
    }

    /// The same with all that the engine says of it, in which passwords may be.
    pub(crate) async fn inspected(
        &self,
        engine: Engine,
        name: &str,
    ) -> Result<Option<(Container, Value)>, HostError> {
        // A name that begins with a dash is none, and must not become an option.
        let command = [engine.program(), "container", "inspect", "--", name];
        let ran = self.run(&command, &[]).await?;
        if ran.code != Some(0) {
            let is_absent = ran.stderr.to_lowercase().contains("no such");
            return if is_absent { Ok(None) } else { Err(self.failed(&command, &ran)) };
        }
        let answer = |problem: &str| HostError::Answer {
            command: command[..3].join(" "),
            host: self.to_string(),
            problem: problem.to_owned(),
        };
        let entries: Vec<Value> =
            serde_json::from_slice(&ran.stdout).map_err(|error| answer(&error.to_string()))?;
        let entry = entries.first().ok_or_else(|| answer("it is empty"))?;
        let container = Container::read(engine, entry).ok_or_else(|| answer("it has no Id or no State"))?;
        Ok(Some((container, entry.clone())))
    }

    /// The first of these files that is in a container, whether it runs or not; `None` where none is.
    pub async fn file_in(
        &self,
        container: &Container,
        paths: &[&str],
    ) -> Result<Option<FoundFile>, HostError> {
        self.first_file_in(container.engine.program(), &container.id, container.running, paths).await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_engines_are_understood() {
        let podman = json!({
            "Id": "abc", "Name": "dnsmasq", "ImageName": "quay.io/metal3-io/ironic:latest", "Pod": "def",
            "State": {"Running": true, "Pid": 7},
            "HostConfig": {"RestartPolicy": {"Name": "", "MaximumRetryCount": 0}, "AutoRemove": false},
        });
        let read = Container::read(Engine::Podman, &podman).unwrap();
        assert_eq!((read.name.as_str(), read.running, read.restart.as_str()), ("dnsmasq", true, "no"));
        assert_eq!(read.pod.as_deref(), Some("def"));
        let docker = json!({
            "Id": "abc", "Name": "/ironic", "Config": {"Image": "ironic"}, "State": {"Running": false, "Pid": 0},
            "HostConfig": {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}, "AutoRemove": true},
        });
        let read = Container::read(Engine::Docker, &docker).unwrap();
        assert_eq!((read.name.as_str(), read.image.as_str()), ("ironic", "ironic"));
        assert_eq!((read.restart.as_str(), read.restart_retries, read.auto_remove), ("on-failure", 3, true));
        assert_eq!(Container::read(Engine::Docker, &json!({"Id": "abc"})), None);
    }
}
