//! Errors of the verbs that take a pivot up again, and of reading its records.

use pivot::coordinator::SeatError;
use pivot::memory::{Memory, Recall};
use pivot::records::RecordsError;
use pivot::recover::RecoverError;
use pivot_core::machine::Side;
use pivot_core::record::{DocumentError, NoCourse};

use super::{CommandError, of_failure};
use crate::exit::Exit;

impl CommandError {
    /// Why nothing was done about a pivot.
    pub(crate) fn recover(error: &RecoverError) -> Self {
        let message = error.to_string();
        match error {
            RecoverError::NoCourse { reason, .. } => Self::no_course(reason, message),
            RecoverError::Records { error, .. } => Self::unread(error, message),
            RecoverError::Ambiguous(_) => {
                Self::usage("pivot-ambiguous", message).hinted("name the one that is meant with --id")
            }
            RecoverError::Elsewhere { side, expected, .. } => {
                let flag = match side {
                    Side::Source => "--kubeconfig",
                    Side::Target => "--to-kubeconfig",
                };
                Self::usage("wrong-cluster", message)
                    .hinted(format!("lead {flag} to {expected}; perhaps the two kubeconfigs are exchanged"))
            }
            RecoverError::Attest(_) => Self::usage("attest-refused", message)
                .hinted("`pivotctl status` tells the names that the records know"),
            RecoverError::Survey(error) => {
                let (id, hint) = of_failure(error.failure());
                Self::suspended(id, message).hinted(hint)
            }
            RecoverError::Cluster { error, .. } => {
                let (id, hint) = of_failure(error);
                Self::suspended(id, message).hinted(hint)
            }
            RecoverError::Refused(_) => Self::suspended("pivot-refused", message)
                .hinted("correct the cause, then run the command again; `rollback` undoes the pivot"),
            RecoverError::Snapshot(_) => Self::in_doubt("snapshot-damaged", message)
                .hinted("restore the Secrets of pivotctl-system in the target from a backup, then run the command again"),
            RecoverError::Links(_) => Self::failed("links-malformed", message)
                .hinted("use the version of pivotctl that began the pivot"),
            RecoverError::Seat(error) => Self::seat(error, message),
        }
    }

    fn no_course(reason: &NoCourse, message: String) -> Self {
        match reason {
            NoCourse::NoPivot => Self::failed("no-pivot", message)
                .hinted("`pivotctl history` lists what the clusters remember; check which ones are named"),
            NoCourse::Decided => Self::failed("pivot-decided", message),
            NoCourse::InDoubt(_) => Self::in_doubt("pivot-in-doubt", message).hinted(
                "bring the target back, then run `resume`; only if it is gone for good: `rollback --attest-target-dead=NAME`",
            ),
            NoCourse::SourceUnreachable => Self::suspended("source-unreachable", message).hinted(
                "bring the source back, then run the command again; only if it is gone for good: `resume --attest-source-dead=NAME`",
            ),
            NoCourse::TargetUnreachable => Self::suspended("target-unreachable", message).hinted(
                "bring the target back, then run the command again; only if it is gone for good: `rollback --attest-target-dead=NAME`",
            ),
            NoCourse::SourceForgot => Self::in_doubt("record-lost", message)
                .hinted("restore the ConfigMaps of pivotctl-system in the source from a backup, then run the command again"),
            NoCourse::NoSnapshot => {
                Self::in_doubt("snapshot-missing", message).hinted("restore the source from a backup, then run `rollback`")
            }
        }
    }

    fn seat(error: &SeatError, message: String) -> Self {
        match error {
            SeatError::Held { .. } => {
                Self::failed("pivot-held", message).hinted("`pivotctl status` tells how far it is")
            }
            SeatError::Refused { .. } => Self::failed("seat-refused", message)
                .hinted("ask for the permission that the message names, or use a kubeconfig that has it"),
            SeatError::Unreachable { .. } => Self::suspended("no-answer", message)
                .hinted("check the connection to the server, then run the command again"),
        }
    }

