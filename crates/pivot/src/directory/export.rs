//! `--to-directory`.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use futures::stream::{self, StreamExt};
use pivot_core::bundle::{
    BundleManifest, Encoded, Entry, Flaw, MANIFEST_FILE, State, export_findings, is_temporary, temporary_file,
};
use pivot_core::check::Severity;
use pivot_core::digest::Digest;
use pivot_core::machine::{Notice, Phase};

use super::folder::Folder;
use super::snapshot::consistent;
use super::{DirectoryError, Teller, blocking};
use crate::cluster::Cluster;
use crate::event::Listener;
use crate::survey::Options;

/// Files that are written at the same time; each waits for the disk.
const WRITERS: usize = 16;

/// What an export wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Objects, each in a file.
    pub objects: usize,
    /// Digest of the whole, as it stands in the manifest.
    pub digest: Digest,
}

/// Writes everything that a move would take into a directory, and nothing into the source.
///
/// `id` names the export in its manifest. Where it fails the directory is as it was, or its manifest says that the export did not
/// finish.
pub async fn export(
    source: &Cluster,
    options: &Options,
    id: &str,
    directory: &Path,
    listener: Listener<'_>,
) -> Result<Exported, DirectoryError> {
    let mut teller = Teller::new(listener);
    teller.tell(Notice::PhaseStarted { phase: Phase::Snapshot });
    let path = directory.to_owned();
    let (folder, holdings, is_open) = blocking(move || {
        let folder = Folder::open(&path)?;
        let holdings = Holdings::look(&folder)?;
        let is_open = folder.is_open_to_others()?;
        Ok::<_, DirectoryError>((Arc::new(folder), holdings, is_open))
    })
    .await?;
    if is_open {
        teller.warn(format!(
            "others than its owner may look into {}; its files are for the owner alone",
            directory.display()
        ));
    }
    let blueprint = consistent(source, options, &mut teller).await?;
    let findings = export_findings(&blueprint);
    if findings.iter().any(|finding| finding.severity == Severity::Error) {
        return Err(DirectoryError::Checks { findings });
    }
    for finding in findings {
        teller.tell(Notice::Warning { object: finding.object, message: finding.message });
    }
    let encoded = Encoded::new(&blueprint, env!("CARGO_PKG_VERSION"), id);
    let exported = Exported { objects: encoded.files.len(), digest: encoded.manifest.digest.clone() };
    teller.tell(Notice::PhaseDone {
        phase: Phase::Snapshot,
        summary: format!("{} objects, unchanged between two looks", exported.objects),
    });
    teller.tell(Notice::PhaseStarted { phase: Phase::Stage });
    write(folder, holdings, encoded, &mut teller).await?;
    teller.tell(Notice::PhaseDone {
        phase: Phase::Stage,
        summary: format!("{} files written", exported.objects),
    });
    Ok(exported)
}

/// What is in the directory and may be replaced.
#[derive(Default)]
struct Holdings {
    /// Files of an earlier export.
    earlier: Vec<Entry>,
    /// Files that an interrupted export left under temporary names.
    leftovers: Vec<String>,
}

impl Holdings {
    /// Refuses what is not ours, or was ours and somebody changed it.
    fn look(folder: &Folder) -> Result<Self, DirectoryError> {
        let occupied = |flaws| DirectoryError::Occupied { path: folder.path().to_owned(), flaws };
        let (names, flaws) = folder.entries()?;
        if !flaws.is_empty() {
            return Err(occupied(flaws));
        }
        let (leftovers, names): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| is_temporary(name));
        let earlier = if names.iter().any(|name| name == MANIFEST_FILE) {
            let manifest = folder
                .read(MANIFEST_FILE)?
                .and_then(|(bytes, _)| BundleManifest::decode(&bytes))
                .map_err(|flaw| occupied(vec![flaw]))?;
            Some(manifest)
        } else {
            None
        };
        let flaws = foreign(folder, &names, earlier.as_ref())?;
        if !flaws.is_empty() {
            return Err(occupied(flaws));
        }
        Ok(Self { earlier: earlier.map(|manifest| manifest.files).unwrap_or_default(), leftovers })
    }
}

