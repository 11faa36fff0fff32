//! Flags that say where Ironic is on both sides.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::ValueEnum;
use pivot::survey::{IronicWish, Wish};
use pivot_core::ironic::{IronicPlace, Machine};

use super::{HostArgs, WaitLimit};
use crate::commands::next::NextCommand;
use crate::error::CommandError;

/// Where Ironic is on both sides.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Ironic")]
pub(crate) struct HandOverArgs {
    /// Where the source's Ironic is. It is stopped there, and the target's is started in its place
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    ironic: Form,

    /// Machine with the source's Ironic containers, reached by your own `ssh` [default: this one]
    #[arg(long, value_name = "[USER@]HOST")]
    ironic_host: Option<String>,

    /// Network namespace there
    #[arg(long, value_name = "NAME")]
    ironic_netns: Option<String>,

    /// Run commands there by `sudo`, which must not ask for a password
    #[arg(long)]
    ironic_sudo: bool,

    /// Where the target's Ironic is: prepared, and standing still
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    to_ironic: ToForm,

    /// Machine with the target's Ironic containers
    #[arg(long, value_name = "[USER@]HOST")]
    to_ironic_host: Option<String>,

    /// Network namespace there
    #[arg(long, value_name = "NAME")]
    to_ironic_netns: Option<String>,

    /// Run commands there by `sudo`, which must not ask for a password
    #[arg(long)]
    to_ironic_sudo: bool,

    /// Configuration file of `ssh` for both machines instead of your own
    #[arg(long, value_name = "FILE")]
    ironic_ssh_config: Option<PathBuf>,

    /// How long DHCP servers on the networks of both machines may take to answer [default: 6s]
    #[arg(long, value_name = "DURATION")]
    dhcp_wait: Option<WaitLimit>,

    /// Endpoint address of Ironic [default: the PROVISIONING_IP that its containers were told]
    #[arg(long, value_name = "ADDRESS")]
    endpoint: Option<IpAddr>,
}

/// Where the source's Ironic is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A Deployment of the source, else containers of this machine; nothing happens where neither runs
    #[default]
    Auto,
    /// It is left alone
    None,
    /// Containers of a machine
    Containers,
    /// A Deployment of the cluster
    Deployment,
    /// What the Ironic Standalone Operator keeps
    Irso,
}

/// Where the target's Ironic is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum ToForm {
    /// A Deployment of the target, or containers of the machine that is named
    #[default]
    Auto,
    /// Containers of a machine
    Containers,
    /// A Deployment of the cluster
    Deployment,
    /// What the Ironic Standalone Operator keeps
    Irso,
}

/// The flags of one side's machine.
struct MachineFlags<'a> {
    names: [&'static str; 3],
    host: Option<&'a String>,
    netns: Option<&'a String>,
    sudo: bool,
    dhcp_wait: Option<WaitLimit>,
}

impl MachineFlags<'_> {
    fn is_given(&self) -> bool {
        self.host.is_some() || self.netns.is_some() || self.sudo
    }

    fn machine(&self, ssh_config: Option<&PathBuf>) -> Result<Machine, CommandError> {
        for (flag, name) in self.names.iter().zip([self.host, self.netns]) {
            HostArgs::check_name(flag, name.map(String::as_str))?;
        }
        Ok(Machine {
            ssh: self.host.cloned(),
            // Whoever takes the pivot up stands in another folder.
            ssh_config: ssh_config
                .map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone()))
                .map(|path| path.to_string_lossy().into_owned()),
            netns: self.netns.cloned(),
            sudo: self.sudo,
            // Records count whole seconds.
            dhcp_wait: self
                .dhcp_wait
                .map(|WaitLimit(wait)| wait.as_secs() + u64::from(wait.subsec_nanos() > 0)),
        })
    }
}

