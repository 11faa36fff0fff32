//! What of a run goes into the local journal, and when.

use std::path::Path;

use pivot_core::machine::{End, Notice, Outcome, Write};
use pivot_core::plan::ClusterIdentity;

use crate::journal::{Begin, Ending, Event, Journal};
use crate::run::Clock;

/// A journal and the clock that its lines are dated by.
pub(crate) struct Story {
    journal: Journal,
    clock: Clock,
}

impl Story {
    /// Opens the journal of a pivot; without a directory nothing is written. What is wrong with it comes back in words: it never stops
    /// a pivot.
    pub(crate) async fn begin(
        directory: Option<&Path>,
        clock: Clock,
        pivot_id: &str,
        source: &ClusterIdentity,
        target: &ClusterIdentity,
    ) -> (Self, Option<String>) {
        let Some(directory) = directory else { return (Self { journal: Journal::none(), clock }, None) };
        let begin = Begin::new(pivot_id, env!("CARGO_PKG_VERSION"), source, target);
        match Journal::open(directory, begin, &clock()).await {
            Ok(journal) => {
                let aside = journal.set_aside().map(|aside| {
                    format!(
                        "the journal was damaged ({}) and is now {}; the records in the clusters are what counts",
                        aside.damage,
                        aside.path.display()
                    )
                });
                (Self { journal, clock }, aside)
            }
            Err(error) => {
                let message =
                    format!("{error}; the pivot goes on without a journal: its records are in the clusters");
                (Self { journal: Journal::none(), clock }, Some(message))
            }
        }
    }

    /// Before a write is sent.
    pub(super) async fn intent(&self, write: &Write) -> u64 {
        self.journal.record(&(self.clock)(), Event::intent(write)).await
    }

    /// After it.
    pub(super) fn outcome(&self, intent: u64, outcome: &Outcome) {
        self.journal.note(&(self.clock)(), Event::outcome(intent, outcome));
    }

    /// What is worth a line of what is told.
    pub(super) fn heard(&self, notice: &Notice) {
        if let Notice::PhaseStarted { phase } = notice {
            self.journal.note(&(self.clock)(), Event::Phase { phase: *phase });
        }
    }

    /// The last line.
    pub(super) async fn end(&self, end: &End) {
        self.journal.record(&(self.clock)(), Event::End { ending: Ending::from(end) }).await;
    }

    /// Why the journal fell silent, once.
    pub(super) fn trouble(&self) -> Option<String> {
        let warning = self.journal.warning()?;
        Some(format!("{warning}; the pivot goes on without a journal: its records are in the clusters"))
    }
}
