//! Files of a machine, and of the containers that run there.

use super::{Host, HostError};

/// Exit code of the scripts here for a file that is not there.
pub(crate) const ABSENT: i32 = 66;

/// Where ironic-image's dnsmasq keeps its leases: today, until February 2025, and where Debian's does.
pub const LEASE_FILES: [&str; 3] =
    ["/data/dnsmasq/dnsmasq.leases", "/var/lib/dnsmasq/dnsmasq.leases", "/var/lib/misc/dnsmasq.leases"];

/// Prints the first of these files that is there, behind a line with its name.
pub(crate) const FIRST_FILE: &str =
    r#"for file do if [ -e "$file" ]; then printf '%s\n' "$file"; exec cat -- "$file"; fi; done; exit 66"#;

/// The same in a container that does not run. `tar` tells by its exit code whether there was anything to unpack.
const FIRST_COPIED: &str = r#"engine=$1 name=$2; shift 2
for file do
  if "$engine" cp "$name:$file" - >/dev/null 2>&1; then
    printf '%s\n' "$file"; "$engine" cp "$name:$file" - | tar -xOf -; exit
  fi
done
exit 66"#;

/// A file, as it was found.
#[derive(Clone, PartialEq, Eq)]
pub struct FoundFile {
    /// Where it was.
    pub path: String,
    /// What stands in it.
    pub content: Vec<u8>,
}

impl std::fmt::Debug for FoundFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FoundFile").field("path", &self.path).field("bytes", &self.content.len()).finish()
    }
}

impl FoundFile {
    /// What [`FIRST_FILE`] printed.
    pub(crate) fn of(printed: &[u8]) -> Self {
        let end = printed.iter().position(|byte| *byte == b'\n').unwrap_or(printed.len());
        let (path, content) = printed.split_at(end);
        let content = content.get(1..).unwrap_or_default().to_vec();
        Self { path: String::from_utf8_lossy(path).into_owned(), content }
    }
}

impl Host {
    /// The first of these files that is there; `None` where none is.
    pub async fn first_file(&self, paths: &[&str]) -> Result<Option<FoundFile>, HostError> {
        let command = [&["sh", "-c", FIRST_FILE, "first-file"], paths].concat();
        self.found(&command).await
    }

    /// The first of these files that is in a container; `None` where none is.
    pub async fn first_file_in(
        &self,
        engine: &str,
        container: &str,
        running: bool,
        paths: &[&str],
    ) -> Result<Option<FoundFile>, HostError> {
        let command = if running {
            [&[engine, "exec", container, "sh", "-c", FIRST_FILE, "first-file"], paths].concat()
        } else {
            [&["sh", "-c", FIRST_COPIED, "first-file", engine, container], paths].concat()
        };
        self.found(&command).await
    }

    async fn found(&self, command: &[&str]) -> Result<Option<FoundFile>, HostError> {
        let ran = self.run(command, &[]).await?;
        match ran.code {
            Some(0) => {}
            Some(ABSENT) => return Ok(None),
            _ => return Err(self.failed(&command[..2.min(command.len())], &ran)),
        }
        Ok(Some(FoundFile::of(&ran.stdout)))
    }
}
