//! The results, as a table for people and as JSON.

use std::fmt::{self, Write};

use serde::Serialize;

use crate::{
    contest::{Contest, Fence, Measurement, Runner},
    run::Gap,
    spread::Spread,
    tally::Tally,
};

/// What the ratios of one size are.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Ratios {
    /// How many times faster `pivotctl` is than `clusterctl`, by round.
    #[serde(skip_serializing_if = "Option::is_none")]
    clusterctl_over_pivotctl: Option<Spread>,
    /// How many times longer `pivotctl` takes than its requests alone, by round.
    #[serde(skip_serializing_if = "Option::is_none")]
    pivotctl_over_bare_loop: Option<Spread>,
}

impl Ratios {
    pub(crate) fn of(contest: &Contest) -> Self {
        let ratio = |over: Runner, under: Runner| {
            Spread::of(contest.rounds.iter().filter_map(|round| {
                let seconds = |runner: Runner| round.iter().find(|m| m.runner == runner).map(|m| m.seconds);
                Some(seconds(over)? / seconds(under)?)
            }))
        };
        Self {
            clusterctl_over_pivotctl: ratio(Runner::Clusterctl, Runner::Pivotctl),
            pivotctl_over_bare_loop: ratio(Runner::Pivotctl, Runner::BareLoop),
        }
    }
}

/// Everything, for programs.
pub(crate) fn json(contests: &[Contest]) -> String {
    #[derive(Serialize)]
    struct Size<'a> {
        #[serde(flatten)]
        contest: &'a Contest,
        ratios: Ratios,
    }
    let sizes: Vec<_> =
        contests.iter().map(|contest| Size { contest, ratios: Ratios::of(contest) }).collect();
    let text = serde_json::to_string_pretty(&sizes).expect("BUG: results are plain data");
    text + "\n"
}

/// What the columns mean, and what to bear in mind.
pub(crate) const LEGEND: &str = "\
time      from the start of the process to its end; the loop: from its first connection to its last answer
ratio     of the times of one round; the order within a round is reversed from round to round
requests  as the API servers' audit logs of both sides show them, of this program alone
memory    peak resident memory of the process, looked at every 10 ms
program   processor time of the process
planes    processor time of both clusters' etcd, API server and controllers meanwhile
bare loop the requests of a recorded pivotctl move, sent again with 64 in flight and nothing to decide
All planes run on this machine and share its processors with the program; etcd waits for the disk. Whatever else runs here
changes the times, and less so the ratios.
";

/// The table of one size.
pub(crate) struct Table<'a>(pub(crate) &'a Contest);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Contest { objects, fence, rounds } = self.0;
        let unit = if rounds.len() == 1 { "round" } else { "rounds" };
        writeln!(f, "{objects} objects, --fence={}, {} {unit}", fence.name(), rounds.len())?;
        writeln!(
            f,
            "  {:<16} {:>9} {:>19} {:>9} {:>11} {:>8} {:>8} {:>8} {:>8} {:>6}",
            "",
            "median",
            "min ... max",
            "requests",
            "per object",
            "memory",
            "program",
            "planes",
            "arrived",
            "left"
        )?;
        for runner in [Runner::Clusterctl, Runner::Pivotctl, Runner::BareLoop] {
            let runs: Vec<_> = rounds.iter().flatten().filter(|m| m.runner == runner).collect();
            if let Some(line) = line(*objects, &runs) {
                writeln!(f, "  {:<16} {line}", runner.title())?;
            }
        }
        let ratios = Ratios::of(self.0);
        for (what, ratio) in [
            ("clusterctl / pivotctl", ratios.clusterctl_over_pivotctl),
            ("pivotctl / bare loop", ratios.pivotctl_over_bare_loop),
        ] {
            if let Some(Spread { min, median, max }) = ratio {
                writeln!(f, "  {what:<22} {median:>6.2} x  ({min:.2} ... {max:.2})")?;
            }
        }
        if let Some(Spread { min, median, max }) = gap(self.0) {
            let middle = |part: fn(&Gap) -> f64| {
                Spread::of(gaps(self.0).map(|gap| part(&gap))).map_or(0.0, |spread| spread.median)
            };
            let (waited, opening) = (middle(|gap| gap.waited_seconds), middle(|gap| gap.activate_seconds));
            writeln!(
                f,
                "  {:<22} {median:>6.2} s  ({min:.2} ... {max:.2}), {waited:.2} s of it waiting for proof of the fence, {opening:.2} s ACTIVATE",
                "management gap"
            )?;
        }
        writeln!(
            f,
            "  {:<16} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}",
            "requests", "read", "create", "status", "update", "patch", "delete", "refused"
        )?;
        for runner in [Runner::Clusterctl, Runner::Pivotctl, Runner::BareLoop] {
            let last = rounds.iter().flatten().rfind(|m| m.runner == runner);
            if let Some(Measurement { requests, .. }) = last {
                let Tally { read, create, status, update, patch, delete, refused } = requests;
                writeln!(
                    f,
                    "  {:<16} {read:>8} {create:>8} {status:>8} {update:>8} {patch:>8} {delete:>8} {refused:>8}",
                    runner.title()
                )?;
            }
        }
        Ok(())
    }
}

fn gaps(contest: &Contest) -> impl Iterator<Item = Gap> {
    contest.rounds.iter().flatten().filter_map(|measurement| measurement.gap)
}

/// How long neither side acted.
fn gap(contest: &Contest) -> Option<Spread> {
    Spread::of(gaps(contest).map(|gap| gap.seconds))
}