impl HandOverArgs {
    fn here(&self) -> MachineFlags<'_> {
        MachineFlags {
            names: ["--ironic-host", "--ironic-netns", "--ironic-sudo"],
            host: self.ironic_host.as_ref(),
            netns: self.ironic_netns.as_ref(),
            sudo: self.ironic_sudo,
            dhcp_wait: self.dhcp_wait,
        }
    }

    fn there(&self) -> MachineFlags<'_> {
        MachineFlags {
            names: ["--to-ironic-host", "--to-ironic-netns", "--to-ironic-sudo"],
            host: self.to_ironic_host.as_ref(),
            netns: self.to_ironic_netns.as_ref(),
            sudo: self.to_ironic_sudo,
            dhcp_wait: self.dhcp_wait,
        }
    }

    /// True where anything is said of Ironic.
    pub(crate) fn is_given(&self) -> bool {
        self.ironic != Form::Auto
            || self.to_ironic != ToForm::Auto
            || self.here().is_given()
            || self.there().is_given()
            || self.dhcp_wait.is_some()
            || self.endpoint.is_some()
    }

    /// What the user says of Ironic.
    pub(crate) fn wish(&self) -> Result<IronicWish, CommandError> {
        let config = self.ironic_ssh_config.as_ref();
        let (here, there) = (self.here(), self.there());
        let cluster = || Wish::At(IronicPlace::Cluster { namespace: None });
        let refuse = |flags: &MachineFlags<'_>, form: &str| {
            if flags.is_given() {
                return Err(CommandError::flags_conflict(flags.names[0], form));
            }
            Ok(())
        };
        let source = match self.ironic {
            Form::None => {
                refuse(&here, "--ironic=none")?;
                refuse(&there, "--ironic=none")?;
                Wish::Leave
            }
            Form::Auto if here.is_given() => Wish::At(IronicPlace::Machine(here.machine(config)?)),
            Form::Auto => Wish::Find(Some(here.machine(None)?)),
            Form::Containers => Wish::At(IronicPlace::Machine(here.machine(config)?)),
            Form::Deployment | Form::Irso => {
                refuse(&here, "--ironic=deployment and --ironic=irso")?;
                cluster()
            }
        };
        let target = match self.to_ironic {
            ToForm::Auto if there.is_given() => Wish::At(IronicPlace::Machine(there.machine(config)?)),
            ToForm::Auto => Wish::Find(None),
            ToForm::Containers => Wish::At(IronicPlace::Machine(there.machine(config)?)),
            ToForm::Deployment | ToForm::Irso => {
                refuse(&there, "--to-ironic=deployment and --to-ironic=irso")?;
                cluster()
            }
        };
        Ok(IronicWish { source, target, endpoint: self.endpoint })
    }

    /// The same flags on another command line.
    pub(crate) fn repeated(&self, mut next: NextCommand) -> NextCommand {
        let name = |value: Option<clap::builder::PossibleValue>| {
            value.map(|value| value.get_name().to_owned()).unwrap_or_default()
        };
        if self.ironic != Form::Auto {
            next = next.with("--ironic", &name(self.ironic.to_possible_value()));
        }
        if self.to_ironic != ToForm::Auto {
            next = next.with("--to-ironic", &name(self.to_ironic.to_possible_value()));
        }
        for flags in [self.here(), self.there()] {
            for (flag, value) in flags.names.iter().zip([flags.host, flags.netns]) {
                if let Some(value) = value {
                    next = next.with(flag, value);
                }
            }
            if flags.sudo {
                next = next.flag(flags.names[2]);
            }
        }
        if let Some(path) = &self.ironic_ssh_config {
            next = next.with_path("--ironic-ssh-config", path);
        }
        if let Some(wait) = self.dhcp_wait {
            next = next.with("--dhcp-wait", &wait.to_string());
        }
        match self.endpoint {
            Some(endpoint) => next.with("--endpoint", &endpoint.to_string()),
            None => next,
        }
    }
}
