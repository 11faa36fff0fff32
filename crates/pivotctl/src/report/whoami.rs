//! What a cluster is with respect to pivots.

use pivot::memory::Recollection;
use pivot::records::RecordsError;
use pivot_core::machine::Side;
use pivot_core::plan::ClusterIdentity;
use pivot_core::record::{Standing, State};
use serde::Serialize;

use crate::error::CommandError;
use crate::ui::theme::{GOOD, WARNING};

/// One cluster, by its own records.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Whoami {
    #[serde(flatten)]
    cluster: ClusterIdentity,
    standing: What,
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<u64>,
    /// The pivot that said so last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pivot: Option<String>,
    /// What its record of that pivot says.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<State>,
    /// The other cluster of that pivot.
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<ClusterIdentity>,
    #[serde(skip)]
    side: Option<Side>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum What {
    Active,
    HandingOver,
    Receiving,
    Retired,
    /// Never part of a pivot.
    None,
}

impl Whoami {
    /// From what a cluster remembers.
    pub(crate) fn of(read: &Recollection) -> Result<Self, CommandError> {
        if let Some(error) = read.records.unreadable.first() {
            let message = format!("{}: {error}", read.cluster.name);
            return Err(CommandError::unread(&RecordsError::Document(error.clone()), message));
        }
        let cluster = read.cluster.clone();
        let Some((ownership, _)) = &read.records.ownership else {
            let (epoch, pivot, state, peer, side) = (None, None, None, None, None);
            return Ok(Self { cluster, standing: What::None, epoch, pivot, state, peer, side });
        };
        let record = read.records.pivot(&ownership.pivot);
        let peer = record.map(|record| match record.side {
            Side::Source => record.target.clone(),
            Side::Target => record.source.clone(),
        });
        Ok(Self {
            cluster,
            standing: match ownership.standing {
                Standing::Active => What::Active,
                Standing::HandingOver => What::HandingOver,
                Standing::Receiving => What::Receiving,
                Standing::Retired => What::Retired,
            },
            epoch: Some(ownership.epoch),
            pivot: Some(ownership.pivot.clone()),
            state: record.map(|record| record.state),
            peer: peer.or_else(|| ownership.peer.clone()),
            side: record.map(|record| record.side),
        })
    }

    /// One line for people.
    pub(crate) fn text(&self) -> String {
        let name = &self.cluster.name;
        let peer = self.peer.as_ref().map_or("another cluster", |peer| peer.name.as_str());
        let (pivot, epoch) = (self.pivot.as_deref().unwrap_or_default(), self.epoch.unwrap_or_default());
        let by = format!("pivot {pivot}, epoch {epoch}");
        match (self.standing, self.state) {
            (What::None, _) => format!("{name} was never part of a pivot\n"),
            (What::Active, Some(State::Aborted | State::Aborting)) => {
                format!("{name} is {GOOD}active{GOOD:#}: the pivot to {peer} was undone ({by})\n")
            }
            (What::Active, _) if self.side == Some(Side::Target) => {
                format!("{name} is {GOOD}active{GOOD:#}: it took over from {peer} ({by})\n")
            }
            (What::Active, _) => format!("{name} is {GOOD}active{GOOD:#} ({by})\n"),
            (What::HandingOver, _) => {
                format!(
                    "{name} is {WARNING}handing over{WARNING:#} to {peer}: the pivot is not finished ({by})\n"
                )
            }
            (What::Receiving, _) => {
                format!(
                    "{name} is {WARNING}receiving{WARNING:#} from {peer}: the pivot is not finished ({by})\n"
                )
            }
            (What::Retired, _) => format!("{name} is {WARNING}retired{WARNING:#}: moved to {peer} ({by})\n"),
        }
    }

    /// Which side is active, as far as this cluster knows.
    pub(crate) fn active(&self) -> String {
        let name = &self.cluster.name;
        let peer = self.peer.as_ref().map_or("another cluster", |peer| peer.name.as_str());
        match self.standing {
            What::Active => format!("{GOOD}{name} is active{GOOD:#}"),
            What::HandingOver | What::Receiving => {
                format!("{WARNING}{name} alone does not tell whether it or {peer} is active{WARNING:#}")
            }
            What::Retired => format!("{peer} took over, as far as {name} knows"),
            What::None => format!("{name} acts for itself"),
        }
    }

    /// False where a pivot is not finished.
    pub(crate) fn is_settled(&self) -> bool {
        !matches!(self.standing, What::HandingOver | What::Receiving)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whoami(standing: What, side: Side, state: State) -> Whoami {
        let identity = |name: &str| ClusterIdentity { name: name.to_owned(), id: format!("uid-of-{name}") };
        Whoami {
            cluster: identity("boot"),
            standing,
            epoch: Some(7),
            pivot: Some("p1".to_owned()),
            state: Some(state),
            peer: Some(identity("mgmt")),
            side: Some(side),
        }
    }

    #[test]
    fn every_standing_has_a_line() {
        let told = [
            whoami(What::Active, Side::Target, State::Finished),
            whoami(What::Active, Side::Source, State::Aborted),
            whoami(What::HandingOver, Side::Source, State::Locked),
            whoami(What::Receiving, Side::Target, State::Committed),
            whoami(What::Retired, Side::Source, State::Finished),
            whoami(What::None, Side::Source, State::Finished),
        ];
        let text: Vec<_> = told.iter().map(|w| format!("{}  > {}", w.text(), w.active())).collect();
        let text = text.join("\n");
        insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string(), @"
        boot is active: it took over from mgmt (pivot p1, epoch 7)
          > boot is active
        boot is active: the pivot to mgmt was undone (pivot p1, epoch 7)
          > boot is active
        boot is handing over to mgmt: the pivot is not finished (pivot p1, epoch 7)
          > boot alone does not tell whether it or mgmt is active
        boot is receiving from mgmt: the pivot is not finished (pivot p1, epoch 7)
          > boot alone does not tell whether it or mgmt is active
        boot is retired: moved to mgmt (pivot p1, epoch 7)
          > mgmt took over, as far as boot knows
        boot was never part of a pivot
          > boot acts for itself
        ");
    }
}
