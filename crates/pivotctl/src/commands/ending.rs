//! How a pivot ended, as people are told: the error, what it took, and the last line.

use pivot::cluster::Cluster;
use pivot::run::Retire;
use pivot_core::machine::{End, Reversal};
use pivot_core::plan::Origin;

use super::next::NextCommand;
use super::{Session, Verb, standing};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::ui::last_line::{self, Commands, Left, Sides};
use crate::ui::reporter::Reporter;
use crate::ui::timeline::Timeline;

/// An end, and what is to be said about it.
pub(super) struct Ending<'a> {
    pub(super) end: &'a End,
    pub(super) names: Sides<'a>,
    /// What stands in the place of the source.
    pub(super) origin: Origin,
    /// What was to become of the source's objects.
    pub(super) retire: Retire,
    /// The move to try again; `None` for a rollback that was asked for: undone is then done.
    pub(super) again: Option<NextCommand>,
}

impl Ending<'_> {
    /// Tells it all.
    pub(super) async fn tell(
        &self,
        session: &Session,
        mut reporter: Reporter,
        (source, target): (Option<&Cluster>, Option<&Cluster>),
    ) -> Exit {
        let as_asked = self.again.is_none() && matches!(self.end, End::RolledBack { .. });
        let exit = if as_asked { Exit::Done } else { Exit::Pivot(self.end.exit_code()) };
        reporter.end(self.end, exit);
        let timeline = reporter.timeline().clone();
        drop(reporter);
        if let Some(error) = explained(self.end, &timeline).filter(|_| !as_asked) {
            error.print(session.printer);
        }
        if let Some(gap) = timeline.gap().filter(|_| matches!(self.end, End::Done { .. })) {
            session.printer.note(gap);
        }
        session.printer.note(match self.end {
            // Somebody else may have gone on with it: what we believe is not what is.
            End::Suspended { interrupted: false, .. } => {
                let report = standing::recorded(session, source, target).await;
                if standing::is_whole(&report) {
                    standing::last_line(session, &report)
                } else {
                    self.last_line(session, &timeline)
                }
            }
            _ => self.last_line(session, &timeline),
        });
        exit
    }

    fn last_line(&self, session: &Session, timeline: &Timeline) -> String {
        let next = |verb| standing::take_up(session, verb, false);
        let (resume, finalize) = (next(Verb::Resume), next(Verb::Finalize));
        if self.origin == Origin::Directory {
            // What was to be repeated only the directory's owner knows.
            return last_line::after_import(self.end, self.names.target, None, resume.line());
        }
        let commands = Commands {
            again: self.again.as_ref().map(NextCommand::line),
            resume: resume.line(),
            finalize: finalize.line(),
        };
        last_line::after(self.end, self.names, self.left(timeline), commands)
    }

    /// What is left in the source.
    fn left(&self, timeline: &Timeline) -> Left {
        match self.end {
            End::CleanupPending { .. } if timeline.has_retired() => Left::Kept,
            End::Done { .. } if self.retire == Retire::Keep => Left::All,
            _ => Left::Nothing,
        }
    }
}

/// The error for an end that is not the wanted one.
pub(super) fn explained(end: &End, timeline: &Timeline) -> Option<CommandError> {
    let (id, message) = match end {
        End::Done { .. } => return None,
        End::Failed { cause } => ("pivot-failed", cause.clone()),
        End::RolledBack { phase, cause } => {
            ("pivot-rolled-back", format!("failed in phase {phase}: {cause}"))
        }
        End::Suspended { phase, interrupted: true, .. } => {
            ("pivot-interrupted", format!("interrupted in phase {phase}"))
        }
        End::Suspended { phase, cause, .. } => {
            ("pivot-suspended", format!("stopped in phase {phase}: {cause}"))
        }
        End::InDoubt { cause } => ("pivot-in-doubt", cause.clone()),
        End::CleanupPending { cause } => ("cleanup-pending", cause.clone()),
    };
    let hint = match end {
        End::Done { .. } | End::Failed { .. } | End::RolledBack { .. } => {
            "correct the cause, then run the command again"
        }
        End::Suspended { phase, .. } if phase.reversal() == Reversal::Forward => {
            "the pivot is decided: `resume` finishes it"
        }
        End::Suspended { .. } => "`resume` goes on with it, `rollback` undoes it",
        End::InDoubt { .. } => {
            "change nothing on either side by hand; `resume` asks the target what was decided"
        }
        End::CleanupPending { .. } if timeline.has_retired() => {
            "look at what was kept; `resume` tries once more, `finalize` leaves it and closes the pivot"
        }
        End::CleanupPending { .. } => {
            "correct the cause, then `resume`; what is left in the source acts no more"
        }
    };
    Some(CommandError::failed(id, message).hinted(hint))
}
