//! `--from-directory`.

use std::path::Path;

use pivot_core::bundle::{Bundle, BundleManifest};
use pivot_core::machine::{End, Retire};
use pivot_core::plan::PlanReport;
use tokio_util::sync::CancellationToken;

use super::folder::Folder;
use super::{DirectoryError, Teller, blocking};
use crate::cluster::Cluster;
use crate::event::Listener;
use crate::run::{Driver, OnFailure, PATIENCE, RunOptions, run_directory};
use crate::survey::{DirectoryRefused, DirectorySurvey, Options, survey_directory};

/// A directory that was read, and what the target says of it.
#[derive(Debug)]
pub struct Import {
    survey: DirectorySurvey,
    manifest: Option<BundleManifest>,
    warnings: Vec<String>,
    options: Options,
}

impl Import {
    /// The plan for people and files. Everything is a copy: the directory stays as it is.
    pub fn report(&self) -> &PlanReport {
        &self.survey.report
    }

    /// The directory's manifest; `None` for one that clusterctl wrote.
    pub fn manifest(&self) -> Option<&BundleManifest> {
        self.manifest.as_ref()
    }

    /// What the user should know of the directory.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Carries it out: all of it, or nothing. An error in the report is a failure without a single write. The listener is told the
    /// warnings too.
    pub async fn run(
        self,
        target: Cluster,
        pivot_id: &str,
        driver: Driver,
        interrupt: CancellationToken,
        listener: Listener<'_>,
    ) -> End {
        let mut teller = Teller::new(listener);
        for message in self.warnings {
            teller.warn(message);
        }
        let options = RunOptions {
            pivot_id: pivot_id.to_owned(),
            retire: Retire::Keep,
            pre_copy: false,
            // Without its files nothing can go on with an import: it is undone.
            on_failure: OnFailure::Rollback,
            patience: PATIENCE,
            survey: self.options,
            links: Vec::new(),
            hand_over: None,
            driver,
        };
        run_directory(self.survey, target, options, interrupt, teller.listener).await
    }
}

/// Reads a directory of ours or of clusterctl and asks the target about it. Writes nothing.
///
/// Of the options the selection of namespaces does not count: all that is in the directory belongs together.
pub async fn read(directory: &Path, target: &Cluster, options: &Options) -> Result<Import, DirectoryError> {
    if !options.request.clusters.is_empty() {
        return Err(DirectoryError::Filtered);
    }
    let path = directory.to_owned();
    let (bundle, mut warnings) = blocking(move || {
        let folder = Folder::open(&path)?;
        let (files, open_files) = folder.read_all()?;
        let bundle = Bundle::read(&files).map_err(|flaws| folder.refused(flaws))?;
        let mut warnings = Vec::new();
        if open_files > 0 {
            warnings.push(format!(
                "others than their owner may read or change {open_files} files in {}; Secrets stand in them as they are",
                path.display()
            ));
        }
        Ok::<_, DirectoryError>((bundle, warnings))
    })
    .await?;
    if bundle.manifest.is_none() {
        warnings.push(format!(
            "{} has no manifest: it was not written by pivotctl, and nobody can say whether it is whole",
            directory.display()
        ));
    }
    let name = format!("directory {}", directory.display());
    let survey =
        survey_directory(&bundle, &name, target, options).await.map_err(|refused| match refused {
            DirectoryRefused::Flaws(flaws) => DirectoryError::Refused { path: directory.to_owned(), flaws },
            DirectoryRefused::Survey(error) => error.into(),
        })?;
    Ok(Import { survey, manifest: bundle.manifest, warnings, options: options.clone() })
}

/// Reads a directory and takes all that is in it into the target, or nothing.
pub async fn import(
    directory: &Path,
    target: &Cluster,
    options: &Options,
    pivot_id: &str,
    driver: Driver,
    interrupt: CancellationToken,
    listener: Listener<'_>,
) -> Result<End, DirectoryError> {
    let import = read(directory, target, options).await?;
    if import.report().errors().next().is_some() {
        return Err(DirectoryError::Checks { findings: import.report().findings.clone() });
    }
    Ok(Box::pin(import.run(target.clone(), pivot_id, driver, interrupt, listener)).await)
}