    /// Records that cannot be read.
    pub(crate) fn unread(error: &RecordsError, message: String) -> Self {
        match error {
            RecordsError::Cluster(failure) => {
                let (id, hint) = of_failure(failure);
                Self::failed(id, message).hinted(hint)
            }
            RecordsError::Document(DocumentError::Newer { .. }) => Self::failed("record-newer", message)
                .hinted("use the version of pivotctl that wrote it, or a newer one"),
            RecordsError::Document(DocumentError::Damaged { .. }) => Self::failed("record-damaged", message)
                .hinted("restore the ConfigMap in pivotctl-system from a backup"),
        }
    }

    /// Where no side answers there is nothing to tell.
    pub(crate) fn unless_some_answer(memory: &Memory) -> Result<(), Self> {
        let sides = [(Side::Source, &memory.source), (Side::Target, &memory.target)];
        if sides.iter().any(|(_, recall)| recall.read().is_some()) {
            return Ok(());
        }
        let silent = sides.into_iter().find_map(|(side, recall)| match recall {
            Recall::Silent { name, error } => {
                Some(Self::unread(error, format!("{name} (the {side}): {error}")))
            }
            Recall::NotNamed | Recall::Read(_) => None,
        });
        silent.map_or(Ok(()), Err)
    }

    /// The pivot stands where it stood.
    fn suspended(id: &'static str, message: String) -> Self {
        Self { exit: Exit::Suspended, ..Self::failed(id, message) }
    }

    /// Somebody has to decide.
    fn in_doubt(id: &'static str, message: String) -> Self {
        Self { exit: Exit::InDoubt, ..Self::failed(id, message) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(reason: NoCourse) -> (&'static str, u8, bool) {
        let error = CommandError::recover(&RecoverError::NoCourse { id: None, reason });
        (error.id, error.exit.code(), error.hint.is_some())
    }

    #[test]
    fn exit_codes_tell_what_may_be_done() {
        assert_eq!(told(NoCourse::NoPivot), ("no-pivot", 1, true));
        // Its hint names the clusters.
        assert_eq!(told(NoCourse::Decided), ("pivot-decided", 1, false));
        assert_eq!(told(NoCourse::InDoubt("x")), ("pivot-in-doubt", 5, true));
        assert_eq!(told(NoCourse::SourceUnreachable), ("source-unreachable", 4, true));
        assert_eq!(told(NoCourse::TargetUnreachable), ("target-unreachable", 4, true));
        assert_eq!(told(NoCourse::SourceForgot), ("record-lost", 5, true));
        assert_eq!(told(NoCourse::NoSnapshot), ("snapshot-missing", 5, true));
    }

    #[test]
    fn what_names_the_wrong_thing_is_a_usage_error() {
        let ambiguous = RecoverError::Ambiguous(vec!["a".to_owned(), "b".to_owned()]);
        let elsewhere = RecoverError::Elsewhere {
            side: Side::Source,
            name: "mgmt".to_owned(),
            id: "p1".to_owned(),
            expected: "boot".to_owned(),
        };
        for error in [ambiguous, elsewhere, RecoverError::Attest("x".to_owned())] {
            assert_eq!(CommandError::recover(&error).exit, Exit::Usage, "{error}");
        }
    }

    #[test]
    fn a_record_of_a_newer_version_is_not_guessed() {
        let newer = DocumentError::Newer { what: "pivot record", name: "pivot-p1".to_owned(), format: 9 };
        let (side, name) = (Side::Target, "mgmt".to_owned());
        let error = CommandError::recover(&RecoverError::Records { side, name, error: newer.into() });
        assert_eq!((error.id, error.exit.code()), ("record-newer", 1));
        assert!(
            error.message.contains("mgmt (the target): ") && error.message.contains("format 9"),
            "{}",
            error.message
        );
    }

    #[test]
    fn whoever_has_the_seat_is_named() {
        let held = SeatError::Held {
            side: Side::Source,
            cluster: "boot".to_owned(),
            holder: "a/7/n/b".to_owned(),
            pivot: Some("p1".to_owned()),
        };
        let error = CommandError::recover(&held.into());
        assert_eq!((error.id, error.exit.code()), ("pivot-held", 1));
        assert!(error.message.contains("process 7 on a (pivot p1)"), "{}", error.message);
    }
}
