//! The last line on standard error: which side is active and, where something is left to do, the one next command.

use pivot_core::machine::{Active, End};
use pivot_core::record::outlook::Acting;

use super::theme::{ERROR, GOOD, HEADING, WARNING};

/// Names of the two sides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sides<'a> {
    pub(crate) source: &'a str,
    pub(crate) target: &'a str,
}

/// Commands that may be next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Commands<'a> {
    /// The same move once more; `None` where nobody wants one.
    pub(crate) again: Option<&'a str>,
    /// Takes the pivot up again.
    pub(crate) resume: &'a str,
    /// Gives up what was kept in the source.
    pub(crate) finalize: &'a str,
}

/// What is left in the source of a pivot that went through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Nothing, or what another try may remove.
    Nothing,
    /// Everything, as it was asked for (`--retire=keep`).
    All,
    /// Objects that could not be removed.
    Kept,
}

/// After a pivot.
pub(crate) fn after(end: &End, sides: Sides<'_>, left: Left, commands: Commands<'_>) -> String {
    let Sides { source, target } = sides;
    let active = active(end.active().into(), source, Some(target));
    let again = commands.again.map(|again| format!("; {}", next(again))).unwrap_or_default();
    match (end, left) {
        (End::Done { .. }, Left::All) => format!(
            "{active} and complete; source {source} is retired and keeps its objects; {}",
            next(commands.finalize)
        ),
        (End::Done { .. }, _) => format!("{active} and complete; source {source} is retired"),
        (End::Failed { .. }, _) => format!("{active}, nothing was changed{again}"),
        (End::RolledBack { .. }, _) => format!("{active}, everything was undone{again}"),
        (End::Suspended { phase, .. }, _) => {
            format!("{active}, the pivot stands in phase {phase}; {}", next(commands.resume))
        }
        (End::InDoubt { .. }, _) => format!("{}; {}", doubt(source, target), next(commands.resume)),
        (End::CleanupPending { .. }, Left::Kept) => {
            format!(
                "{active} and complete, objects were kept in source {source}; {}",
                next(commands.finalize)
            )
        }
        (End::CleanupPending { .. }, _) => {
            format!("{active} and complete, objects are left in source {source}; {}", next(commands.resume))
        }
    }
}

/// After objects were taken from a directory, which stays as it is.
pub(crate) fn after_import(end: &End, target: &str, again: Option<&str>, resume: &str) -> String {
    let again = again.map(|again| format!("; {}", next(again))).unwrap_or_default();
    let active = || active(Acting::Target, "", Some(target));
    match end {
        End::Done { .. } => format!("{} and complete", active()),
        End::Failed { .. } => format!("{NOTHING_CHANGED}{again}"),
        End::RolledBack { .. } => format!("target {target} is as it was, everything was undone{again}"),
        End::CleanupPending { .. } | End::Suspended { active: Active::Target, .. } => {
            format!("{}; {}", active(), next(resume))
        }
        End::Suspended { .. } | End::InDoubt { .. } => {
            format!("{WARNING}target {target} does not act yet{WARNING:#}; {}", next(resume))
        }
    }
}

/// Which side acts.
pub(crate) fn active(acting: Acting, source: &str, target: Option<&str>) -> String {
    let target = target.unwrap_or("target");
    match acting {
        Acting::Source => format!("{GOOD}source {source} is active{GOOD:#}"),
        Acting::Target => format!("{GOOD}target {target} is active{GOOD:#}"),
        Acting::Neither => format!("{WARNING}neither {source} nor {target} acts{WARNING:#}"),
        Acting::InDoubt => doubt(source, target),
        Acting::Unknown => format!("{WARNING}which side is active is not known{WARNING:#}"),
    }
}

fn doubt(source: &str, target: &str) -> String {
    format!("{ERROR}which of {source} and {target} is active is in doubt{ERROR:#}")
}

/// Where neither side holds anything to act on.
pub(crate) const NOTHING_TO_ACT_ON: &str = "neither side holds anything to act on";

/// Where nothing was written, and which side is active is not known.
pub(crate) const NOTHING_CHANGED: &str = "nothing was changed: the side that was active still is";

/// Where something failed that had begun to change what it found.
pub(crate) const LEFT: &str = "what was done stays as it is: the side that was active still is";

/// Where something was written that decides nothing.
pub(crate) const STILL_ACTIVE: &str = "the side that was active still is";

/// Where nothing was written.
pub(crate) fn untouched(source: &str) -> String {
    format!("{GOOD}source {source} is active{GOOD:#}, nothing was changed")
}

/// The next command.
pub(crate) fn next(command: &str) -> String {
    format!("next: {HEADING}{command}{HEADING:#}")
}

#[cfg(test)]
mod tests {
    use pivot_core::machine::Phase;

    use super::*;

    fn lines(ends: &[(End, Left)], again: Option<&str>) -> String {
        let sides = Sides { source: "a", target: "b" };
        let commands = Commands { again, resume: "pivotctl resume", finalize: "pivotctl finalize" };
        let lines: Vec<_> = ends.iter().map(|(end, left)| after(end, sides, *left, commands)).collect();
        anstream::adapter::strip_str(&lines.join("\n")).to_string()
    }

    #[test]
    fn every_end_names_the_active_side_and_the_next_command() {
        let cause = || "x".to_owned();
        let suspended =
            |phase, interrupted, active| End::Suspended { phase, cause: cause(), interrupted, active };
        let done = || End::Done { moved: 3, copied: 1 };
        let ends = [
            (done(), Left::Nothing),
            (done(), Left::All),
            (End::Failed { cause: cause() }, Left::Nothing),
            (End::RolledBack { phase: Phase::Stage, cause: cause() }, Left::Nothing),
            (suspended(Phase::PreCopy, true, Active::Source), Left::Nothing),
            (suspended(Phase::Stage, false, Active::Neither), Left::Nothing),
            (suspended(Phase::Retire, true, Active::Target), Left::Nothing),
            (End::InDoubt { cause: cause() }, Left::Nothing),
            (End::CleanupPending { cause: cause() }, Left::Nothing),
            (End::CleanupPending { cause: cause() }, Left::Kept),
        ];
        insta::assert_snapshot!(lines(&ends, Some("pivotctl move")), @"
        target b is active and complete; source a is retired
        target b is active and complete; source a is retired and keeps its objects; next: pivotctl finalize
        source a is active, nothing was changed; next: pivotctl move
        source a is active, everything was undone; next: pivotctl move
        source a is active, the pivot stands in phase pre-copy; next: pivotctl resume
        neither a nor b acts, the pivot stands in phase stage; next: pivotctl resume
        target b is active, the pivot stands in phase retire; next: pivotctl resume
        which of a and b is active is in doubt; next: pivotctl resume
        target b is active and complete, objects are left in source a; next: pivotctl resume
        target b is active and complete, objects were kept in source a; next: pivotctl finalize
        ");
    }

    #[test]
    fn what_was_asked_for_and_done_needs_no_next_command() {
        let undone = End::RolledBack { phase: Phase::Stage, cause: "x".to_owned() };
        let line = lines(&[(undone, Left::Nothing)], None);
        assert_eq!(line, "source a is active, everything was undone");
    }
}
