//! The proof of the proof: with a mistake in the machine, at least one of the tests fails.
//!
//! `cargo test -p pivot-core --features defects --test machine defects -- --nocapture` tells for each mistake what found it.

use pivot_core::machine::Defect;

use crate::{ends, exhaustive, fates, race, undead};

/// The tests, quick ones first.
const TESTS: [(&str, fn()); 10] = [
    ("exhaustive::left_at_any_instant", exhaustive::left_at_any_instant),
    ("fates::whatever_becomes_of_an_effect", fates::whatever_becomes_of_an_effect),
    ("fates::people_go_on_working", fates::people_go_on_working),
    ("fates::the_target_is_gone_for_good", fates::the_target_is_gone_for_good),
    ("race::one_of_two_pivots_is_let_through", race::one_of_two_pivots_is_let_through),
    ("undead::wakes_at_any_instant", undead::wakes_at_any_instant),
    (
        "exhaustive::left_while_it_is_resumed_and_rolled_back",
        exhaustive::left_while_it_is_resumed_and_rolled_back,
    ),
    ("ends::it_is_moved_or_undone_whatever_people_do", ends::it_is_moved_or_undone_whatever_people_do),
    ("crash::the_dead_are_followed", crate::crash::the_dead_are_followed),
    (
        "ends::it_is_moved_or_undone_whatever_many_people_do",
        ends::it_is_moved_or_undone_whatever_many_people_do,
    ),
];

/// The test that usually finds it, where that is not the first: it is asked first.
fn finder(defect: Defect) -> &'static str {
    match defect {
        Defect::SkipFenceCheck => "undead::wakes_at_any_instant",
        Defect::OverwriteOnConflict => "fates::people_go_on_working",
        Defect::SkipReadBack => "fates::whatever_becomes_of_an_effect",
        Defect::KeepToken => "fates::the_target_is_gone_for_good",
        Defect::TakeWhatIsTaken => "race::one_of_two_pivots_is_let_through",
        Defect::SkipVerify => "ends::it_is_moved_or_undone_whatever_many_people_do",
        _ => "exhaustive::left_at_any_instant",
    }
}

/// What a test says when it fails; `None` where it passes.
fn complaint(test: fn()) -> Option<String> {
    let panic = std::panic::catch_unwind(test).err()?;
    let words = panic.downcast_ref::<String>().map(String::as_str);
    let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
    Some(words.lines().next().unwrap_or_default().to_owned())
}

#[test]
fn every_mistake_is_found() {
    let mut unseen = Vec::new();
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    for defect in Defect::ALL {
        Defect::make(Some(defect));
        let mut tests = TESTS;
        tests.sort_by_key(|(name, _)| *name != finder(defect));
        match tests.into_iter().find_map(|(name, test)| Some((name, complaint(test)?))) {
            Some((name, words)) => println!("| {defect:?} | `{name}` | {words} |"),
            None => unseen.push(defect),
        }
    }
    Defect::make(None);
    std::panic::set_hook(hook);
    assert_eq!(unseen, [], "nobody found these");
}
