//! Every error id has its paragraph in the book, and every paragraph its error.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Files of the program in which ids stand.
const SOURCES: [&str; 15] = [
    "src/error.rs",
    "src/error/generate.rs",
    "src/error/host.rs",
    "src/error/ironic.rs",
    "src/error/leases.rs",
    "src/error/recover.rs",
    "src/error/wait.rs",
    "src/args/host.rs",
    "src/main.rs",
    "src/commands/ending.rs",
    "src/commands/leases.rs",
    "src/commands/move.rs",
    "src/commands/network.rs",
    "src/commands/saved_plan.rs",
    "src/commands/session.rs",
];

/// Words in quotes that look like an id. Tests stand at the end of a file and are left out.
fn ids(text: &str) -> impl Iterator<Item = &str> {
    let program = text.split("#[cfg(test)]").next().unwrap_or_default();
    let words = program.lines().flat_map(|line| line.split('"').skip(1).step_by(2));
    words.filter(|word| {
        let is_kebab = word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        is_kebab
            && (word.contains('-') || ["forbidden", "interrupted"].contains(word))
            && !word.starts_with('-')
    })
}

#[test]
fn the_book_knows_every_error() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = SOURCES.map(|path| fs::read_to_string(root.join(path)).unwrap());
    let ids: BTreeSet<&str> = sources.iter().flat_map(|text| ids(text)).collect();
    let book = fs::read_to_string(root.join("../../docs/errors.md")).unwrap();
    let headings: BTreeSet<&str> = book.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert_eq!(headings, ids);
}
