//! Where things stand, for people.

use pivot::status::{DriverStatus, RecordedPivot, SideStatus, StatusReport};
use pivot_core::plan::Origin;
use pivot_core::record::{FenceMode, Standing, State};

use super::age::Age;
use super::amount::Amount;
use super::append::append;
use super::history;
use crate::ui::theme::{HEADING, WARNING};

/// A line a side, and a few a pivot.
pub(crate) fn text(report: &StatusReport) -> String {
    let mut text = String::new();
    side(&mut text, "Source", &report.source, "to move or copy");
    if let Some(target) = &report.target {
        side(&mut text, "Target", target, "brought by pivots");
    }
    if let Some(pivot) = &report.pivot {
        recorded(&mut text, pivot, &report.source, report.target.as_ref());
    }
    if let Some(driver) = &report.driver {
        append(&mut text, format_args!("{HEADING}Driver{HEADING:#}  {}\n", driven(driver)));
    } else if report.pivot.as_ref().is_some_and(is_open) {
        append(&mut text, format_args!("{HEADING}Driver{HEADING:#}  nobody\n"));
    }
    for (id, pivot) in &report.pivots {
        let (staged, ready) = (pivot.staged, pivot.ready);
        append(
            &mut text,
            format_args!(
                "{HEADING}Staged{HEADING:#}  by {id}: {ready} of {} ready in the target",
                Amount(staged, "object")
            ),
        );
        append(
            &mut text,
            format_args!(", {} still in the source, {} still paused\n", pivot.in_source, pivot.paused),
        );
    }
    text
}

fn side(text: &mut String, title: &str, side: &SideStatus, what: &str) {
    append(text, format_args!("{HEADING}{title}{HEADING:#}  "));
    if side.name.is_empty() {
        text.push_str("not named\n");
        return;
    }
    append(text, format_args!("{}: ", side.name));
    let mut told = Vec::new();
    if let (Some(standing), Some(epoch)) = (side.standing, side.epoch) {
        told.push(format!("{} (epoch {epoch})", stands(standing)));
    }
    told.extend(side.unreadable.iter().map(|why| format!("{WARNING}{why}{WARNING:#}")));
    if let Some(content) = &side.content {
        let (paused, pausable) = (content.paused, content.pausable);
        told.push(format!("{} {what}, {paused} of {pausable} paused", Amount(content.objects, "object")));
    }
    told.extend(side.silent.iter().map(|why| format!("{WARNING}cannot be read{WARNING:#}: {why}")));
    append(text, format_args!("{}\n", told.join("; ")));
}

fn stands(standing: Standing) -> &'static str {
    match standing {
        Standing::Active => "active",
        Standing::HandingOver => "handing over",
        Standing::Receiving => "receiving",
        Standing::Retired => "retired",
    }
}

fn recorded(text: &mut String, pivot: &RecordedPivot, source: &SideStatus, target: Option<&SideStatus>) {
    let RecordedPivot { id, from, to, phase, .. } = pivot;
    let how = if is_open(pivot) { format!("stands in phase {phase}") } else { "has ended".to_owned() };
    append(text, format_args!("{HEADING}Pivot{HEADING:#}   {id} from {from} to {to} {how}"));
    if pivot.backwards && pivot.origin == Origin::Cluster {
        text.push_str(" (from the target to the source named here)");
    }
    let state = |state: Option<State>, side: Option<&SideStatus>| match state {
        Some(state) => history::state(state),
        None if side.is_some_and(|side| side.id.is_some()) => "without record",
        None => "not known",
    };
    let (here, there) = (state(pivot.source_state, Some(source)), state(pivot.target_state, target));
    append(text, format_args!("; source {here}, target {there}\n"));
    if let Some(cause) = &pivot.cause {
        append(text, format_args!("        cause: {cause}\n"));
    }
    let fences = [("source", pivot.source_fenced), ("target", pivot.target_fenced)];
    let raised: Vec<_> = fences.iter().filter(|(_, up)| *up == Some(true)).map(|(side, _)| *side).collect();
    let fence = match (pivot.fence, raised.is_empty()) {
        (_, false) => format!("fence stands in the {}", raised.join(" and the ")),
        (FenceMode::Pause, true) => "the pause is the only fence".to_owned(),
        (FenceMode::Full, true) => "no fence stands".to_owned(),
    };
    if is_open(pivot) || !raised.is_empty() {
        append(text, format_args!("        {fence}\n"));
    }
}

