//! What came of all cases: counts, as text, JSON and a page of the documentation.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::{Value, json};

use super::{
    case::Fence,
    point::{Landmark, Part},
    verdict::Verdict,
    witness::{Invariant, Terminal},
};

/// The writes of pivots that were not disturbed.
#[derive(Debug, Clone, Default)]
pub struct Writes {
    /// By fence and by what they are for.
    counts: BTreeMap<(Fence, Part), usize>,
}

impl Writes {
    pub(super) fn note(&mut self, fence: Fence, landmarks: &[Landmark]) {
        for landmark in landmarks {
            *self.counts.entry((fence, landmark.part)).or_default() += 1;
        }
    }

    /// How many there are with this fence.
    pub fn of(&self, fence: Fence) -> usize {
        self.counts.iter().filter(|((at, _), _)| *at == fence).map(|(_, count)| count).sum()
    }
}

/// What came of all cases.
#[derive(Debug, Clone)]
pub struct Report {
    /// What drew them.
    pub seed: u64,
    /// False if every case there is was run.
    pub sampled: bool,
    /// What the cases were made of.
    pub writes: Writes,
    /// How each ended.
    pub verdicts: Vec<Verdict>,
}

/// Counts of one group of cases.
#[derive(Debug, Clone, Copy, Default)]
struct Row {
    cases: usize,
    reached: usize,
    a: usize,
    b: usize,
    failed: usize,
    seconds: f64,
}

impl Row {
    fn add(&mut self, verdict: &Verdict) {
        self.cases += 1;
        self.reached += usize::from(verdict.reached);
        self.a += usize::from(verdict.terminal == Some(Terminal::A));
        self.b += usize::from(verdict.terminal == Some(Terminal::B));
        self.failed += usize::from(!verdict.violations.is_empty());
        self.seconds += verdict.seconds;
    }
}

impl Report {
    /// Cases in which a promise was broken.
    pub fn failures(&self) -> impl Iterator<Item = &Verdict> {
        self.verdicts.iter().filter(|verdict| !verdict.violations.is_empty())
    }

    fn rows(&self) -> BTreeMap<(&'static str, &'static str), Row> {
        let mut rows: BTreeMap<_, Row> = BTreeMap::new();
        for verdict in &self.verdicts {
            rows.entry((verdict.group, verdict.fence)).or_default().add(verdict);
        }
        rows
    }

    fn total(&self) -> Row {
        let mut total = Row::default();
        self.verdicts.iter().for_each(|verdict| total.add(verdict));
        total
    }

    /// One line.
    pub fn summary(&self) -> String {
        let Row { cases, reached, a, b, failed, seconds } = self.total();
        format!(
            "{cases} cases (seed {}): {reached} came to their instant, {a} ended in A, {b} in B, {failed} failed; {seconds:.0} s",
            self.seed
        )
    }

    /// Everything, for programs.
    pub fn json(&self) -> Value {
        let verdict = |verdict: &Verdict| {
            json!({
                "case": verdict.case, "group": verdict.group, "fence": verdict.fence, "reached": verdict.reached,
                "terminal": verdict.terminal, "violations": verdict.violations, "seconds": verdict.seconds,
                "commands": verdict.commands.iter()
                    .map(|ended| json!({"line": ended.line, "code": ended.code, "last": ended.last_line()}))
                    .collect::<Vec<_>>(),
            })
        };
        json!({
            "seed": self.seed,
            "sampled": self.sampled,
            "writes": Fence::BOTH.map(|fence| (fence.flag(), self.writes.of(fence))).into_iter().collect::<BTreeMap<_, _>>(),
            "cases": self.verdicts.iter().map(verdict).collect::<Vec<_>>(),
        })
    }

    /// A page of the documentation.
    pub fn markdown(&self) -> String {
        let mut page = String::from(HEAD);
        let how = if self.sampled { "A sample of the cases" } else { "Every case there is" };
        let commands: usize = self.verdicts.iter().map(|verdict| verdict.commands.len()).sum();
        let total = self.total();
        writeln!(
            page,
            "{how}, drawn with seed {}: **{} cases**, {commands} runs of `pivotctl`, {:.0} minutes of pivots.\n",
            self.seed,
            total.cases,
            total.seconds / 60.0
        )
        .expect(WRITES);
        page.push_str(
            "| what happens | `--fence` | cases | came to its instant | ended in A | ended in B | broken |\n",
        );
        page.push_str("|---|---|---:|---:|---:|---:|---:|\n");
        for ((group, fence), row) in self.rows() {
            let Row { cases, reached, a, b, failed, .. } = row;
            writeln!(page, "| {group} | {fence} | {cases} | {reached} | {a} | {b} | {failed} |")
                .expect(WRITES);
        }
        let Row { cases, reached, a, b, failed, .. } = total;
        writeln!(page, "| **all** | | {cases} | {reached} | {a} | {b} | {failed} |").expect(WRITES);
        self.write_invariants(&mut page);
        self.write_writes(&mut page);
        page
    }

    fn write_invariants(&self, page: &mut String) {
        page.push_str(
            "\n## What was looked at after each\n\n| | promise | cases | broken |\n|---|---|---:|---:|\n",
        );
        for invariant in Invariant::ALL {
            let broken = self.verdicts.iter().filter(|verdict| {
                verdict.violations.iter().any(|violation| violation.invariant == invariant)
            });
            let cases = match invariant {
                Invariant::Identity => self.total().a,
                _ => self.verdicts.len(),
            };
            let described = invariant.describe();
            writeln!(page, "| `{invariant}` | {described} | {cases} | {} |", broken.count()).expect(WRITES);
        }
    }

    fn write_writes(&self, page: &mut String) {
        page.push_str(
            "\n## The writes of an undisturbed pivot\n\nEach is an instant, at three stages: before it is sent, when it is \
             done and not answered, after the answer.\n\n| for | `--fence=full` | `--fence=pause` |\n|---|---:|---:|\n",
        );
        for part in Part::ALL {
            let count = |fence| self.writes.counts.get(&(fence, part)).copied().unwrap_or_default();
            writeln!(page, "| {part} | {} | {} |", count(Fence::Full), count(Fence::Pause)).expect(WRITES);
        }
        let [full, pause] = Fence::BOTH.map(|fence| self.writes.of(fence));
        writeln!(page, "| **all** | {full} | {pause} |").expect(WRITES);
    }
}

const WRITES: &str = "BUG: writing to a string failed";

const HEAD: &str = "# Fault cases\n\n\
    <!-- Written by `cargo xtask faults --markdown`; do not edit. -->\n\n\
    Pivots between two real API servers, each disturbed at one instant. Then everything in both clusters is compared with what was \
    there before. A: the source is active and untouched. B: the target is active and complete. A few writes happen in some runs \
    only; a case whose write did not come ran undisturbed.\n\n";
