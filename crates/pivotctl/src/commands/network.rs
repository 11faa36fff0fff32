//! `network`.

use std::net::IpAddr;

use pivot::host::{Host, NetworkError, Removal};
use pivot_core::network::{Bearing, Found, Interface, Net};

use super::Session;
use super::network_dhcp::{self, DhcpArgs};
use super::partly::told;
use crate::args::{HostArgs, Output};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::report::data;
use crate::report::network::{AddressReport, FoundReport, addresses, text};
use crate::ui::last_line;
use crate::ui::theme::WARNING;

/// Find the interface of a network, and look after the addresses on it
#[derive(Debug, clap::Args)]
pub(crate) struct NetworkArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Find(FindArgs),
    Dhcp(DhcpArgs),
    Address(AddressArgs),
}

/// Tell which interface of a machine is on a network, without changing anything
///
/// One that carries the address comes first, then the one with an address in the smallest network that holds it. An address that is only
/// routed is an error: no DHCP gets there.
#[derive(Debug, clap::Args)]
struct FindArgs {
    /// Address or network, such as 172.22.0.0/24
    #[arg(long, value_name = "ADDRESS")]
    address: String,

    /// How to print it
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Output,

    #[command(flatten)]
    host: HostArgs,
}

/// Look after the addresses of an interface
#[derive(Debug, clap::Args)]
struct AddressArgs {
    #[command(subcommand)]
    what: AddressWhat,
}

#[derive(Debug, clap::Subcommand)]
enum AddressWhat {
    Show(ShowArgs),
    Check(CheckArgs),
    Remove(RemoveArgs),
}

/// Show the addresses of a machine, without changing anything
#[derive(Debug, clap::Args)]
struct ShowArgs {
    /// Show this interface alone
    #[arg(long, value_name = "NAME")]
    interface: Option<String>,

    /// How to print them
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Output,

    #[command(flatten)]
    host: HostArgs,
}

/// Check that the provisioning interface has a static address, without changing anything
///
/// The exit code is 0 where it has, and 1 where it has not. A DHCP client that hides from the kernel that its address is leased cannot be told
/// from a person.
#[derive(Debug, clap::Args)]
struct CheckArgs {
    /// The provisioning interface
    #[arg(long, value_name = "NAME")]
    interface: String,

    /// Endpoint address of Ironic: the static address must be another one
    #[arg(long, value_name = "ADDRESS")]
    endpoint: Option<String>,

    #[command(flatten)]
    host: HostArgs,
}

/// Take an address off the interface that carries it
///
/// What the kernel takes along with it is put back. That no interface carries the address is no error.
#[derive(Debug, clap::Args)]
struct RemoveArgs {
    /// The address, such as Ironic's endpoint
    #[arg(long, value_name = "ADDRESS")]
    address: String,

    /// The interface, where not whichever carries it
    #[arg(long, value_name = "NAME")]
    interface: Option<String>,

    #[command(flatten)]
    host: HostArgs,
}

/// Runs the verb.
pub(crate) async fn run(session: &Session, args: &NetworkArgs) -> Result<Exit, CommandError> {
    match &args.what {
        What::Find(args) => find(session, args).await,
        What::Dhcp(args) => network_dhcp::run(session, args).await,
        What::Address(args) => match &args.what {
            AddressWhat::Show(args) => show(session, args).await,
            AddressWhat::Check(args) => check(session, args).await,
            AddressWhat::Remove(args) => remove(session, args).await,
        },
    }
}

async fn find(session: &Session, args: &FindArgs) -> Result<Exit, CommandError> {
    let wanted = net("--address", &args.address)?;
    let host = session.machine(&args.host).await?;
    let found = session.interruptible(Box::pin(host.find_interface(wanted))).await??;
    let report = FoundReport::from(&found);
    session.print(&match args.output {
        Output::Text => report.text(),
        Output::Json => data::json(&report),
        Output::Yaml => data::yaml(&report),
    })?;
    on_link(&found, wanted, &host)?;
    session.printer.note(last_line::NOTHING_CHANGED);
    Ok(Exit::Done)
}

