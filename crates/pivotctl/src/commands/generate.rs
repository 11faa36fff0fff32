//! `generate`.

use std::path::PathBuf;

use pivot::ironic::inherited;
use pivot_core::ironic::manifest::{
    CONFIG_MAP_NAME, Carried, DOWNLOADER_IMAGE, DhcpRange, Form, IMAGE, Inherited, KEEPALIVED_IMAGE,
    Provisioning, Secrets, Settings, documents, is_name,
};
use pivot_core::network::{Interface, Net};

use super::Session;
use super::leases::{of_file, parsed};
use super::network::{net, on_link, static_address};
use crate::args::HostArgs;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::report::manifests;
use crate::ui::last_line;
use crate::ui::theme::WARNING;

/// Where baremetal-operator and Ironic are where nobody says otherwise.
const NAMESPACE: &str = "baremetal-operator-system";

/// Write manifests for the target, for review and for `kubectl apply`
#[derive(Debug, clap::Args)]
pub(crate) struct GenerateArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Ironic(Box<IronicArgs>),
}

/// Write the manifests of the Ironic that takes over in the target, and apply nothing
///
/// They go to standard output: the namespace, the leases, the settings, and Ironic itself, which runs nothing until `ironic start` starts it.
/// Everything has to fit: endpoint, interface, DHCP ranges and leases are checked against each other.
#[derive(Debug, clap::Args)]
struct IronicArgs {
    /// As what Ironic is to run
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    form: FormChoice,

    /// Let it run as soon as it is applied
    #[arg(long)]
    run: bool,

    /// Take settings that no flag gives from the source's ConfigMap, in the cluster of --kubeconfig [default: ironic-bmo-configmap]
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = CONFIG_MAP_NAME)]
    from_configmap: Option<String>,

    /// Lease file with which dnsmasq begins; `-` is standard input [default: what `leases import` writes before it starts]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["without_leases", "no_dhcp"])]
    leases: Option<PathBuf>,

    /// Begin without leases
    #[arg(long)]
    without_leases: bool,

    #[command(flatten)]
    network: NetworkArgs,

    #[command(flatten)]
    secrets: SecretArgs,

    #[command(flatten)]
    images: ImageArgs,

    #[command(flatten)]
    host: HostArgs,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Provisioning network")]
struct NetworkArgs {
    /// Endpoint address of Ironic, with the prefix of its network, such as 172.22.0.2/24
    #[arg(long, value_name = "ADDRESS")]
    endpoint: Option<String>,

    /// The interface [default: with --host the one that is on the endpoint's network there]
    #[arg(long, value_name = "NAME", conflicts_with = "network")]
    interface: Option<String>,

    /// Address or network by which the interface is found on the machine that --host names, or on this one
    #[arg(long, value_name = "ADDRESS")]
    network: Option<String>,

    /// Addresses that dnsmasq hands out; repeat it for more ranges
    #[arg(long, value_name = "BEGIN,END")]
    dhcp_range: Vec<String>,

    /// Serve no DHCP
    #[arg(long, conflicts_with = "dhcp_range")]
    no_dhcp: bool,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Secrets, by their names")]
struct SecretArgs {
    /// Who may use the API [default: ironic-htpasswd, for the operator's resource ironic-auth]
    #[arg(long, value_name = "NAME", conflicts_with = "no_auth")]
    auth_secret: Option<String>,

    /// Let everybody use the API
    #[arg(long)]
    no_auth: bool,

    /// The API's certificate [default: ironic-cert]
    #[arg(long, value_name = "NAME", conflicts_with = "no_tls")]
    tls_secret: Option<String>,

    /// The authority of the API's certificate, for the form deployment [default: ironic-cacert]
    #[arg(long, value_name = "NAME", conflicts_with = "no_tls")]
    ca_secret: Option<String>,

    /// Serve the API without TLS
    #[arg(long)]
    no_tls: bool,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Images")]
struct ImageArgs {
    /// Image of Ironic; it copies the leases too
    #[arg(long, value_name = "IMAGE", default_value = IMAGE)]
    image: String,

    /// Image of keepalived, for the form deployment
    #[arg(long, value_name = "IMAGE", default_value = KEEPALIVED_IMAGE)]
    keepalived_image: String,