fn is_open(pivot: &RecordedPivot) -> bool {
    [pivot.source_state, pivot.target_state].into_iter().flatten().any(|state| !state.is_closed())
}

fn driven(driver: &DriverStatus) -> String {
    let who = &driver.who;
    if driver.gone {
        return format!("nobody: {who} is gone");
    }
    match driver.last_sign_of_life.as_deref().and_then(Age::since) {
        Some(age) => format!("{who}, last sign of life {age} ago"),
        None => who.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use pivot::status::{Content, PivotStatus};
    use pivot_core::machine::Phase;
    use pivot_core::record::Terms;
    use pivot_core::record::outlook::{Acting, Next};

    use super::*;

    fn side(name: &str, standing: Standing, objects: usize) -> SideStatus {
        SideStatus {
            name: name.to_owned(),
            id: Some(format!("uid-of-{name}")),
            silent: None,
            standing: Some(standing),
            epoch: Some(1),
            unreadable: Vec::new(),
            content: Some(Content { objects, paused: 4, pausable: 4 }),
        }
    }

    fn report() -> StatusReport {
        let pivot = PivotStatus { staged: 61, ready: 60, in_source: 61, paused: 4 };
        let id = "20261121-101500-a1b2c3".to_owned();
        StatusReport {
            source: side("boot", Standing::HandingOver, 61),
            target: Some(side("mgmt", Standing::Receiving, 61)),
            pivots: BTreeMap::from([(id.clone(), pivot)]),
            pivot: Some(RecordedPivot {
                id,
                from: "boot".to_owned(),
                to: "mgmt".to_owned(),
                phase: Phase::Stage,
                source_state: Some(State::Locked),
                target_state: Some(State::Locked),
                origin: Origin::Cluster,
                fence: FenceMode::Full,
                source_fenced: Some(true),
                target_fenced: Some(true),
                cause: None,
                backwards: false,
                terms: Terms::default(),
            }),
            driver: Some(DriverStatus {
                who: "process 7 on a".to_owned(),
                gone: true,
                since: None,
                last_sign_of_life: None,
            }),
            active: Some(Acting::Neither),
            next: Some(Next::Resume),
        }
    }

    fn told(report: &StatusReport) -> String {
        anstream::adapter::strip_str(&text(report)).to_string()
    }

    #[test]
    fn both_sides_and_the_pivot_are_told() {
        insta::assert_snapshot!(told(&report()), @"
        Source  boot: handing over (epoch 1); 61 objects to move or copy, 4 of 4 paused
        Target  mgmt: receiving (epoch 1); 61 objects brought by pivots, 4 of 4 paused
        Pivot   20261121-101500-a1b2c3 from boot to mgmt stands in phase stage; source locked, target locked
                fence stands in the source and the target
        Driver  nobody: process 7 on a is gone
        Staged  by 20261121-101500-a1b2c3: 60 of 61 objects ready in the target, 61 still in the source, 4 still paused
        ");
    }

    #[test]
    fn a_side_that_is_silent_is_not_spoken_for() {
        let mut report = report();
        let target = report.target.as_mut().unwrap();
        (target.id, target.standing, target.epoch, target.content) = (None, None, None, None);
        target.silent = Some("no answer".to_owned());
        let pivot = report.pivot.as_mut().unwrap();
        (pivot.target_state, pivot.target_fenced, pivot.source_fenced) = (None, None, Some(false));
        (report.driver, report.pivots) = (None, BTreeMap::new());
        insta::assert_snapshot!(told(&report), @"
        Source  boot: handing over (epoch 1); 61 objects to move or copy, 4 of 4 paused
        Target  mgmt: cannot be read: no answer
        Pivot   20261121-101500-a1b2c3 from boot to mgmt stands in phase stage; source locked, target not known
                no fence stands
        Driver  nobody
        ");
    }
}