async fn show(session: &Session, args: &ShowArgs) -> Result<Exit, CommandError> {
    let host = session.machine(&args.host).await?;
    let interfaces = match &args.interface {
        Some(name) => vec![session.interruptible(Box::pin(host.interface(name))).await??],
        None => session.interruptible(Box::pin(host.interfaces())).await??,
    };
    let reports = addresses(&interfaces);
    session.print(&match args.output {
        Output::Text => text(&reports),
        Output::Json => data::json(&reports),
        Output::Yaml => data::yaml(&reports),
    })?;
    session.printer.note(last_line::NOTHING_CHANGED);
    Ok(Exit::Done)
}

async fn check(session: &Session, args: &CheckArgs) -> Result<Exit, CommandError> {
    let endpoint = args.endpoint.as_deref().map(|text| address("--endpoint", text)).transpose()?;
    let host = session.machine(&args.host).await?;
    let interface = session.interruptible(Box::pin(host.interface(&args.interface))).await??;
    let fit = static_address(&interface, endpoint, &host)?;
    session.print(&format!("{fit}\n"))?;
    session.printer.note(last_line::NOTHING_CHANGED);
    Ok(Exit::Done)
}

/// Refuses an interface that only leads to the network.
pub(super) fn on_link(found: &Found, wanted: Net, host: &Host) -> Result<(), CommandError> {
    match found.bearing {
        Bearing::Beyond(_) => Err(CommandError::not_on_link(&found.interface, host, wanted)),
        Bearing::Carries(_) | Bearing::OnLink(_) => Ok(()),
    }
}

/// The static address of the provisioning interface.
pub(super) fn static_address(
    interface: &Interface,
    endpoint: Option<IpAddr>,
    host: &Host,
) -> Result<Net, CommandError> {
    let there =
        || addresses(std::slice::from_ref(interface)).iter().map(AddressReport::line).collect::<Vec<_>>();
    let Some(fit) = interface.provisioning_address(endpoint) else {
        return Err(CommandError::no_static_address(&interface.name, host, there()));
    };
    if !interface.up {
        let message = format!("{} of {host} is down", interface.name);
        return Err(CommandError::interface_down(message));
    }
    if !fit.usable {
        return Err(CommandError::failed(
            "address-unusable",
            format!(
                "{} of {} on {host} cannot be used: another machine may have it too",
                fit.net, interface.name
            ),
        )
        .hinted("find out who else has the address"));
    }
    Ok(fit.net)
}

async fn remove(session: &Session, args: &RemoveArgs) -> Result<Exit, CommandError> {
    let wanted = address("--address", &args.address)?;
    let host = session.machine(&args.host).await?;
    // Not given up half way: what went along must come back.
    let removal = match Box::pin(host.remove_address(wanted, args.interface.as_deref())).await {
        Err(error @ (NetworkError::Back { .. } | NetworkError::Lost { .. } | NetworkError::Host(_))) => {
            return Ok(told(session, &error.into()));
        }
        other => other?,
    };
    match removal {
        Removal::WasNotThere => {
            session.printer.note(match &args.interface {
                Some(name) => format!("{name} of {host} does not carry {wanted}"),
                None => format!("no interface of {host} carries {wanted}"),
            });
        }
        Removal::Done { interface, net, put_back } => {
            session.printer.note(format_args!("{net} was taken off {interface} of {host}"));
            for net in put_back {
                session.printer.note(format_args!(
                    "{WARNING}warning{WARNING:#}: the kernel took {net} along; it was put back"
                ));
            }
        }
    }
    session.printer.note(last_line::STILL_ACTIVE);
    Ok(Exit::Done)
}

/// An address or network that a flag names.
pub(super) fn net(flag: &str, text: &str) -> Result<Net, CommandError> {
    text.parse().map_err(|error| CommandError::no_network(flag, &error))
}

/// An address; a prefix that stands behind it is what `ip` would show, and says nothing more.
fn address(flag: &str, text: &str) -> Result<IpAddr, CommandError> {
    Ok(net(flag, text)?.address)
}
