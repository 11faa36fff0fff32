//! Flags that name a machine.

use std::path::PathBuf;

use clap::ValueEnum;
use pivot::host::{Engine, Host, Ssh};

use crate::error::CommandError;

/// Where commands are run.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Machine")]
pub(crate) struct HostArgs {
    /// Machine to run commands on, by your own `ssh` and its configuration [default: this one]
    #[arg(long, value_name = "[USER@]HOST")]
    pub(crate) host: Option<String>,

    /// Configuration file of `ssh` instead of your own
    #[arg(long, value_name = "FILE", requires = "host")]
    pub(crate) ssh_config: Option<PathBuf>,

    /// Network namespace there, by the name that `ip netns` knows
    #[arg(long, value_name = "NAME")]
    pub(crate) netns: Option<String>,

    /// Run commands there by `sudo`, which must not ask for a password
    #[arg(long)]
    pub(crate) sudo: bool,
}

impl HostArgs {
    /// The machine.
    pub(crate) fn host(&self) -> Result<Host, CommandError> {
        for (flag, name) in [("--host", &self.host), ("--netns", &self.netns)] {
            Self::check_name(flag, name.as_deref())?;
        }
        let ssh = self.host.clone().map(|destination| Ssh { destination, config: self.ssh_config.clone() });
        Ok(Host { ssh, namespace: self.netns.clone(), sudo: self.sudo, ..Host::default() })
    }

    /// Refuses what cannot be the name of a machine or of a network namespace.
    pub(crate) fn check_name(flag: &str, name: Option<&str>) -> Result<(), CommandError> {
        match name {
            Some(name)
                if name.trim().is_empty() || name.starts_with('-') || name.contains(char::is_whitespace) =>
            {
                Err(CommandError::usage("host-name", format!("{flag} says `{name}`, which is no name"))
                    .hinted(format!(
                        "name one with {flag}, without blanks; ssh's own options go into its configuration"
                    )))
            }
            _ => Ok(()),
        }
    }

    /// True where another place than this machine is named.
    pub(crate) fn is_given(&self) -> bool {
        self.host.is_some() || self.netns.is_some() || self.sudo
    }
}

/// Who runs containers there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum EngineChoice {
    /// Whichever is there
    #[default]
    Auto,
    /// podman
    Podman,
    /// docker
    Docker,
}

impl EngineChoice {
    /// The one that is named; `None` for whichever is there.
    pub(crate) fn named(self) -> Option<Engine> {
        match self {
            Self::Auto => None,
            Self::Podman => Some(Engine::Podman),
            Self::Docker => Some(Engine::Docker),
        }
    }
}
