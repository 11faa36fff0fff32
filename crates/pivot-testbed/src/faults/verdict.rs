//! How a case ended.

use super::{
    case::Case,
    tool_run::Ended,
    witness::{Terminal, Violation},
};

/// How a case ended, and what was wrong with that.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The case, in words.
    pub case: String,
    /// The group of cases it belongs to.
    pub group: &'static str,
    /// The fence, as the value of the flag.
    pub fence: &'static str,
    /// Whether the pivot came to the instant at which something was to happen.
    pub reached: bool,
    /// Everything that was run, in order.
    pub commands: Vec<Ended>,
    /// The end.
    pub terminal: Option<Terminal>,
    /// The last writes of both sides.
    pub evidence: String,
    /// Broken promises.
    pub violations: Vec<Violation>,
    /// How long it took.
    pub seconds: f64,
}

impl Verdict {
    pub(super) fn new(case: &Case) -> Self {
        Self {
            case: case.to_string(),
            group: case.trouble.group(),
            fence: case.fence.flag(),
            reached: false,
            commands: Vec::new(),
            terminal: None,
            evidence: String::new(),
            violations: Vec::new(),
            seconds: 0.0,
        }
    }

    /// The last command that was run.
    pub(super) fn last(&self) -> &Ended {
        self.commands.last().expect("BUG: a case runs at least the move")
    }
}
