//! The digest that names a set of built components.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::{AtPath, Error};

/// Grows whenever the same pins would be built into something else.
const RECIPE: u32 = 1;

/// The files of one component that decide what is built.
const FILES: [&str; 3] = ["go.mod", "go.sum", "imports.go"];

/// The digest of every pin under `testbed` and of the recipe: 16 hexadecimal digits.
pub(super) fn digest(testbed: &Path) -> Result<String, Error> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(testbed).at("list", testbed)? {
        let entry = entry.at("list", testbed)?;
        if entry.path().join("go.mod").is_file() {
            folders.push(entry.file_name());
        }
    }
    folders.sort();

    let mut parts = Vec::new();
    for folder in folders {
        for file in FILES {
            let path = testbed.join(&folder).join(file);
            if path.is_file() {
                let content = fs::read(&path).at("read", &path)?;
                parts.extend([folder.as_encoded_bytes().to_vec(), file.as_bytes().to_vec(), content]);
            }
        }
    }
    Ok(digest_of(parts.iter().map(Vec::as_slice)))
}

/// The digest of some parts and of the recipe: 16 hexadecimal digits.
pub(super) fn digest_of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    hash.update(RECIPE.to_le_bytes());
    for part in parts {
        // Lengths keep one part's end from passing for the next one's beginning.
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    let hash: [u8; 32] = hash.finalize().into();
    let first = hash.first_chunk().expect("BUG: a SHA-256 digest has 32 bytes");
    format!("{:016x}", u64::from_be_bytes(*first))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn testbed(pins: &[(&str, &str, &str)]) -> tempfile::TempDir {
        let testbed = tempfile::tempdir().unwrap();
        for (folder, file, content) in pins {
            fs::create_dir_all(testbed.path().join(folder)).unwrap();
            fs::write(testbed.path().join(folder).join(file), content).unwrap();
        }
        testbed
    }

    fn of(pins: &[(&str, &str, &str)]) -> String {
        digest(testbed(pins).path()).unwrap()
    }

    #[test]
    fn same_pins_give_the_same_digest_wherever_they_stand() {
        let pins = [("b", "go.mod", "module b"), ("a", "go.mod", "module a"), ("a", "go.sum", "h1")];
        assert_eq!(of(&pins), of(&pins));
        assert_eq!(of(&pins).len(), 16);
    }

    #[test]
    fn every_pin_counts() {
        let base = of(&[("a", "go.mod", "module a"), ("a", "go.sum", "h1")]);
        assert_ne!(base, of(&[("a", "go.mod", "module a"), ("a", "go.sum", "h2")]));
        assert_ne!(base, of(&[("b", "go.mod", "module a"), ("b", "go.sum", "h1")]));
        assert_ne!(base, of(&[("a", "go.mod", "module ah1"), ("a", "go.sum", "")]));
    }

    #[test]
    fn other_files_do_not_count() {
        let base = of(&[("a", "go.mod", "module a")]);
        assert_eq!(base, of(&[("a", "go.mod", "module a"), ("a", "README.md", "text")]));
        assert_eq!(base, of(&[("a", "go.mod", "module a"), ("notes", "README.md", "text")]));
    }
}
