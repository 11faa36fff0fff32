//! The last line on standard error: which side is active and, where something is left to do, the one next command.

use pivot_core::machine::{Active, End};

use super::theme::{ERROR, GOOD, HEADING, WARNING};

/// Names of the two sides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sides<'a> {
    pub(crate) source: &'a str,
    pub(crate) target: &'a str,
}

/// After a pivot. `repeat` is the command that ran, `look` the one that shows where things stand.
pub(crate) fn after(end: &End, sides: Sides<'_>, repeat: &str, look: &str) -> String {
    let Sides { source, target } = sides;
    let active = active(Some(end.active()), source, Some(target));
    match end {
        End::Done { .. } => format!("{active} and complete; source {source} is retired"),
        End::Failed { .. } => format!("{active}, nothing was changed; {}", next(repeat)),
        End::RolledBack { .. } => format!("{active}, everything was undone; {}", next(repeat)),
        End::Suspended { phase, .. } => {
            format!("{active}, the pivot stands in phase {phase}; {}", next(look))
        }
        End::InDoubt { .. } => {
            format!("{ERROR}which of {source} and {target} is active is in doubt{ERROR:#}; {}", next(look))
        }
        End::CleanupPending { .. } => {
            format!("{active} and complete, objects are left in source {source}; {}", next(look))
        }
    }
}

/// After objects were taken from a directory, which stays as it is.
pub(crate) fn after_import(end: &End, target: &str, repeat: &str) -> String {
    let active = || active(Some(Active::Target), "", Some(target));
    match end {
        End::Done { .. } => format!("{} and complete", active()),
        End::CleanupPending { .. } => format!("{}; {}", active(), next(repeat)),
        End::Failed { .. } => format!("{NOTHING_CHANGED}; {}", next(repeat)),
        End::RolledBack { .. } => {
            format!("target {target} is as it was, everything was undone; {}", next(repeat))
        }
        End::Suspended { .. } | End::InDoubt { .. } => {
            format!("{WARNING}target {target} does not act yet{WARNING:#}; {}", next(repeat))
        }
    }
}

/// Which side acts; `None` where there is nothing to act on.
pub(crate) fn active(active: Option<Active>, source: &str, target: Option<&str>) -> String {
    let target = target.unwrap_or("target");
    match active {
        Some(Active::Source) => format!("{GOOD}source {source} is active{GOOD:#}"),
        Some(Active::Target) => format!("{GOOD}target {target} is active{GOOD:#}"),
        Some(Active::Neither) => format!("{WARNING}neither {source} nor {target} acts{WARNING:#}"),
        None => "neither side holds anything to act on".to_owned(),
    }
}

/// Where nothing was written, and which side is active is not known.
pub(crate) const NOTHING_CHANGED: &str = "nothing was changed: the side that was active still is";

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

    #[test]
    fn every_end_names_the_active_side_and_the_next_command() {
        let cause = || "x".to_owned();
        let ends = [
            End::Done { moved: 3, copied: 1 },
            End::Failed { cause: cause() },
            End::RolledBack { phase: Phase::Stage, cause: cause() },
            End::Suspended {
                phase: Phase::Stage,
                cause: cause(),
                interrupted: false,
                active: Active::Neither,
            },
            End::Suspended {
                phase: Phase::Retire,
                cause: cause(),
                interrupted: true,
                active: Active::Target,
            },
            End::InDoubt { cause: cause() },
            End::CleanupPending { cause: cause() },
        ];
        let sides = Sides { source: "a", target: "b" };
        let lines: Vec<_> =
            ends.iter().map(|end| after(end, sides, "pivotctl move", "pivotctl status")).collect();
        let text = anstream::adapter::strip_str(&lines.join("\n")).to_string();
        insta::assert_snapshot!(text, @"
        target b is active and complete; source a is retired
        source a is active, nothing was changed; next: pivotctl move
        source a is active, everything was undone; next: pivotctl move
        neither a nor b acts, the pivot stands in phase stage; next: pivotctl status
        target b is active, the pivot stands in phase retire; next: pivotctl status
        which of a and b is active is in doubt; next: pivotctl status
        target b is active and complete, objects are left in source a; next: pivotctl status
        ");
    }
}