fn foreign(
    folder: &Folder,
    names: &[String],
    manifest: Option<&BundleManifest>,
) -> Result<Vec<Flaw>, DirectoryError> {
    let mut flaws = Vec::new();
    for file in names.iter().filter(|name| *name != MANIFEST_FILE) {
        let entry = manifest.and_then(|manifest| manifest.files.iter().find(|entry| entry.file == *file));
        match (entry, manifest.map(|manifest| manifest.state)) {
            (None, _) => flaws.push(Flaw::Foreign { file: file.clone() }),
            // Of an export that did not finish nobody knows which of two contents a file has.
            (Some(_), Some(State::Writing) | None) => {}
            (Some(entry), Some(State::Complete)) => match folder.read(file)? {
                Ok((bytes, _)) if Digest::of(&bytes) == entry.sha256 => {}
                Ok(_) => flaws.push(Flaw::Altered { file: file.clone() }),
                Err(flaw) => flaws.push(flaw),
            },
        }
    }
    Ok(flaws)
}

async fn write(
    folder: Arc<Folder>,
    holdings: Holdings,
    encoded: Encoded,
    teller: &mut Teller<'_>,
) -> Result<(), DirectoryError> {
    let Encoded { files, manifest } = encoded;
    let marker = manifest.writing(&holdings.earlier);
    let mut written: Vec<(String, Vec<u8>)> = files.into_iter().map(|file| (file.name, file.bytes)).collect();
    written.push((MANIFEST_FILE.to_owned(), marker.encode()));
    written.push((MANIFEST_FILE.to_owned(), manifest.encode()));
    let names: Vec<String> = written.iter().map(|(name, _)| name.clone()).collect();

    let leftovers = holdings.leftovers;
    let cleaned = Arc::clone(&folder);
    blocking(move || leftovers.iter().try_for_each(|name| cleaned.remove(name))).await?;
    if let Err(error) = write_temporary(&folder, written, teller).await {
        let count = names.len();
        blocking(move || {
            for number in 0..count {
                // The first error is the one to tell; what stays is known by its name as ours.
                drop(folder.remove(&temporary_file(number)));
            }
        })
        .await;
        return Err(error);
    }
    blocking(move || put_in_place(&folder, &names, &holdings.earlier)).await
}

/// Writes everything under temporary names: where this fails, nothing that was there is lost.
async fn write_temporary(
    folder: &Arc<Folder>,
    files: Vec<(String, Vec<u8>)>,
    teller: &mut Teller<'_>,
) -> Result<(), DirectoryError> {
    let total = files.len();
    let mut writing = stream::iter(files.into_iter().enumerate())
        .map(|(number, (_, bytes))| {
            let folder = Arc::clone(folder);
            blocking(move || folder.create(&temporary_file(number), &bytes))
        })
        .buffer_unordered(WRITERS);
    let mut done = 0;
    let mut outcome = Ok(());
    // To the end also after a failure, so that no writer is left when the files are removed.
    while let Some(result) = writing.next().await {
        done += 1;
        outcome = outcome.and(result);
        teller.tell(Notice::Progress { phase: Phase::Stage, done, total });
    }
    outcome
}

/// The last two files are the manifests: the one that says what is going on comes first, the complete one last.
fn put_in_place(folder: &Folder, names: &[String], earlier: &[Entry]) -> Result<(), DirectoryError> {
    let (complete, marker) = (names.len() - 1, names.len() - 2);
    folder.rename(&temporary_file(marker), MANIFEST_FILE)?;
    folder.sync()?;
    for (number, name) in names[..marker].iter().enumerate() {
        folder.rename(&temporary_file(number), name)?;
    }
    let kept: BTreeSet<&String> = names.iter().collect();
    for entry in earlier.iter().filter(|entry| !kept.contains(&entry.file)) {
        folder.remove(&entry.file)?;
    }
    folder.sync()?;
    folder.rename(&temporary_file(complete), MANIFEST_FILE)?;
    folder.sync()
}
