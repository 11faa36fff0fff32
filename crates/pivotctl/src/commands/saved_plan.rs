//! Plan files: written by `plan --out`, and held against the clusters by `move --plan`.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use pivot_core::plan::PlanReport;
use tempfile::NamedTempFile;

use crate::error::CommandError;
use crate::report::data;

/// Differences that are listed.
const LISTED: usize = 20;

/// Reads a plan file.
pub(super) fn read(path: &Path) -> Result<PlanReport, CommandError> {
    let text =
        fs::read_to_string(path).map_err(|error| CommandError::unreadable("plan file", path, &error))?;
    PlanReport::read(&text).map_err(|error| CommandError::plan_file(path, &error))
}

/// Writes a plan file whole or not at all, readable by its owner alone.
pub(super) fn write(path: &Path, plan: &PlanReport) -> Result<(), CommandError> {
    let write = || -> io::Result<()> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(data::json(plan).as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|error| CommandError::unwritable("plan file", path, &error))
}

/// Refuses a plan that no longer fits the clusters, and names what drifted.
pub(super) fn refuse_stale(saved: &PlanReport, now: &PlanReport) -> Result<(), CommandError> {
    let drift = saved.drift(now);
    if drift.is_empty() {
        return Ok(());
    }
    let mut details: Vec<_> = drift.iter().take(LISTED).map(ToString::to_string).collect();
    if drift.len() > LISTED {
        details.push(format!("and {} more", drift.len() - LISTED));
    }
    Err(CommandError::failed("plan-stale", "the saved plan is stale: the clusters changed since it was made")
        .with_details(details)
        .hinted("look at a new plan: `plan --out`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_written_plan_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        let plan = sample::plan();
        write(&path, &plan).unwrap();
        write(&path, &plan).unwrap();
        assert_eq!(read(&path).unwrap(), plan);
    }

    #[cfg(unix)]
    #[test]
    fn a_plan_file_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        write(&path, &sample::plan()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_stale_plan_is_refused_with_what_drifted() {
        let saved = sample::plan();
        refuse_stale(&saved, &saved).unwrap();
        let mut now = saved.clone();
        now.items.remove(1);
        now.items[0].content = pivot_core::digest::Digest::of(b"other");
        let error = refuse_stale(&saved, &now.sealed()).unwrap_err();
        assert_eq!(error.id, "plan-stale");
        assert_eq!(
            error.details,
            ["Cluster metal3/test1 changed", "BareMetalHost metal3/node-0 is gone or no longer moves"]
        );
    }

    #[test]
    fn long_drift_is_cut() {
        let saved = sample::plan();
        let mut now = saved.clone();
        let item = now.items[0].clone();
        now.items.extend((0..30).map(|n| {
            let mut item = item.clone();
            item.key.name = format!("new-{n}");
            item
        }));
        let details = refuse_stale(&saved, &now.sealed()).unwrap_err().details;
        assert_eq!((details.len(), details.last().unwrap().as_str()), (LISTED + 1, "and 10 more"));
    }
}
