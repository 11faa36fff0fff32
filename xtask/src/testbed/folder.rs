//! The folder that holds the built components, and filling it.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::{AtPath, Error};
use crate::progress::{self, Timed};
use crate::workspace;

use super::component::{COMPONENTS, CONTROLLER_GEN, Component, KUBECTL, Recipe};
use super::go::Pins;
use super::{crds, go, pins};

/// Builds what is missing and returns the folder with all of it.
///
/// A component appears in one step when it is complete, so a run that was interrupted is continued by the next one.
pub(crate) fn ensure() -> Result<PathBuf, Error> {
    let testbed = workspace::root().join("testbed");
    let folder = workspace::cache()?.join(pins::digest(&testbed)?);
    if missing(&folder).is_empty() {
        report_all_there(&folder);
        return Ok(folder);
    }

    go::check_installed()?;
    fs::create_dir_all(&folder).at("create", &folder)?;
    let _lock = lock(&folder)?;
    // Looked at again under the lock: the run that held it may have made them.
    let missing = missing(&folder);
    if missing.is_empty() {
        report_all_there(&folder);
        return Ok(folder);
    }
    let (wanted, all) = (missing.len(), COMPONENTS.len());
    progress::line(format_args!("assets: making {wanted} of {all} in {}", folder.display()));
    let timed = Timed::start();
    for component in missing {
        make(component, &testbed, &folder)?;
    }
    progress::line(format_args!("assets: complete ({timed})"));
    Ok(folder)
}

fn report_all_there(folder: &Path) {
    progress::line(format_args!("assets: all {} there, in {}", COMPONENTS.len(), folder.display()));
}

/// What a run has to make.
fn missing(folder: &Path) -> Vec<&'static Component> {
    let kubebuilder_assets = env::var_os("KUBEBUILDER_ASSETS");
    COMPONENTS
        .iter()
        .filter(|component| !folder.join(component.output).exists())
        .filter(|component| !supplied(component, kubebuilder_assets.as_deref()))
        .collect()
}

/// Waits until no other run fills the folder, or the one that it links to.
pub(super) fn lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join(".lock");
    let file = File::options().create(true).append(true).open(&path).at("open", &path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            progress::line("assets: another run is making them; waiting for it");
            file.lock().at("lock", &path)?;
        }
        Err(TryLockError::Error(error)) => return Err(error).at("lock", &path),
    }
    Ok(file)
}

/// Whether the user's own folder of test programs, `KUBEBUILDER_ASSETS`, stands in for the component.
///
/// It does for the API server and etcd together: half of a pair from each place is nobody's intention.
fn supplied(component: &Component, kubebuilder_assets: Option<&OsStr>) -> bool {
    const PAIR: [&str; 2] = ["etcd", "kube-apiserver"];
    PAIR.contains(&component.name)
        && kubebuilder_assets
            .is_some_and(|folder| PAIR.iter().all(|program| Path::new(folder).join(program).is_file()))
}

/// Makes one component under a temporary name and renames it when it is complete.
fn make(component: &'static Component, testbed: &Path, folder: &Path) -> Result<(), Error> {
    let output = folder.join(component.output);
    let parent = output.parent().expect("BUG: outputs stand in the folder of assets");
    fs::create_dir_all(parent).at("create", parent)?;
    // The lock is held: what has this name was left by a run that is over.
    let partial = folder.join(".partial");
    discard(&partial)?;

    let pins = Pins::of(component, testbed);
    let version = pins.version()?;
    let verb = match component.recipe {
        Recipe::Program { .. } => "building",
        Recipe::CarriedCrds { .. } => "copying",
        Recipe::GeneratedCrds { .. } => "generating",
        Recipe::Manifest { .. } => "rendering",
    };
    let timed = Timed::begin_line(format_args!("  {verb} {} {version}", component.name));
    match fill(component, &pins, folder, &partial) {
        Ok(()) => {
            fs::rename(&partial, &output).at("rename", &partial)?;
            timed.end_line("done");
            Ok(())
        }
        Err(error) => {
            timed.end_line("failed");
            Err(error)
        }
    }
}

fn fill(component: &Component, pins: &Pins, folder: &Path, partial: &Path) -> Result<(), Error> {
    match component.recipe {
        Recipe::Program { package, stamps } => return pins.build(package, stamps, partial),
        Recipe::Manifest { kustomization } => {
            return pins.render(&folder.join(KUBECTL), kustomization, partial);
        }
        Recipe::CarriedCrds { from } => crds::copy(pins, from, partial)?,
        Recipe::GeneratedCrds { package, generator } => {
            crds::generate(pins, &folder.join(CONTROLLER_GEN), generator, package, partial)?;
        }
    }
    if crds::any_in(partial)? {
        Ok(())
    } else {
        Err(Error::NoCrds { component: component.name, folder: partial.to_owned() })
    }
}

/// Removes a file or a folder, if it is there.
pub(super) fn discard(path: &Path) -> Result<(), Error> {
    if path.is_dir() {
        fs::remove_dir_all(path).at("remove", path)
    } else if path.exists() {
        fs::remove_file(path).at("remove", path)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(kubebuilder_assets: Option<&Path>) -> Vec<&'static str> {
        let supplied = |component: &&Component| supplied(component, kubebuilder_assets.map(Path::as_os_str));
        COMPONENTS.iter().filter(supplied).map(|component| component.name).collect()
    }

    #[test]
    fn own_programs_serve_as_a_pair_or_not_at_all() {
        let own = tempfile::tempdir().unwrap();
        assert!(names(None).is_empty());
        fs::write(own.path().join("etcd"), "").unwrap();
        assert!(names(Some(own.path())).is_empty());
        fs::write(own.path().join("kube-apiserver"), "").unwrap();
        assert_eq!(names(Some(own.path())), ["etcd", "kube-apiserver"]);
    }

    #[test]
    fn every_component_has_pins_and_a_place_of_its_own() {
        let testbed = workspace::root().join("testbed");
        let mut outputs = std::collections::BTreeSet::new();
        for component in COMPONENTS {
            assert!(testbed.join(component.pins).join("go.mod").is_file(), "{}", component.name);
            assert!(outputs.insert(component.output), "two components are put in {}", component.output);
        }
    }

    #[test]
    fn what_is_left_of_an_earlier_run_is_discarded() {
        let folder = tempfile::tempdir().unwrap();
        let partial = folder.path().join(".partial");
        discard(&partial).unwrap();
        fs::write(&partial, "half a program").unwrap();
        discard(&partial).unwrap();
        fs::create_dir_all(partial.join("crds")).unwrap();
        discard(&partial).unwrap();
        assert!(!partial.exists());
    }
}
