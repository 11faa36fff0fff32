//! `version`.

use serde::Serialize;

use super::Session;
use crate::args::Output;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::report::data;
use crate::ui::stream;

/// Print the version of the program and of the formats it reads and writes
#[derive(Debug, clap::Args)]
pub(crate) struct VersionArgs {
    /// How to print it
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Output,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct VersionReport {
    version: &'static str,
    plan_format: u32,
    event_schema: &'static str,
    platform: String,
}

/// Runs the verb.
pub(crate) fn run(session: &Session, args: &VersionArgs) -> Result<Exit, CommandError> {
    let report = VersionReport {
        version: env!("CARGO_PKG_VERSION"),
        plan_format: pivot_core::plan::FORMAT,
        event_schema: stream::SCHEMA,
        platform: format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    };
    session.print(&match args.output {
        Output::Text => format!("pivotctl {} ({})\n", report.version, report.platform),
        Output::Json => data::json(&report),
        Output::Yaml => data::yaml(&report),
    })?;
    Ok(Exit::Done)
}
