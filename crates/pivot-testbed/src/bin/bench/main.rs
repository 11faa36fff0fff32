//! How long a pivot takes, beside `clusterctl move` of the same objects and beside its bare requests.
//!
//! It asserts nothing: times depend on the machine. Each size gets planes of its own, whose etcd waits for the disk; each
//! run gets a namespace that was filled just before and is emptied afterwards.

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
    contest::{Fence, Plan, Runner},
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

    /// Measure with this fence alone: the comparison with the pause, or the management gap with the full fence [default: both]
    #[arg(long, value_enum)]
    fence: Option<Fence>,

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
    let mut contests = Vec::new();
    for fence in Fence::BOTH.into_iter().filter(|fence| options.fence.is_none_or(|only| only == *fence)) {
        let mut runners = match fence {
            Fence::Pause => vec![Runner::Clusterctl, Runner::Pivotctl, Runner::BareLoop],
            // The others know no fence.
            Fence::Full => vec![Runner::Pivotctl],
        };
        runners.retain(|runner| !options.without_clusterctl || *runner != Runner::Clusterctl);
        let plan = Plan { assets: &assets, tools: &tools, runners, fence };
        for &size in &sizes(fence, &options.sizes) {
            let rounds = options.rounds.unwrap_or_else(|| usual_rounds(size));
            let contest = Box::pin(plan.contest(size, rounds)).await?;
            print(&format!("{}\n", Table(&contest)))?;
            contests.push(contest);
            // After each size: a long benchmark that is cut short has something to show.
            if let Some(path) = &options.json {
                fs::write(path, report::json(&contests)).map_err(Error::file(path))?;
            }
        }
    }
    for line in [report::growth(&contests), report::cost(&contests)].into_iter().flatten() {
        print(&line)?;
    }
    print(LEGEND)
}

/// With the full fence what matters is how the gap grows.
fn sizes(fence: Fence, asked: &[usize]) -> Vec<usize> {
    let ends = [asked.iter().min(), asked.iter().max()];
    match fence {
        Fence::Pause => asked.to_vec(),
        Fence::Full => {
            let mut ends: Vec<_> = ends.into_iter().flatten().copied().collect();
            ends.dedup();
            ends
        }
    }
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
