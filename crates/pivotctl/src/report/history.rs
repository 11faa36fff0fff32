//! Pivots as a table.

use pivot::history::PastPivot;
use pivot_core::record::State;

use super::age::Age;
use super::append::append;

/// What stands where nothing is known.
const UNKNOWN: &str = "<unknown>";

/// A line a pivot, oldest first; nothing where there is none.
pub(crate) fn text(pivots: &[PastPivot]) -> String {
    if pivots.is_empty() {
        return String::new();
    }
    let head = ["NAME", "FROM", "TO", "STATE", "PHASE", "OBJECTS", "AGE"].map(str::to_owned);
    let rows: Vec<[String; 7]> = std::iter::once(head).chain(pivots.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 7] = std::array::from_fn(width);
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            append(&mut line, format_args!("{cell:<width$}   "));
        }
        append(&mut text, format_args!("{}\n", line.trim_end()));
    }
    text
}

fn row(pivot: &PastPivot) -> [String; 7] {
    let age = pivot.began.as_deref().and_then(Age::since);
    [
        pivot.id.clone(),
        pivot.from.name.clone(),
        pivot.to.name.clone(),
        state(pivot.state).to_owned(),
        pivot.phase.to_string(),
        pivot.objects.map_or_else(|| UNKNOWN.to_owned(), |objects| objects.to_string()),
        age.map_or_else(|| UNKNOWN.to_owned(), |age| age.to_string()),
    ]
}

/// In one word.
pub(crate) fn state(state: State) -> &'static str {
    match state {
        State::Locked => "locked",
        State::Prepared => "prepared",
        State::Committed => "committed",
        State::Aborting => "aborting",
        State::Aborted => "aborted",
        State::Finished => "finished",
    }
}

#[cfg(test)]
mod tests {
    use pivot_core::machine::Phase;
    use pivot_core::plan::ClusterIdentity;

    use super::*;

    #[test]
    fn names_come_first_and_ages_last() {
        let identity = |name: &str| ClusterIdentity { name: name.to_owned(), id: String::new() };
        let past = |id: &str, state, phase, objects| PastPivot {
            id: id.to_owned(),
            from: identity("boot"),
            to: identity("mgmt (10.0.0.1)"),
            state,
            phase,
            epoch: 1,
            objects,
            began: None,
            cause: None,
        };
        let pivots = [
            past("20261121-101500-a1b2c3", State::Aborted, Phase::Stage, None),
            past("20261122-101500-a1b2c3", State::Committed, Phase::Activate, Some(61)),
        ];
        insta::assert_snapshot!(text(&pivots), @"
        NAME                     FROM   TO                STATE       PHASE      OBJECTS     AGE
        20261121-101500-a1b2c3   boot   mgmt (10.0.0.1)   aborted     stage      <unknown>   <unknown>
        20261122-101500-a1b2c3   boot   mgmt (10.0.0.1)   committed   activate   61          <unknown>
        ");
        assert_eq!(text(&[]), "");
    }
}
