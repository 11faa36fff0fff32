//! `network dhcp`.

use pivot::host::{DhcpError, Host};
use pivot_core::dhcp::{Answer, DEFAULT_WAIT, Family};
use pivot_core::network::Bearing;

use super::Session;
use super::network::net;
use crate::args::{HostArgs, Output, WaitLimit};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::report::data;
use crate::report::dhcp::DhcpReport;
use crate::ui::last_line;
use crate::ui::theme::WARNING;

/// Ask who serves DHCP on a network, without changing anything
///
/// Each server is shown with the address that it would give to a client that it does not know. None is requested, so that none is leased. The exit code is
/// 0 also where nobody answers.
///
/// A server that serves only clients that it knows stays silent. The machine asks by its `python3`, with the rights of root.
#[derive(Debug, clap::Args)]
pub(super) struct DhcpArgs {
    #[command(flatten)]
    place: PlaceArgs,

    /// Which protocols to ask for
    #[arg(long, value_enum, value_name = "NAME", default_value_t)]
    family: FamilyChoice,

    /// How long servers may take to answer
    #[arg(long, value_name = "DURATION", default_value_t = WaitLimit(DEFAULT_WAIT))]
    wait: WaitLimit,

    /// How to print it
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Output,

    #[command(flatten)]
    host: HostArgs,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct PlaceArgs {
    /// Interface to ask from
    #[arg(long, value_name = "NAME")]
    interface: Option<String>,

    /// Address or network, such as 172.22.0.0/24, of which the machine has an interface
    #[arg(long, value_name = "ADDRESS")]
    network: Option<String>,
}

/// Which protocols are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum FamilyChoice {
    /// DHCP, and DHCPv6 where the interface can speak it
    #[default]
    Any,
    /// DHCP
    V4,
    /// DHCPv6
    V6,
}

/// Runs the verb.
pub(super) async fn run(session: &Session, args: &DhcpArgs) -> Result<Exit, CommandError> {
    let host = Host { dhcp_wait: args.wait.0, ..session.machine(&args.host).await? };
    let interface = match (&args.place.interface, &args.place.network) {
        (Some(name), _) => name.clone(),
        (None, network) => {
            let wanted = net("--network", network.as_deref().unwrap_or_default())?;
            let found = session.interruptible(Box::pin(host.find_interface(wanted))).await??;
            if let Bearing::Beyond(_) = found.bearing {
                return Err(CommandError::not_on_link(&found.interface, &host, wanted));
            }
            found.interface
        }
    };
    let asked = ask(&host, &interface, args.family);
    let (answers, not_asked) = session.interruptible(Box::pin(asked)).await??;
    let not_asked = not_asked.map(|error| error.to_string());
    let report = DhcpReport::of(&interface, &answers, not_asked.clone());
    match args.output {
        Output::Text if answers.is_empty() => {}
        Output::Text => session.print(&report.text())?,
        Output::Json => session.print(&data::json(&report))?,
        Output::Yaml => session.print(&data::yaml(&report))?,
    }
    if answers.is_empty() {
        session.printer.note(format_args!("nobody answered on {interface} of {host} within {}", args.wait));
    }
    if let Some(error) = not_asked {
        session.printer.note(format_args!("{WARNING}warning{WARNING:#}: {error}"));
    }
    session.printer.note(last_line::NOTHING_CHANGED);
    Ok(Exit::Done)
}

/// Everybody who answered, and why one of the two protocols could not be asked for, where the other was.
async fn ask(
    host: &Host,
    interface: &str,
    family: FamilyChoice,
) -> Result<(Vec<Answer>, Option<DhcpError>), DhcpError> {
    let ask = |family| host.dhcp_answers(interface, family);
    match family {
        FamilyChoice::V4 => Ok((ask(Family::V4).await?, None)),
        FamilyChoice::V6 => Ok((ask(Family::V6).await?, None)),
        FamilyChoice::Any => {
            // At once: each takes all of its time.
            let sixth = async {
                match ask(Family::V6).await {
                    Err(error @ DhcpError::NoLinkLocal { .. }) => Ok((vec![], Some(error))),
                    answers => answers.map(|answers| (answers, None)),
                }
            };
            let (mut answers, (more, not_asked)) = tokio::try_join!(ask(Family::V4), sixth)?;
            answers.extend(more);
            Ok((answers, not_asked))
        }
    }
}