    /// Image that fetches the ramdisk, for the form deployment
    #[arg(long, value_name = "IMAGE", default_value = DOWNLOADER_IMAGE)]
    downloader_image: String,
}

/// As what Ironic is to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum FormChoice {
    /// The Deployment of metal3's kustomizations
    #[default]
    Deployment,
    /// The `Ironic` resource of the Ironic Standalone Operator, which starts it as soon as it is applied
    Irso,
}

/// Runs the verb.
pub(crate) async fn run(session: &Session, args: &GenerateArgs) -> Result<Exit, CommandError> {
    match &args.what {
        What::Ironic(args) => ironic(session, args).await,
    }
}

async fn ironic(session: &Session, args: &IronicArgs) -> Result<Exit, CommandError> {
    let settings = settings(session, args).await?;
    session.print(&manifests::yaml(&documents(&settings)))?;
    let warn = |text: &dyn std::fmt::Display| {
        session.printer.note(format_args!("{WARNING}warning{WARNING:#}: {text}"));
    };
    for remark in settings.remarks() {
        warn(&remark);
    }
    for note in manifests::notes(&settings) {
        session.printer.note(note);
    }
    session.printer.note(last_line::NOTHING_CHANGED);
    Ok(Exit::Done)
}

async fn settings(session: &Session, args: &IronicArgs) -> Result<Settings, CommandError> {
    let form = match args.form {
        FormChoice::Deployment => Form::Deployment,
        FormChoice::Irso => Form::Irso,
    };
    if form == Form::Irso {
        let unfit = [
            ("--run", args.run),
            ("--ca-secret", args.secrets.ca_secret.is_some()),
            ("--keepalived-image", args.images.keepalived_image != KEEPALIVED_IMAGE),
            ("--downloader-image", args.images.downloader_image != DOWNLOADER_IMAGE),
        ];
        if let Some((flag, _)) = unfit.into_iter().find(|(_, given)| *given) {
            return Err(CommandError::flags_conflict(flag, "--form irso"));
        }
    }
    let namespace = namespace(session)?;
    let secrets = args.secrets.named(form)?;
    args.images.check()?;
    let asked = Asked::read(&args.network)?;
    let inherited = inherited_settings(session, args, &namespace).await?;
    let provisioning = provisioning(session, args, asked, &inherited).await?;
    if form == Form::Irso
        && (provisioning.ranges().len() > 1
            || provisioning.ranges().iter().any(|range| !range.more().is_empty()))
    {
        return Err(CommandError::ranges_for_irso());
    }
    let leases = match &args.leases {
        _ if provisioning.ranges().is_empty() || args.without_leases => Carried::Nothing,
        None => Carried::Awaited,
        Some(path) => {
            let (text, from) = of_file(&args.host.host()?, false, path).await?;
            let file = parsed(session, &text, &from)?;
            if file.is_empty() {
                return Err(CommandError::no_leases(&from).hinted(
                    "leases die with the container: read them before Ironic is stopped; --without-leases begins without any",
                ));
            }
            provisioning.outside(&file)?;
            Carried::Leases(file)
        }
    };
    let ImageArgs { image, keepalived_image, downloader_image } = &args.images;
    Ok(Settings {
        form,
        namespace,
        provisioning,
        leases,
        secrets,
        image: image.clone(),
        keepalived_image: keepalived_image.clone(),
        downloader_image: downloader_image.clone(),
        run: args.run,
        inherited,
    })
}

/// What the flags say of the provisioning network.
struct Asked {
    endpoint: Option<Net>,
    network: Option<Net>,
    ranges: Vec<DhcpRange>,
}

impl Asked {
    fn read(args: &NetworkArgs) -> Result<Self, CommandError> {
        let read =
            |flag: &str, text: &Option<String>| text.as_deref().map(|text| net(flag, text)).transpose();
        let range = |text: &String| text.parse().map_err(|error| CommandError::no_range(&error));
        Ok(Self {
            endpoint: read("--endpoint", &args.endpoint)?,
            network: read("--network", &args.network)?,
            ranges: args.dhcp_range.iter().map(range).collect::<Result<_, _>>()?,
        })
    }

