//! How long a pivot takes, beside `clusterctl move` of the same objects and beside its bare requests.
//!
//! It asserts nothing: times depend on the machine. Each size gets planes of its own, whose etcd waits for the disk; each
//! run gets a namespace that was filled just before and is emptied afterwards.

mod audit;
mod contest;
mod error;
mod processor;
mod progress;
mod recording;
mod replay;
mod report;
mod run;
mod scene;
mod spread;
mod tally;
mod transport;

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::Parser;
use pivot_testbed::{assets::Assets, tool::Tools};

use crate::{
    contest::{Fence, Plan},
    error::{Error, Result},
    report::{LEGEND, Table},
};

/// Measure pivotctl against clusterctl, and against its own requests sent without a thought
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Options {
    /// About how many objects to move, at least 40; repeat it or write a list
    #[arg(long = "size", value_name = "OBJECTS", value_delimiter = ',', default_values_t = [40, 1600, 8000])]
    sizes: Vec<usize>,

    /// How often to measure [default: 5 below 1000 objects, 3 below 5000, else 1]
    #[arg(long)]
    rounds: Option<usize>,

    /// Leave clusterctl out, which takes most of the time
    #[arg(long)]
    without_clusterctl: bool,

    /// How pivotctl keeps others from acting; clusterctl knows the pause alone
    #[arg(long, value_enum, default_value_t)]
    fence: Fence,

    /// Write all results to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match Box::pin(bench(&Options::parse())).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress::line(format_args!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn bench(options: &Options) -> Result<()> {
    let assets = Assets::find()?;
    let tools = Tools::find(&assets)?;
    let plan = Plan {
        assets: &assets,
        tools: &tools,
        clusterctl: !options.without_clusterctl,
        fence: options.fence,
    };
    let mut contests = Vec::new();
    for &size in &options.sizes {
        let rounds = options.rounds.unwrap_or_else(|| usual_rounds(size));
        let contest = Box::pin(plan.contest(size, rounds)).await?;
        print(&format!("{}\n", Table(&contest)))?;
        contests.push(contest);
        // After each size: a long benchmark that is cut short has something to show.
        if let Some(path) = &options.json {
            fs::write(path, report::json(&contests)).map_err(Error::file(path))?;
        }
    }
    if let Some(growth) = report::growth(&contests) {
        print(&growth)?;
    }
    print(LEGEND)
}

fn usual_rounds(size: usize) -> usize {
    match size {
        0..1000 => 5,
        1000..5000 => 3,
        _ => 1,
    }
}

fn print(text: &str) -> Result<()> {
    let mut out = io::stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Error::file("standard output"))
}
