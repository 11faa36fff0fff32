//! What chance decides: the order of effects, what becomes of them, and what people do meanwhile.

use proptest::prelude::*;
use proptest::test_runner::Config;

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
}

fn effect(denials: bool) -> impl Strategy<Value = Choice> {
    let fate = prop_oneof![
        20 => Just(Fate::Done),
        2 => Just(Fate::Busy),
        2 => Just(Fate::Lost),
        2 => Just(Fate::Broken),
        2 => Just(Fate::Conflict),
        u32::from(denials) => Just(Fate::Denied),
    ];
    (0usize..8, fate).prop_map(|(pick, fate)| Choice::Effect(pick, fate))
}

fn people() -> impl Strategy<Value = Choice> {
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

/// More cases than proptest's default; `PROPTEST_CASES` asks for more still.
pub(crate) fn config() -> Config {
    Config { cases: Config::default().cases.max(2_000), failure_persistence: None, ..Config::default() }
}
