//! Doing to a pivot what a case says.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::Signal;
use serde_json::Value;
use tokio::{process::Command, time::sleep};

use super::{
    case::{Case, Fence, Instant},
    ground::{Bank, Ground},
    lane::{LIMIT, follow},
    person::{self, Done},
    point::Part,
    role::Role,
    tool_run::{Ended, Running},
    trouble::{Disk, Harm, Outage, Trouble, Verb},
    verdict::Verdict,
    witness::{Invariant, Violation},
};
use crate::{
    Error, Result,
    plane::Component,
    proxy::{Halt, Link, Stage},
    tool::Tools,
    traffic::{Outcome, Verb as Request},
};

/// Where a user's programs keep what they remember, below the home folder.
pub(super) const STATE: &str = ".local/state";

/// How long a side is out of reach: several requests time out or are tried again, and no limit is exceeded.
const SILENCE: Duration = Duration::from_secs(3);

/// What the record of a decided pivot says, as JSON within JSON.
const COMMITTED: &str = r#"\"state\": \"committed\""#;

/// Blocks of 1024 bytes that a file may grow to where the disk is to be full.
const FULL_DISK_BLOCKS: u32 = 4;

/// Where a case is played.
pub(super) struct Scene<'a> {
    pub(super) ground: &'a Ground,
    pub(super) tools: &'a Tools,
    pub(super) fence: Fence,
}

