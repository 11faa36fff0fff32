//! The proof of the proof: with a mistake in the machine, at least one of the tests fails.
//!
//! `cargo test -p pivot-core --features defects --test machine defects -- --nocapture` tells for each mistake what found it.

use pivot_core::machine::Defect;

use crate::{ends, exhaustive, fates, race, undead};

/// The tests, quick ones first.
const TESTS: [(&str, fn()); 9] = [
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
];

#[test]
fn every_mistake_is_found() {
    let mut unseen = Vec::new();
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    for defect in Defect::ALL {
        Defect::make(Some(defect));
        let found = TESTS.iter().find_map(|(name, test)| {
            let panic = std::panic::catch_unwind(test).err()?;
            let words = panic.downcast_ref::<String>().map(String::as_str);
            let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
            Some((*name, words.lines().next().unwrap_or_default().to_owned()))
        });
        match found {
            Some((name, words)) => println!("{defect:?} | {name} | {words}"),
            None => unseen.push(defect),
        }
    }
    Defect::make(None);
    std::panic::set_hook(hook);
    assert_eq!(unseen, [], "nobody found these");
}