/// How the management gap grows with the number of objects, from the smallest to the largest size.
pub(crate) fn growth(contests: &[Contest]) -> Option<String> {
    let fenced = contests.iter().filter(|contest| contest.fence == Fence::Full);
    let until_activate = |contest| Spread::of(gaps(contest).map(|gap| gap.seconds - gap.activate_seconds));
    let mut sizes: Vec<_> = fenced
        .filter_map(|contest| Some((contest.objects, gap(contest)?.median, until_activate(contest)?.median)))
        .collect();
    sizes.sort_by_key(|(objects, ..)| *objects);
    let ((few, short, before), (many, long, after)) = (sizes.first()?, sizes.last()?);
    let ratio = |long: f64, short: f64| format!("{:.2} x  ({long:.2} s / {short:.2} s)", long / short);
    (few < many).then(|| {
        let (whole, until) = (ratio(*long, *short), ratio(*after, *before));
        format!("management gap at {many} objects / at {few}: {whole}; until ACTIVATE begins: {until}\n")
    })
}

/// What the full fence costs over the pause where there is little to move.
pub(crate) fn cost(contests: &[Contest]) -> Option<String> {
    let fewest = contests.iter().map(|contest| contest.objects).min()?;
    let seconds = |fence: Fence| {
        let contest = contests.iter().find(|one| one.objects == fewest && one.fence == fence)?;
        let runs = contest.rounds.iter().flatten().filter(|run| run.runner == Runner::Pivotctl);
        Spread::of(runs.map(|run| run.seconds)).map(|spread| spread.median)
    };
    let (pause, full) = (seconds(Fence::Pause)?, seconds(Fence::Full)?);
    let more = full - pause;
    Some(format!(
        "full fence at {fewest} objects: {more:.2} s more than the pause alone  ({full:.2} s, {pause:.2} s)\n"
    ))
}

/// The cells of a runner: times over all its runs, everything else from the last one.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn line(objects: usize, runs: &[&Measurement]) -> Option<String> {
    let Spread { min, median, max } = Spread::of(runs.iter().map(|run| run.seconds))?;
    let last = runs.last()?;
    let total = last.requests.total();
    let memory = runs.iter().filter_map(|run| run.peak_memory_bytes).max();
    let memory = memory.map_or("-".to_owned(), |bytes| format!("{:.0} MB", bytes as f64 / 1e6));
    let program = last.program_processor_seconds.map_or("-".to_owned(), |seconds| format!("{seconds:.1} s"));
    let mut line = String::new();
    write!(
        line,
        "{:>9} {:>19} {total:>9} {:>11.1} {memory:>8} {program:>8} {:>8} {:>8} {:>6}",
        format!("{median:.2} s"),
        format!("{min:.2} ... {max:.2} s"),
        total as f64 / objects as f64,
        format!("{:.1} s", last.planes_processor_seconds),
        last.arrived,
        last.left
    )
    .ok()?;
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(runner: Runner, seconds: f64) -> Measurement {
        let requests = Tally { read: 20, create: 40, delete: 40, ..Tally::default() };
        let peak_memory_bytes = (runner != Runner::BareLoop).then_some(52_000_000);
        Measurement {
            runner,
            seconds,
            program_processor_seconds: None,
            planes_processor_seconds: 1.0,
            peak_memory_bytes,
            gap: None,
            requests,
            arrived: 40,
            left: 0,
        }
    }

    #[test]
    fn ratios_pair_the_runs_of_a_round() {
        let round = |seconds: [f64; 3]| {
            let runners = [Runner::Clusterctl, Runner::Pivotctl, Runner::BareLoop];
            runners.into_iter().zip(seconds).map(|(runner, seconds)| measured(runner, seconds)).collect()
        };
        let contest = Contest {
            objects: 40,
            fence: Fence::Pause,
            rounds: vec![round([4.0, 0.4, 0.2]), round([6.0, 0.3, 0.3])],
        };
        let text = Table(&contest).to_string();
        assert!(text.contains("clusterctl / pivotctl   15.00 x  (10.00 ... 20.00)"), "{text}");
        assert!(text.contains("pivotctl / bare loop     1.50 x  (1.00 ... 2.00)"), "{text}");
        assert!(text.contains("2.5"), "requests per object: {text}");
    }

    #[test]
    fn the_gaps_of_the_smallest_and_the_largest_size_are_compared() {
        let contest = |objects, gaps: &[f64]| {
            let measured = |&seconds: &f64| Measurement {
                gap: Some(Gap { seconds, waited_seconds: 0.25, activate_seconds: 0.5 }),
                ..measured(Runner::Pivotctl, 9.0)
            };
            Contest { objects, fence: Fence::Full, rounds: vec![gaps.iter().map(measured).collect()] }
        };
        let contests = [contest(8000, &[3.0]), contest(40, &[1.0, 1.5, 9.0])];
        assert_eq!(
            growth(&contests).unwrap(),
            "management gap at 8000 objects / at 40: 2.00 x  (3.00 s / 1.50 s); until ACTIVATE begins: 2.50 x  (2.50 s / 1.00 s)\n"
        );
        assert_eq!(growth(&contests[..1]), None);
        let pause = Contest { fence: Fence::Pause, ..contest(40, &[1.0]) };
        let full = "full fence at 40 objects: 0.00 s more than the pause alone  (9.00 s, 9.00 s)\n";
        assert_eq!(cost(&[contest(40, &[1.0]), pause]).unwrap(), full);
        assert_eq!(cost(&contests), None);
        let text = Table(&contests[0]).to_string();
        assert!(text.contains("3.00 s  (3.00 ... 3.00), 0.25 s of it waiting"), "{text}");
    }

    #[test]
    fn what_did_not_run_is_left_out() {
        let contest =
            Contest { objects: 40, fence: Fence::Pause, rounds: vec![vec![measured(Runner::Pivotctl, 1.0)]] };
        assert!(!Table(&contest).to_string().contains("clusterctl"));
    }
}
