//! One look at both sides, for whoever only compares or tells.

use pivot_core::inventory::Inventory;

use super::target::list_target;
use super::{Options, Survey, SurveyError, survey};
use crate::cluster::Cluster;

/// The survey, and everything that the target holds of the kinds that take part.
pub(crate) struct Look {
    pub(crate) survey: Survey,
    /// Empty where there is no target.
    pub(crate) there: Inventory,
}

impl Look {
    /// Looks at both sides. Writes nothing.
    pub(crate) async fn at(
        source: &Cluster,
        target: Option<&Cluster>,
        options: &Options,
    ) -> Result<Self, SurveyError> {
        let survey = survey(source, target, options).await?;
        let there = match target {
            Some(target) => list_target(target, &survey, options).await?,
            None => Inventory::default(),
        };
        Ok(Self { survey, there })
    }
}