impl Scene<'_> {
    /// Starts the pivot.
    pub(super) fn start(&self) -> Result<Running> {
        Running::start(self.command())
    }

    fn command(&self) -> Command {
        let words = ["move", "--yes", "-n", self.ground.namespace(), "--fence", self.fence.flag()];
        self.ground.command(self.tools, &words)
    }

    /// Runs the pivot of a case until it ends, or is killed. What a person did, if an API server accepted it, comes back.
    pub(super) async fn disturb(&self, case: &Case, verdict: &mut Verdict) -> Result<Option<Done>> {
        match &case.trouble {
            Trouble::Kill(instant) => self.kill(instant, verdict).await?,
            Trouble::KillAndJournal(instant, harm) => {
                self.kill(instant, verdict).await?;
                self.harm(*harm)?;
            }
            Trouble::Interrupt(instant) => {
                let running = self.start()?;
                if let Some(halt) = self.reach(&running, instant, verdict).await {
                    running.signal(Signal::TERM);
                    halt.go_on();
                }
                verdict.commands.push(running.end(LIMIT).await?);
            }
            Trouble::Replaced(instant) => self.replace(case, instant, verdict).await?,
            Trouble::Rival(instant, verb) => self.compete(instant, *verb, verdict).await?,
            Trouble::Reply(role, spoiled) => {
                verdict.reached = true;
                self.ground.bank(*role).proxy.inject(spoiled.fault.clone());
                verdict.commands.push(self.start()?.end(LIMIT).await?);
            }
            Trouble::Line(instant, role, link) => {
                let running = self.start()?;
                if let Some(halt) = self.reach(&running, instant, verdict).await {
                    let proxy = &self.ground.bank(*role).proxy;
                    proxy.set_link(*link);
                    halt.go_on();
                    sleep(SILENCE).await;
                    proxy.set_link(Link::Up);
                }
                verdict.commands.push(running.end(LIMIT).await?);
            }
            Trouble::Outage(instant, role, component, outage) => {
                let running = self.start()?;
                if let Some(halt) = self.reach(&running, instant, verdict).await {
                    out(self.ground.bank(*role), *component, *outage, halt).await?;
                }
                verdict.commands.push(running.end(LIMIT).await?);
            }
            Trouble::Restored(instant) => self.restore(instant, verdict).await?,
            Trouble::Person(instant, deed) => {
                let running = self.start()?;
                let mut done = None;
                if let Some(halt) = self.reach(&running, instant, verdict).await {
                    done = person::act(self.ground, *deed, self.is_decided(case, instant)).await?;
                    halt.go_on();
                }
                verdict.commands.push(running.end(LIMIT).await?);
                return Ok(done);
            }
            Trouble::NoJournal(disk) => {
                verdict.reached = true;
                verdict.commands.push(Running::start(self.without_journal(*disk))?.end(LIMIT).await?);
            }
        }
        Ok(None)
    }

    /// The request at which something is to happen; `None` if the pivot ended without it.
    async fn reach(&self, running: &Running, instant: &Instant, verdict: &mut Verdict) -> Option<Halt> {
        let proxy = &self.ground.bank(instant.point.role).proxy;
        let gate = instant.point.halt(proxy, instant.stage, self.ground.namespace());
        let halt = running.until(gate.reached()).await.flatten();
        verdict.reached = halt.is_some();
        halt
    }

    /// True where the pivot's one commit point lies behind the instant.
    fn is_decided(&self, case: &Case, instant: &Instant) -> bool {
        match case.part {
            Part::Activate | Part::Retire => true,
            // With the pause alone nobody can be kept from either side while the decision is on its way.
            Part::Prepare if case.fence == Fence::Pause => true,
            Part::Commit => instant.stage != Stage::Before || case.fence == Fence::Pause,
            // Records and snapshots are written at the end too.
            _ => {
                let history = self.ground.bank(Role::Target).proxy.history();
                history.iter().any(|entry| {
                    let says = |body: &Value| body["data"].to_string().contains(COMMITTED);
                    entry.outcome == Outcome::Answered(200) && entry.call.body.as_ref().is_some_and(says)
                })
            }
        }
    }

    /// The target forgets everything since before the pivot.
    async fn restore(&self, instant: &Instant, verdict: &mut Verdict) -> Result<()> {
        let plane = &self.ground.bank(Role::Target).plane;
        let folder = tempfile::tempdir().map_err(Error::file(std::env::temp_dir()))?;
        let backup = folder.path().join("backup");
        plane.back_up(&backup)?;
        let running = self.start()?;
        if let Some(halt) = self.reach(&running, instant, verdict).await {
            plane.restore(&backup).await?;
            halt.go_on();
        }
        verdict.commands.push(running.end(LIMIT).await?);
        follow(self.tools, verdict).await?;
        if let Some(target) = in_doubt(verdict.last()) {
            // Nobody else can know that the target's answer is lost for good.
            let words = ["rollback", "--attest-target-dead", &target];
            let attested = Running::start(self.ground.command(self.tools, &words))?.end(LIMIT).await?;
            verdict.commands.push(attested);
        }
        Ok(())
    }

    async fn kill(&self, instant: &Instant, verdict: &mut Verdict) -> Result<()> {
        let running = self.start()?;
        let halt = self.reach(&running, instant, verdict).await;
        let ended = if halt.is_some() { running.kill().await? } else { running.end(LIMIT).await? };
        verdict.commands.push(ended);
        // Nothing of it passes any more.
        drop(halt);
        Ok(())
    }

    /// Another one takes the place of the tool, which then goes on as if nothing had happened.
    async fn replace(&self, case: &Case, instant: &Instant, verdict: &mut Verdict) -> Result<()> {
        let running = self.start()?;
        let Some(halt) = self.reach(&running, instant, verdict).await else {
            verdict.commands.push(running.end(LIMIT).await?);
            return Ok(());
        };
        running.stop().await;
        // After a reply nothing passes until it may go on.
        let held = if instant.stage == Stage::Replied {
            halt.go_on();
            None
        } else {
            Some(halt)
        };
        let answer = self.ground.command(self.tools, &[case.answer.verb(), "-n", self.ground.namespace()]);
        verdict.commands.push(Running::start(answer)?.end(LIMIT).await?);
        follow(self.tools, verdict).await?;
        let last = verdict.commands.pop();
        running.signal(Signal::CONT);
        match held {
            // What is on its way for longer than a takeover and all that follows arrives where no fence is left: a create alone
            // is not guarded by anything else. That limit is written down (ARCHITECTURE.md), and nothing here could show otherwise.
            Some(halt) if instant.stage == Stage::Before && halt.call().verb == Request::Create => drop(halt),
            Some(halt) => halt.go_on(),
            None => {}
        }
        let zombie = running.end(LIMIT).await?;
        if zombie.too_long {
            let what = "the tool that was replaced did not end";
            verdict.violations.push(Violation::new(Invariant::Ends, what));
        }
        verdict.commands.push(zombie);
        // What counts is what its successor said.
        verdict.commands.extend(last);
        Ok(())
    }

    /// A second tool, which has to leave everything as it is.
    async fn compete(&self, instant: &Instant, verb: Verb, verdict: &mut Verdict) -> Result<()> {
        let running = self.start()?;
        if let Some(halt) = self.reach(&running, instant, verdict).await {
            let rival = Running::start(self.rival(verb))?.end(LIMIT).await?;
            if rival.code == Some(0) {
                let what = format!("a second `{}` succeeded while the first was at work", verb.word());
                verdict.violations.push(Violation::new(Invariant::Ends, what));
            }
            verdict.commands.push(rival);
            halt.go_on();
        }
        verdict.commands.push(running.end(LIMIT).await?);
        Ok(())
    }

    /// It does not come through the proxies, which may hold back whatever comes after a reply.
    fn rival(&self, verb: Verb) -> Command {
        let mut command = self.tools.pivotctl();
        command.args([verb.word(), "-n", self.ground.namespace()]);
        if verb == Verb::Move {
            command.arg("--yes");
        }
        for (flag, role) in [("--kubeconfig", Role::Source), ("--to-kubeconfig", Role::Target)] {
            command.arg(flag).arg(self.ground.bank(role).plane.kubeconfig());
        }
        command
    }

    fn without_journal(&self, disk: Disk) -> Command {
        let plain = self.command();
        match disk {
            Disk::NoFolder => {
                let mut command = plain;
                command.env("XDG_STATE_HOME", "/dev/null");
                command
            }
            Disk::Full => {
                // A write beyond the limit is then an error, and not the end of the process.
                let script = format!("trap '' XFSZ; ulimit -f {FULL_DISK_BLOCKS}; exec \"$0\" \"$@\"");
                let mut command = Command::new("bash");
                command
                    .args(["-c", &script])
                    .arg(plain.as_std().get_program())
                    .args(plain.as_std().get_args());
                for (name, value) in plain.as_std().get_envs() {
                    match value {
                        Some(value) => command.env(name, value),
                        None => command.env_remove(name),
                    };
                }
                command.kill_on_drop(true);
                command
            }
        }
    }

    /// Does something to every journal there is.
    fn harm(&self, harm: Harm) -> Result<()> {
        let state = self.tools.home().join(STATE);
        for path in files(&state)? {
            let failed = Error::file(&path);
            let mut bytes = fs::read(&path).map_err(Error::file(&path))?;
            match harm {
                Harm::Deleted => {
                    fs::remove_file(&path).map_err(failed)?;
                    continue;
                }
                // In the middle of a line, most likely.
                Harm::CutOff => bytes.truncate(bytes.len() * 2 / 3),
                Harm::Flipped => {
                    let middle = bytes.len() / 2;
                    if let Some(byte) = bytes.get_mut(middle) {
                        *byte ^= 1;
                    }
                }
            }
            fs::write(&path, bytes).map_err(failed)?;
        }
        Ok(())
    }
}

/// Takes a program of a plane out, lets the pivot go on, and brings the program back.
async fn out(bank: &Bank, component: Component, outage: Outage, halt: Halt) -> Result<()> {
    match outage {
        Outage::Frozen => {
            bank.plane.freeze(component)?;
            halt.go_on();
            sleep(SILENCE).await;
            bank.plane.thaw(component)
        }
        Outage::Killed => {
            bank.plane.kill(component)?;
            halt.go_on();
            bank.plane.restart(component).await
        }
    }
}

/// The target, by its name, where only a person can know what became of the pivot.
fn in_doubt(ended: &Ended) -> Option<String> {
    let names = ended.last_line().strip_prefix("which of ")?.split_once(" is active is in doubt")?.0;
    Some(names.split_once(" and ")?.1.to_owned())
}

pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if !folder.is_dir() {
        return Ok(found);
    }
    for entry in fs::read_dir(folder).map_err(Error::file(folder))? {
        let path = entry.map_err(Error::file(folder))?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}
