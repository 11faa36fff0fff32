//! Linking: one generic method for every way in which one object names another (DESIGN section 3).
//!
//! A [`rule`] says where a reference stands and what it means; [`resolve`] applies all rules to an inventory. Owner references,
//! labels, annotations, names in a spec and naming conventions are all rules, and users add their own (`--links FILE`) in the
//! format of the built-in ones.

pub mod path;
pub mod resolve;
pub mod rule;

pub use resolve::{Link, LinkRole, Links, Unresolved};
pub use rule::{LinkRule, LinkRules, LinkRulesError, RuleId};
