//! Which program stands for which image.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// The programs of images, by the image's repository: its name without tag and digest.
#[derive(Debug, Clone, Default)]
pub struct Images(BTreeMap<String, PathBuf>);

impl Images {
    /// No image at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// Also `program` for every image of `repository`. It stands for the first word of the image's command, whatever that is.
    #[must_use]
    pub fn with(mut self, repository: &str, program: impl Into<PathBuf>) -> Self {
        self.0.insert(repository.to_owned(), program.into());
        self
    }

    /// The program of an image.
    pub(super) fn program(&self, image: &str) -> Option<&Path> {
        self.0.get(repository(image)).map(PathBuf::as_path)
    }
}

/// The name of an image without tag and digest.
fn repository(image: &str) -> &str {
    let name = image.split_once('@').map_or(image, |(name, _)| name);
    match name.rsplit_once(':') {
        // A colon before a slash is the one of a port.
        Some((name, tag)) if !tag.contains('/') => name,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_digests_do_not_count() {
        let images = Images::new().with("host:5000/a/b", "/bin/b");
        for image in
            ["host:5000/a/b", "host:5000/a/b:v1", "host:5000/a/b:v1@sha256:00", "host:5000/a/b@sha256:00"]
        {
            assert_eq!(images.program(image), Some(Path::new("/bin/b")), "{image}");
        }
        assert_eq!(images.program("host:5000/a"), None);
    }
}
