//! What chance decides: how a pivot is asked for, the order of effects, what becomes of them, what people do meanwhile, and when
//! the coordinator dies.

use std::time::Duration;

use pivot_core::machine::{Defect, OnFailure, Retire, Side};
use pivot_core::record::{FenceMode, Verb};
use proptest::prelude::*;
use proptest::test_runner::Config;

use crate::run::Setup;

/// What becomes of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is done, and the answer arrives.
    Done,
    /// The server is too busy, and does nothing.
    Busy,
    /// It is done, and the answer is lost.
    Lost,
    /// The connection breaks before it is done.
    Broken,
    /// A guard does not hold, or so the server says.
    Conflict,
    /// Refused for good.
    Denied,
}

/// The next thing that happens; numbers are taken modulo what there is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Choice {
    /// One of the effects in flight ends.
    Effect(usize, Fate),
    /// A change that the watch saw is told.
    Sighting,
    /// The user interrupts.
    Interrupt,
    /// A user changes an object of the source.
    Edit(usize),
    /// A user removes an object of the source.
    Remove(usize),
    /// A controller adds an object to the source.
    Add(usize),
    /// A user pauses a host of the source with a value of his own.
    Pause(usize),
    /// A user takes the pause from a host of the source.
    Unpause(usize),
    /// Somebody creates an object in a namespace of the target.
    Intrude(usize),
    /// Somebody creates an object in the target under a name that is to be taken.
    Squat(usize),
    /// Somebody removes a staged object from the target and creates another of that name.
    Usurp(usize),
    /// The coordinator dies, and somebody takes the pivot up.
    Crash {
        /// Which of its requests under way still reach their server.
        applied: u8,
        verb: Verb,
        /// It is not dead at all.
        zombie: bool,
    },
    /// A side stops to answer.
    Silence(Side),
    /// Both sides answer again.
    Speech,
    /// A coordinator that was taken for dead goes on.
    Zombie(usize, Fate),
}

fn fate(denials: bool) -> impl Strategy<Value = Fate> + Clone {
    prop_oneof![
        20 => Just(Fate::Done),
        2 => Just(Fate::Busy),
        2 => Just(Fate::Lost),
        2 => Just(Fate::Broken),
        2 => Just(Fate::Conflict),
        u32::from(denials) => Just(Fate::Denied),
    ]
}

fn effect(denials: bool) -> impl Strategy<Value = Choice> + Clone {
    (0usize..8, fate(denials)).prop_map(|(pick, fate)| Choice::Effect(pick, fate))
}

fn people() -> impl Strategy<Value = Choice> + Clone {
    let n = 0usize..12;
    (0u8..10, n).prop_map(|(what, n)| match what {
        0 => Choice::Interrupt,
        1 | 2 => Choice::Edit(n),
        3 => Choice::Remove(n),
        4 => Choice::Add(n),
        5 => Choice::Pause(n),
        6 => Choice::Unpause(n),
        7 => Choice::Intrude(n),
        8 => Choice::Squat(n),
        _ => Choice::Usurp(n),
    })
}

/// Trouble that passes: every server answers in the end.
pub(crate) fn passing() -> impl Strategy<Value = Vec<Choice>> {
    prop::collection::vec(effect(false), 0..120)
}

/// Passing trouble, and people who go on working.
pub(crate) fn crowded() -> impl Strategy<Value = Vec<Choice>> {
    prop::collection::vec(
        prop_oneof![20 => effect(false), 2 => people(), 1 => Just(Choice::Sighting)],
        0..120,
    )
}

/// All of that, and refusals for good.
pub(crate) fn anything() -> impl Strategy<Value = Vec<Choice>> {
    prop::collection::vec(effect(true), 0..120)
}

pub(crate) fn verb() -> impl Strategy<Value = Verb> + Clone {
    prop_oneof![Just(Verb::Resume), Just(Verb::Rollback)]
}

fn crash(zombies: bool) -> impl Strategy<Value = Choice> + Clone {
    (any::<u8>(), verb(), any::<bool>()).prop_map(move |(applied, verb, zombie)| Choice::Crash {
        applied,
        verb,
        zombie: zombie && zombies,
    })
}

/// Long stretches in which all goes well, so that crashes come in every phase.
fn stretch() -> impl Strategy<Value = Vec<Choice>> + Clone {
    (0usize..60, 0usize..8).prop_map(|(length, pick)| vec![Choice::Effect(pick, Fate::Done); length])
}

fn stretches(trouble: impl Strategy<Value = Choice> + 'static) -> impl Strategy<Value = Vec<Choice>> {
    prop::collection::vec((stretch(), prop::collection::vec(trouble, 1..4)), 1..5).prop_map(|parts| {
        parts.into_iter().flat_map(|(well, trouble)| well.into_iter().chain(trouble)).collect()
    })
}

/// Coordinators that die, one after the other, amid every kind of trouble.
pub(crate) fn deadly() -> impl Strategy<Value = Vec<Choice>> {
    stretches(prop_oneof![6 => crash(false), 4 => effect(true), 1 => Just(Choice::Interrupt)])
}

/// The same among people.
pub(crate) fn deadly_and_crowded() -> impl Strategy<Value = Vec<Choice>> {
    stretches(prop_oneof![4 => crash(false), 2 => effect(true), 4 => people(), 2 => Just(Choice::Sighting)])
}

/// Coordinators that are taken for dead and are not.
pub(crate) fn haunted() -> impl Strategy<Value = Vec<Choice>> {
    let zombie = (0usize..16, fate(false)).prop_map(|(pick, fate)| Choice::Zombie(pick, fate));
    let step = prop_oneof![3 => effect(false), 3 => zombie];
    let begin = (stretch(), crash(true)).prop_map(|(mut well, crash)| {
        well.push(crash);
        well
    });
    let part = (begin, prop::collection::vec(step, 0..80)).prop_map(|(mut begin, steps)| {
        begin.extend(steps);
        begin
    });
    prop::collection::vec(part, 1..3).prop_map(|parts| parts.concat())
}

/// Sides that stop to answer, and coordinators that die meanwhile.
pub(crate) fn silent() -> impl Strategy<Value = Vec<Choice>> {
    let side = prop_oneof![Just(Side::Source), Just(Side::Target)];
    stretches(prop_oneof![
        4 => side.prop_map(Choice::Silence),
        3 => Just(Choice::Speech),
        4 => crash(false),
        4 => effect(false),
    ])
}

/// How a pivot may be asked for.
pub(crate) fn setup(patience: Duration) -> impl Strategy<Value = Setup> {
    let fence = prop_oneof![3 => Just(FenceMode::Full), 2 => Just(FenceMode::Pause)];
    let on_failure = prop_oneof![3 => Just(OnFailure::Rollback), 1 => Just(OnFailure::Suspend)];
    let retire = prop_oneof![5 => Just(Retire::Delete), 1 => Just(Retire::Keep)];
    (1usize..8, fence, any::<[bool; 2]>(), retire, on_failure).prop_map(
        move |(room, fence, [pre_copy, bulk], retire, on_failure)| Setup {
            room,
            patience,
            fence,
            pre_copy,
            bulk,
            retire,
            on_failure,
        },
    )
}

/// How often a test tries, unless `PROPTEST_CASES` asks for more. Of a mistake made on purpose no smallest example is wanted.
pub(crate) fn config(cases: u32) -> Config {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    Config {
        cases: cases.max(asked),
        failure_persistence: None,
        max_shrink_iters: if Defect::is_any_made() { 0 } else { 3_000 },
        ..Config::default()
    }
}
