//! PLAN with a directory in the place of the source.

use std::sync::Arc;

use pivot_core::bundle::{Bundle, Flaw};
use pivot_core::inventory::Inventory;
use pivot_core::machine::Side;
use pivot_core::plan::{Blueprint, PlanReport};

use super::access::denied_on;
use super::{Options, SurveyError, discover, see_target};
use crate::cluster::Cluster;
use crate::cluster::discovery::Discovery;

/// What is in a directory, what the target says of it, and what follows from that.
#[derive(Debug)]
pub(crate) struct DirectorySurvey {
    pub(crate) blueprint: Blueprint,
    /// The directory's objects.
    pub(crate) inventory: Inventory,
    pub(crate) target: Arc<Discovery>,
    pub(crate) report: PlanReport,
}

/// Why there is no survey.
#[derive(Debug)]
pub(crate) enum DirectoryRefused {
    /// The directory does not fit any cluster, or not this one.
    Flaws(Vec<Flaw>),
    /// The target could not be looked at.
    Survey(SurveyError),
}

impl From<SurveyError> for DirectoryRefused {
    fn from(error: SurveyError) -> Self {
        Self::Survey(error)
    }
}

/// Surveys the target for what is in a directory that people know by this name. Writes nothing.
pub(crate) async fn survey_directory(
    bundle: &Bundle,
    name: &str,
    target: &Cluster,
    options: &Options,
) -> Result<DirectorySurvey, DirectoryRefused> {
    let discovery = discover(Side::Target, target, &options.rules).await?;
    let facts = bundle.facts(name, &discovery.catalog).map_err(DirectoryRefused::Flaws)?;
    let inventory = facts.inventory.clone();
    let mut blueprint = Blueprint::of_directory(facts, None, Arc::new(options.rules.clone()));
    see_target(target, &discovery, &mut blueprint, options).await?;
    let denied = denied_on(Side::Target, target, &blueprint.permissions()).await?;
    let findings = blueprint.findings(&denied);
    let report = blueprint.report(env!("CARGO_PKG_VERSION"), findings);
    Ok(DirectorySurvey { blueprint, inventory, target: discovery, report })
}