    /// The endpoint: the source's, where none is named; of one that is named alone the source may tell the prefix.
    fn endpoint(&self, inherited: &Inherited) -> Option<Net> {
        let theirs = inherited.endpoint.map(|address| match inherited.prefix {
            Some(prefix) => Net { address, prefix },
            None => Net::host(address),
        });
        match (self.endpoint, theirs) {
            (Some(own), Some(theirs)) if own.is_host() && theirs.contains(own) => {
                Some(Net { prefix: theirs.prefix, ..own })
            }
            (own, theirs) => own.or(theirs),
        }
    }
}

async fn inherited_settings(
    session: &Session,
    args: &IronicArgs,
    namespace: &str,
) -> Result<Inherited, CommandError> {
    let Some(name) = &args.from_configmap else { return Ok(Inherited::default()) };
    let cluster = session.source().await?;
    Ok(session.interruptible(Box::pin(inherited(&cluster, namespace, name))).await??)
}

/// Flags first, then the machine, then the source's settings.
async fn provisioning(
    session: &Session,
    args: &IronicArgs,
    asked: Asked,
    inherited: &Inherited,
) -> Result<Provisioning, CommandError> {
    let endpoint = asked.endpoint(inherited).ok_or_else(CommandError::endpoint_missing)?;
    let named = args.network.interface.as_deref();
    let looked = if args.host.is_given() || asked.network.is_some() {
        let wanted = asked.network.unwrap_or(Net::host(endpoint.address));
        Some(look(session, &args.host, named, wanted, endpoint).await?)
    } else {
        None
    };
    let name = match &looked {
        Some(interface) => Some(interface.name.as_str()),
        None => named.or(inherited.interface.as_deref()),
    };
    let name = name.ok_or_else(CommandError::interface_missing)?;
    let statics: Vec<Net> = looked.iter().flat_map(Interface::statics).map(|assigned| assigned.net).collect();
    let ranges = match (args.network.no_dhcp, asked.ranges.is_empty()) {
        (true, _) => Vec::new(),
        (false, false) => asked.ranges,
        (false, true) if inherited.ranges.is_empty() => return Err(CommandError::range_missing()),
        (false, true) => inherited.ranges.clone(),
    };
    Ok(Provisioning::new(name, endpoint, &statics, ranges)?)
}

/// The interface on the machine, which has to be ready for keepalived and dnsmasq.
async fn look(
    session: &Session,
    args: &HostArgs,
    named: Option<&str>,
    wanted: Net,
    endpoint: Net,
) -> Result<Interface, CommandError> {
    let host = session.machine(args).await?;
    let name = if let Some(name) = named {
        name.to_owned()
    } else {
        let found = session.interruptible(Box::pin(host.find_interface(wanted))).await??;
        on_link(&found, wanted, &host)?;
        found.interface
    };
    let interface = session.interruptible(Box::pin(host.interface(&name))).await??;
    static_address(&interface, Some(endpoint.address), &host)?;
    Ok(interface)
}

impl SecretArgs {
    fn named(&self, form: Form) -> Result<Secrets, CommandError> {
        let name = |flag: &str, given: &Option<String>, default: &str| match given.as_deref() {
            Some(name) if !is_name(name) => Err(CommandError::no_name(flag, name)),
            given => Ok(given.unwrap_or(default).to_owned()),
        };
        let auth = match form {
            Form::Deployment => "ironic-htpasswd",
            Form::Irso => "ironic-auth",
        };
        let auth = name("--auth-secret", &self.auth_secret, auth)?;
        let certificate = name("--tls-secret", &self.tls_secret, "ironic-cert")?;
        let authority = name("--ca-secret", &self.ca_secret, "ironic-cacert")?;
        Ok(Secrets {
            auth: Some(auth).filter(|_| !self.no_auth),
            certificate: Some(certificate).filter(|_| !self.no_tls),
            authority: Some(authority).filter(|_| !self.no_tls && form == Form::Deployment),
        })
    }
}

impl ImageArgs {
    fn check(&self) -> Result<(), CommandError> {
        let is_plain = |text: &str| {
            text.bytes().all(|b| b.is_ascii_alphanumeric() || b"./:@_-".contains(&b))
                && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        };
        let images = [
            ("--image", &self.image),
            ("--keepalived-image", &self.keepalived_image),
            ("--downloader-image", &self.downloader_image),
        ];
        match images.into_iter().find(|(_, image)| !is_plain(image)) {
            Some((flag, image)) => Err(CommandError::no_image(flag, image)),
            None => Ok(()),
        }
    }
}

/// The namespace of Ironic, in the source as in the target.
fn namespace(session: &Session) -> Result<String, CommandError> {
    match session.global.namespaces.as_slice() {
        [] => Ok(NAMESPACE.to_owned()),
        [name] if is_name(name) => Ok(name.clone()),
        [name] => Err(CommandError::no_name("--namespace", name)),
        _ => Err(CommandError::one_namespace()),
    }
}
