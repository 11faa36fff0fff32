//! One pair of clusters on which cases run, one after the other.

use std::{fs, io, path::Path, time::Duration};

use tokio::time::{Instant as Clock, sleep};

use super::{
    case::{Answer, Case, Fence},
    disturb::{STATE, Scene, files},
    ground::Ground,
    point::{Landmark, landmarks, united},
    role::Role,
    tool_run::Running,
    trouble::Trouble,
    verdict::Verdict,
    witness::{Invariant, Terminal, Violation, Witness, tells_secret},
};
use crate::{Error, Result, assets::Assets, tool::Tools};

/// Longest time that one command may take: its own waits are bounded below that.
pub(super) const LIMIT: Duration = Duration::from_secs(300);
/// Commands that may be needed after the first to come to an end.
const STEPS: usize = 5;
/// The exit code of a pivot of which nobody knows which side is active.
const IN_DOUBT: i32 = 5;
/// So often somebody who looks on may look again.
const LOOKS: usize = 60;
/// Writes of each side that are shown of a case that failed.
const EVIDENCE: usize = 60;
/// Cases after which both clusters are emptied: records of old pivots would only slow down the rest.
const RENEW_AFTER: usize = 40;

/// Runs cases.
#[derive(Debug)]
pub(super) struct Lane<'a> {
    assets: &'a Assets,
    tools: Tools,
    ground: Ground,
    /// Cases since both clusters were empty.
    used: usize,
}

impl<'a> Lane<'a> {
    /// Starts two clusters for it.
    pub(super) async fn start(assets: &'a Assets, pivotctl: &Path) -> Result<Self> {
        let tools = Tools::with(pivotctl.to_owned(), assets)?;
        Ok(Self { assets, tools, ground: Ground::start(assets).await?, used: 0 })
    }

    /// Every write of a pivot with this fence.
    pub(super) async fn landmarks(&mut self, fence: Fence) -> Result<Vec<Landmark>> {
        let mut runs = Vec::new();
        self.fresh().await?;
        for _ in 0..2 {
            self.ground.calm();
            let ended = Scene { ground: &self.ground, tools: &self.tools, fence }.start()?.end(LIMIT).await?;
            if ended.code != Some(0) {
                return Err(Error::Tool { line: ended.line, stderr: ended.stderr });
            }
            let side = |role| landmarks(role, &self.ground.bank(role).proxy.history());
            runs.push(Role::BOTH.map(side).concat());
            self.ground.swap();
            self.used += 1;
        }
        let later = runs.pop().unwrap_or_default();
        Ok(united(runs.pop().unwrap_or_default(), &later))
    }

    /// Runs one case. What it could not clean up is thrown away, and the next case begins on new clusters.
    pub(super) async fn run(&mut self, case: &Case) -> Result<Verdict> {
        let began = Clock::now();
        if self.used >= RENEW_AFTER || (case.first_only && self.used > 0) {
            self.fresh().await?;
        }
        self.used += 1;
        let mut verdict = Verdict::new(case);
        if let Err(error) = Box::pin(self.trial(case, &mut verdict)).await {
            verdict.violations.push(Violation::new(Invariant::Ends, error.to_string()));
        }
        verdict.seconds = began.elapsed().as_secs_f64();
        // A store that went back in time leaves watches and caches behind that nobody should build on.
        if !verdict.violations.is_empty() || matches!(case.trouble, Trouble::Restored(_)) {
            self.ground = Ground::start(self.assets).await?;
            self.used = 0;
        } else if verdict.terminal == Some(Terminal::B) {
            self.ground.swap();
        }
        Ok(verdict)
    }

    async fn fresh(&mut self) -> Result<()> {
        if self.used > 0 {
            self.ground.calm();
            self.ground.renew().await?;
            self.used = 0;
        }
        Ok(())
    }

    async fn trial(&mut self, case: &Case, verdict: &mut Verdict) -> Result<()> {
        self.ground.calm();
        forget_journals(self.tools.home())?;
        let mut before = self.ground.look().await?;
        let scene = Scene { ground: &self.ground, tools: &self.tools, fence: case.fence };
        let done = Box::pin(scene.disturb(case, verdict)).await?;
        if verdict.last().was_killed() {
            self.answer(case.answer, verdict).await?;
        } else {
            follow(&self.tools, verdict).await?;
        }
        verdict.evidence = self.evidence();
        self.ground.calm();
        let Some(terminal) = self.told(verdict) else { return Ok(()) };
        verdict.terminal = Some(terminal);
        let mut after = self.ground.look().await?;
        if let Some(done) = done {
            verdict.violations.extend(done.settle(&mut before, &mut after, terminal));
            done.undo().await?;
            // The next case wants the cluster as it was loaded.
            self.used = RENEW_AFTER;
        }
        let witness = Witness {
            before: &before,
            namespace: self.ground.namespace(),
            moved: self.ground.moved(),
            restarted: matches!(case.trouble, Trouble::Outage(..) | Trouble::Restored(_)),
        };
        verdict.violations.extend(witness.judge(&after, terminal));
        self.listen(verdict)
    }

