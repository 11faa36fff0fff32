//! The book knows every check.

use pivot_core::check::CheckId;

#[test]
fn every_check_has_its_paragraph() {
    let book = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/checks.md");
    let book = std::fs::read_to_string(book).unwrap();
    let headings: Vec<_> = book.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let ids: Vec<_> = CheckId::ALL.iter().map(|id| id.as_str()).collect();
    assert_eq!(headings, ids);
}
