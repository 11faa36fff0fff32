//! A pivot to watch: a Metal3 management cluster moves from one real API server to another.

mod error;
mod proof;
mod stage;
mod table;
mod words;

use std::process::ExitCode;

use clap::Parser;
use pivot_testbed::{assets::Assets, tool::Tools};
use tokio::time::Instant;

use crate::{
    error::Result,
    proof::Proof,
    stage::{NAMESPACE, Stage},
    table::Table,
};

/// Pivot a sample Metal3 cluster between two real API servers, and prove that nothing was lost
#[derive(Debug, Parser)]
#[command(name = "demo")]
struct Options {
    /// Leave both clusters running at the end, until Enter or Ctrl-C
    #[arg(long)]
    keep: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match Box::pin(demo(&Options::parse())).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            words::say(format_args!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// True if everything was proven.
async fn demo(options: &Options) -> Result<bool> {
    let began = Instant::now();
    let assets = Assets::find()?;
    let tools = Tools::find(&assets)?;

    words::heading("Two management clusters: etcd, API server and garbage collector, on this machine");
    let stage = Stage::start(&assets).await?;
    words::say(format_args!("SOURCE={}", stage.pair.source.kubeconfig().display()));
    words::say(format_args!("TARGET={}", stage.pair.target.kubeconfig().display()));

    words::heading("Before: a Metal3 cluster in the source, among things that are not to be touched");
    let before = stage.dumps().await?;
    words::say(Table::new(&stage, &before));

    words::heading("What would move, and why");
    let planned = stage.pivotctl(&tools, &["plan"]).await?;

    words::heading("The pivot");
    let started = Instant::now();
    let moved = stage.pivotctl(&tools, &["move", "--yes"]).await?;
    let took = started.elapsed();

    words::heading("After");
    stage.await_garbage_collection().await?;
    let after = stage.dumps().await?;
    words::say(Table::new(&stage, &after));

    words::heading("What pivotctl itself says about it");
    let verified = stage.pivotctl(&tools, &["verify"]).await?;

    words::heading("Proof");
    let mut proof = Proof::default();
    let failed = [planned, moved, verified].into_iter().flatten();
    proof.check("`pivotctl plan`, `move` and `verify` succeeded", failed);
    proof.of_pivot(&stage, &before, &after);
    let proven = proof.holds();
    words::say(proof);
    words::say(format_args!(
        "\nThe pivot took {:.1} s, the whole demo {:.0} s.",
        took.as_secs_f64(),
        began.elapsed().as_secs_f64()
    ));
    if options.keep {
        words::say(format_args!(
            "\nBoth clusters run until you press Enter. In another terminal you can move the cluster back:\n\n\
             SOURCE={}\nTARGET={}\n{} move -n {NAMESPACE} --kubeconfig $TARGET --to-kubeconfig $SOURCE",
            stage.pair.source.kubeconfig().display(),
            stage.pair.target.kubeconfig().display(),
            tools.pivotctl().as_std().get_program().display(),
        ));
        words::await_enter().await;
    }
    Ok(proven)
}