    /// Takes a pivot up that was left.
    async fn answer(&self, answer: Answer, verdict: &mut Verdict) -> Result<()> {
        self.say(answer.verb(), verdict).await?;
        follow(&self.tools, verdict).await?;
        // A look alone clears nothing away.
        if verdict.last().line.starts_with("status") {
            self.say("resume", verdict).await?;
        }
        // It may have been left before either cluster knew of it: then only the objects tell who has them.
        if verdict.last().last_line().contains("not known") {
            self.say("status", verdict).await?;
        }
        Ok(())
    }

    async fn say(&self, verb: &str, verdict: &mut Verdict) -> Result<()> {
        let words = [verb, "-n", self.ground.namespace()];
        verdict.commands.push(Running::start(self.ground.command(&self.tools, &words))?.end(LIMIT).await?);
        Ok(())
    }

    /// The end that the last command claims.
    fn told(&self, verdict: &mut Verdict) -> Option<Terminal> {
        let line = verdict.last().last_line().to_owned();
        let active = |role: Role| {
            let address = self.ground.bank(role).proxy.address();
            line.contains(&format!("({}) is active", address.trim_start_matches("https://")))
        };
        // Refused before it had learned anything.
        let unchanged = line.starts_with("nothing was changed");
        let (terminal, fits) = match (active(Role::Source) || unchanged, active(Role::Target)) {
            // Nothing to undo, or to finish, is an error of the command line (2) or none at all.
            (true, false) => (Terminal::A, matches!(verdict.last().code, Some(0..=3))),
            // A decided pivot is not undone (1).
            (false, true) => {
                let refused = verdict.last().code == Some(1) && verdict.last().line.starts_with("rollback");
                (Terminal::B, refused || verdict.last().code == Some(0))
            }
            _ => {
                verdict
                    .violations
                    .push(Violation::new(Invariant::Words, format!("no active side in `{line}`")));
                return None;
            }
        };
        if !fits {
            let what = format!("exit code {:?} with `{line}`", verdict.last().code);
            verdict.violations.push(Violation::new(Invariant::Words, what));
        }
        Some(terminal)
    }

    /// The last requests of both sides, for whoever has to find out what went wrong.
    fn evidence(&self) -> String {
        let mut lines = Vec::new();
        for role in Role::BOTH {
            let history = self.ground.bank(role).proxy.history();
            let writes: Vec<_> = history.iter().filter(|entry| entry.call.verb.is_write()).collect();
            let last = &writes[writes.len().saturating_sub(EVIDENCE)..];
            lines.extend(last.iter().map(|entry| format!("{role} {:?}: {:?}", entry.call, entry.outcome)));
        }
        lines.join("\n")
    }

    /// What was said, and what was written to the disk of whoever runs the tool.
    fn listen(&self, verdict: &mut Verdict) -> Result<()> {
        let commands = verdict.commands.iter();
        let told = commands.filter(|ended| tells_secret(&ended.stdout) || tells_secret(&ended.stderr));
        let mut told: Vec<_> =
            told.map(|ended| format!("`pivotctl {}` told a secret value", ended.line)).collect();
        for path in files(self.tools.home())? {
            let bytes = fs::read(&path).map_err(Error::file(&path))?;
            if tells_secret(&String::from_utf8_lossy(&bytes)) {
                told.push(format!("{} holds a secret value", path.display()));
            }
        }
        verdict.violations.extend(told.into_iter().map(|what| Violation::new(Invariant::Secrets, what)));
        Ok(())
    }
}

/// Does what the last line says, until nothing is left to do.
pub(super) async fn follow(tools: &Tools, verdict: &mut Verdict) -> Result<()> {
    let mut steps = 0;
    while steps < STEPS {
        if verdict.last().too_long {
            let what = format!("`pivotctl {}` took longer than {} s", verdict.last().line, LIMIT.as_secs());
            verdict.violations.push(Violation::new(Invariant::Ends, what));
            return Ok(());
        }
        // In doubt twice over the same command: only a person can know.
        if let [.., before, last] = verdict.commands.as_slice()
            && before.code == Some(IN_DOUBT)
            && (&before.line, before.code) == (&last.line, last.code)
        {
            return Ok(());
        }
        let Some(words) = verdict.last().next().filter(|words| is_unfinished(words)) else { return Ok(()) };
        let looks_on = words.first() == Some(&"status");
        let mut command = tools.pivotctl();
        command.args(words);
        if looks_on && verdict.commands.len() < LOOKS {
            // Somebody else is at it.
            sleep(Duration::from_secs(1)).await;
        } else {
            steps += 1;
        }
        let ended = Running::start(command)?.end(LIMIT).await?;
        verdict.commands.push(ended);
    }
    verdict.violations.push(Violation::new(Invariant::Ends, format!("no end after {STEPS} commands")));
    Ok(())
}

/// True for a command that carries the pivot on, or tells how.
fn is_unfinished(words: &[&str]) -> bool {
    matches!(words.first(), Some(&("resume" | "rollback" | "finalize" | "status" | "verify")))
}

/// Each case begins without a memory of the machine it runs on.
fn forget_journals(home: &Path) -> Result<()> {
    match fs::remove_dir_all(home.join(STATE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::file(home)(error)),
        _ => Ok(()),
    }
}
