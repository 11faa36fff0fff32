//! How volumes come to stand where a container expects them, without a trace in the machine's own folders.
//!
//! A container has a mount namespace of its own over the machine's files. A mount point that the machine does not have is made
//! in an overlay over the nearest folder above it that the machine has. What the container writes below such a folder stays in
//! the overlay, which ends with the container.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    path::{Path, PathBuf},
};

use super::Setback;

/// A volume, or a part of it, in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    /// A file or folder of the machine.
    pub(super) source: PathBuf,
    /// Where it stands in the container.
    pub(super) target: PathBuf,
    pub(super) read_only: bool,
}

/// Sets up host name and mounts and becomes the program.
///
/// Arguments: an empty folder to work in, the working folder, the folders to put overlays over, `--`, `ro` or `rw` with source
/// and target for every mount, `--`, the program with its arguments. Everything works relative to the first folder, which is
/// entered and has a file system of its own: an overlay may hide its path, and those of the sources.
pub(super) const SCRIPT: &str = r#"
set -e
echo "$HOSTNAME" > /proc/sys/kernel/hostname
cd "$1"; mount -t tmpfs scratch .; cd "$1"
workdir=$2; shift 2
mkdir overlays sources
count=0
while [ "$1" != -- ]; do
  count=$((count+1)); mkdir "overlays/$count"; printf '%s' "$1" > "overlays/$count/base"; shift
done
shift
pairs=0
while [ "$1" != -- ]; do
  pairs=$((pairs+1)); at=sources/$pairs
  if [ -d "$2" ]; then mkdir "$at"; else : > "$at"; fi
  mount --bind "$2" "$at"
  printf '%s' "$1" > "sources/$pairs.mode"; printf '%s' "$3" > "sources/$pairs.target"; shift 3
done
shift
n=0
while [ $n -lt $count ]; do
  n=$((n+1)); at=overlays/$n; base=$(cat $at/base); mkdir $at/upper $at/work
  chmod --reference="$base" $at/upper
  mount -c -t overlay overlay -o "lowerdir=$base,upperdir=$at/upper,workdir=$at/work" "$base"
done
n=0
while [ $n -lt $pairs ]; do
  n=$((n+1)); at=sources/$n; target=$(cat $at.target)
  if [ -d $at ]; then mkdir -p "$target"; else mkdir -p "$(dirname "$target")"; [ -e "$target" ] || : > "$target"; fi
  mount -c --bind $at "$target"
  if [ "$(cat $at.mode)" = ro ]; then mount -c -o remount,bind,ro "$target"; fi
done
cd "$workdir"
exec "$@"
"#;

/// The arguments of [`SCRIPT`] up to the program.
pub(super) fn arguments(scratch: &Path, working: &Path, mounts: &[Mount]) -> Result<Vec<OsString>, Setback> {
    let mut args: Vec<OsString> = vec![scratch.into(), working.into()];
    let mut bases = BTreeSet::new();
    for mount in mounts {
        bases.extend(overlaid(&mount.target)?);
    }
    args.extend(outermost(&bases).map(OsString::from));
    args.push("--".into());
    for mount in mounts {
        let mode = if mount.read_only { "ro" } else { "rw" };
        args.extend([mode.into(), mount.source.clone().into(), mount.target.clone().into()]);
    }
    args.push("--".into());
    Ok(args)
}

/// The folder that an overlay has to cover so that the mount point can be made; `None` if it is there.
fn overlaid(target: &Path) -> Result<Option<PathBuf>, Setback> {
    if !target.is_absolute() {
        return Err(Setback::new(format!("mount path {} is not absolute", target.display())));
    }
    if target.exists() {
        return Ok(None);
    }
    let above = target.ancestors().find(|above| above.exists()).unwrap_or(Path::new("/"));
    // Links are followed, so that no folder is covered twice.
    let base = above.canonicalize().map_err(|error| Setback::file(above, &error))?;
    if base == Path::new("/") {
        let message = format!("mount path {} stands in no folder but the root", target.display());
        return Err(Setback::new(message));
    }
    Ok(Some(base))
}

/// The folders that stand in no other one of them.
fn outermost(bases: &BTreeSet<PathBuf>) -> impl Iterator<Item = &PathBuf> {
    bases.iter().filter(|base| !bases.iter().any(|other| other != *base && base.starts_with(other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_that_are_missing_are_made_in_the_nearest_one_above() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().canonicalize().unwrap();
        assert_eq!(overlaid(&here).unwrap(), None);
        assert_eq!(overlaid(&here.join("a/b")).unwrap(), Some(here.clone()));
        std::os::unix::fs::symlink(&here, here.join("link")).unwrap();
        assert_eq!(overlaid(&here.join("link/a")).unwrap(), Some(here));
        assert!(overlaid(Path::new("/no-such-folder/a")).is_err());
        assert!(overlaid(Path::new("relative")).is_err());
    }

    #[test]
    fn one_overlay_covers_what_is_in_its_folder() {
        let bases: BTreeSet<PathBuf> = ["/a", "/a/b", "/ab"].map(PathBuf::from).into();
        let outermost: Vec<_> = outermost(&bases).collect();
        assert_eq!(outermost, [Path::new("/a"), Path::new("/ab")]);
    }
}
