//! Kills, cuts off and opposes pivots between real API servers, and looks at both of them after each.

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use clap::Parser;
use pivot_testbed::{
    Error, Result,
    assets::Assets,
    faults::{self, Fence, News, Plan, Verdict},
    tool::PIVOTCTL_VAR,
};

/// Disturb pivots at every instant, and prove that each ends in one of the two good ends
#[derive(Debug, Parser)]
#[command(name = "faults")]
struct Options {
    /// Run every case there is
    #[arg(long, conflicts_with = "sample")]
    all: bool,

    /// Run about this many cases; those at the borders between phases are always among them
    #[arg(long, value_name = "CASES", default_value_t = 200)]
    sample: usize,

    /// What draws the sample
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Pairs of clusters that run cases at the same time; each takes about 1.2 GB of memory
    #[arg(long, default_value_t = 1)]
    lanes: usize,

    /// Begin no case after so many minutes
    #[arg(long, value_name = "MINUTES")]
    minutes: Option<u64>,

    /// Run only cases whose text holds this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,

    /// Write everything to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Write the page of the documentation
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,

    /// Tell every case, not only those that fail
    #[arg(long, short)]
    verbose: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match Box::pin(run(&Options::parse())).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(format_args!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// True if no promise was broken.
async fn run(options: &Options) -> Result<bool> {
    let assets = Assets::find()?;
    let pivotctl = std::env::var_os(PIVOTCTL_VAR).map(PathBuf::from).ok_or(Error::NoTool)?;
    let plan = Plan {
        sample: (!options.all).then_some(options.sample),
        seed: options.seed,
        lanes: options.lanes,
        only: options.only.clone(),
        limit: options.minutes.map(|minutes| Duration::from_secs(60 * minutes)),
    };
    let (over, all) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let tell = |news: News<'_>| match news {
        News::Chosen { writes, cases } => {
            all.store(cases, Ordering::Relaxed);
            let [full, pause] = Fence::BOTH.map(|fence| writes.of(fence));
            say(format_args!(
                "{full} writes with the full fence, {pause} with the pause; {cases} cases, seed {}",
                plan.seed
            ));
        }
        News::Over(verdict) => {
            let number = over.fetch_add(1, Ordering::Relaxed) + 1;
            let all = all.load(Ordering::Relaxed);
            if options.verbose || !verdict.violations.is_empty() {
                say(format_args!("{number}/{all} {}", Told(verdict)));
            } else if number.is_multiple_of(25) {
                say(format_args!("{number}/{all}"));
            }
        }
    };
    let report = faults::run(&assets, &pivotctl, &plan, &tell).await?;
    say(format_args!("{}", report.summary()));
    let files = [(&options.json, report.json().to_string()), (&options.markdown, report.markdown())];
    for (path, text) in files {
        if let Some(path) = path {
            fs::write(path, text).map_err(|source| Error::File { path: path.clone(), source })?;
        }
    }
    Ok(report.failures().next().is_none())
}

/// A verdict in words; of one that failed, everything.
struct Told<'a>(&'a Verdict);

impl std::fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Verdict { case, reached, commands, terminal, violations, seconds, .. } = self.0;
        let end = terminal.map_or_else(|| "no end".to_owned(), |terminal| terminal.to_string());
        let reached = if *reached { "" } else { " (did not come to it)" };
        write!(f, "{end} {seconds:.1} s: {case}{reached}")?;
        if violations.is_empty() {
            return Ok(());
        }
        for violation in violations {
            write!(f, "\n  BROKEN {violation}")?;
        }
        for ended in commands {
            write!(f, "\n  $ pivotctl {} -> {:?}", ended.line, ended.code)?;
            for line in ended.stdout.lines().chain(ended.stderr.lines()) {
                write!(f, "\n    {line}")?;
            }
        }
        write!(f, "\n  last writes:\n{}", self.0.evidence)
    }
}

fn say(line: std::fmt::Arguments<'_>) {
    // Nobody reads on; the result says it all the same.
    writeln!(io::stderr(), "{line}").ok();
}
