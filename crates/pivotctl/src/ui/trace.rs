//! Logs of the library, for `-v`.

use std::io;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use super::printer::Printer;

/// Writes logs to standard error, more the higher the level; at level 0 none.
pub(crate) fn install(verbosity: u32, printer: Printer) {
    let level = match verbosity {
        0 => return,
        1 => LevelFilter::INFO,
        2..=4 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    // kube logs whole response bodies that it cannot decode, and they may hold Secrets.
    let targets = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_targets([("pivot", level), ("pivot_core", level), ("pivotctl", level)])
        .with_targets([("kube", LevelFilter::OFF), ("kube_client", LevelFilter::OFF)]);
    let lines = fmt::layer().with_writer(io::stderr).with_ansi(printer.has_colors()).with_target(false);
    tracing_subscriber::registry().with(lines.with_filter(targets)).init();
}
