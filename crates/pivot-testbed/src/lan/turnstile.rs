//! Holds one command of a machine, so that whoever gave it can be killed before or after it.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use crate::{Error, Result};

/// How often, and after what time each, a held command is looked for: together two minutes.
const LOOKS: u32 = 2400;
const LOOK: Duration = Duration::from_millis(50);

/// What stands in front of `$PROGRAM` in `$FOLDER`. Only what changes something is counted; the count is that of all programs together.
const SHIM: &str = r#"case "$1 $2" in
  "stop "*|"start "*|"update "*|"cp --archive"*|"address del"|"address add") ;;
  *) exec $PROGRAM "$@" ;;
esac
echo "${0##*/} $*" >> $FOLDER/commands
if [ "$(wc -l < $FOLDER/commands)" = "$(cat $FOLDER/gate 2>/dev/null)" ]; then
  touch $FOLDER/held
  while [ -e $FOLDER/held ]; do sleep 0.02; done
  [ -e $FOLDER/lost ] && exit 1
fi
exec $PROGRAM "$@"
"#;

/// Stands in front of `podman` and `ip`, for whoever finds them by its [`Self::path`].
#[derive(Debug)]
pub struct Turnstile {
    folder: PathBuf,
}

impl Turnstile {
    /// In a folder that is there and empty. Nothing is held yet.
    pub fn new(folder: &Path) -> Result<Self> {
        let turnstile = Self { folder: folder.to_owned() };
        for program in ["podman", "ip"] {
            let real = super::program(program).ok_or_else(|| Error::MissingTool { path: program.into() })?;
            let shown = |path: &Path| path.display().to_string();
            let text = SHIM.replace("$PROGRAM", &shown(&real)).replace("$FOLDER", &shown(folder));
            let path = folder.join(program);
            fs::write(&path, format!("#!/bin/sh\n{text}")).map_err(Error::file(&path))?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).map_err(Error::file(&path))?;
        }
        turnstile.write("commands", "")?;
        Ok(turnstile)
    }

    /// `PATH` of who is to go through it.
    pub fn path(&self) -> String {
        format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", self.folder.display())
    }

    /// The command that is to be held: the first from now on is 1.
    pub fn hold(&self, number: usize) -> Result<()> {
        self.forgive()?;
        self.write("commands", "")?;
        self.write("gate", &number.to_string())
    }

    /// Waits until it is held; false where `is_over` says that it will not come any more.
    pub fn is_held(&self, mut is_over: impl FnMut() -> bool) -> Result<bool> {
        for _ in 0..LOOKS {
            if self.folder.join("held").exists() {
                return Ok(true);
            }
            if is_over() {
                return Ok(false);
            }
            sleep(LOOK);
        }
        let mut stderr = "no command came".to_owned();
        write!(stderr, "; there were: {}", self.commands().join("; ")).expect("BUG: a string takes it");
        Err(Error::Network { program: "podman", stderr })
    }

    /// The command that is held is done after all.
    pub fn pass(&self) -> Result<()> {
        self.open()
    }

    /// Forgets that one was lost.
    fn forgive(&self) -> Result<()> {
        let lost = self.folder.join("lost");
        match fs::remove_file(&lost) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::file(&lost)(error)),
            _ => Ok(()),
        }
    }

    /// The command that is held is never done.
    pub fn lose(&self) -> Result<()> {
        self.write("lost", "")?;
        self.open()
    }

    /// Commands since the last [`Self::hold`], by their programs and arguments.
    pub fn commands(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.join("commands")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn open(&self) -> Result<()> {
        self.write("gate", "")?;
        let held = self.folder.join("held");
        fs::remove_file(&held).map_err(Error::file(&held))
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.folder.join(name);
        fs::write(&path, text).map_err(Error::file(&path))
    }
}
