//! Asks before something that cannot be taken back. Only a terminal is asked: a script has decided already.

use std::io::{self, BufRead, IsTerminal};

use super::printer::Printer;
use super::theme::HEADING;

/// True where there is somebody to ask.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks to type `word`; anything else is a no.
pub(crate) fn typed(printer: Printer, question: &str, word: &str) -> bool {
    printer.prompt(format_args!("{question}\nType {HEADING}{word}{HEADING:#} to go on: "));
    let mut answer = String::new();
    // An unreadable answer is no answer.
    io::stdin().lock().read_line(&mut answer).is_ok() && answer.trim() == word
}
