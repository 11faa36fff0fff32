//! What whoever applies the manifests should know, besides what stands in them.

use std::fmt;

use super::settings::{Carried, Form, Settings};

/// One remark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    /// Settings of the Ironic before it that are left out.
    LeftOut(Vec<String>),
    /// Settings that speak of the endpoint before it.
    OldEndpoint(Vec<String>),
    /// Addresses of the interface that lie in a range.
    InRange(String),
    /// Leases that are in no range.
    Outside {
        /// How many.
        count: usize,
        /// One of them.
        example: String,
    },
    /// An image of which the version is not said.
    Floating(Vec<String>),
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeftOut(keys) => write!(
                f,
                "the source's {} cannot be taken along: set what the target needs of it by hand",
                keys.join(", ")
            ),
            Self::OldEndpoint(keys) => {
                write!(f, "{} of the source may speak of its endpoint address", keys.join(", "))
            }
            Self::InRange(address) => {
                write!(f, "{address}, which the interface carries itself, is in a DHCP range")
            }
            Self::Outside { count, example } => {
                let of_them =
                    if *count == 1 { "1 lease is".to_owned() } else { format!("{count} leases are") };
                write!(
                    f,
                    "{of_them} in no DHCP range, such as `{example}`: dnsmasq keeps it, and need not renew it"
                )
            }
            Self::Floating(images) => write!(
                f,
                "no version is named for {}: the target may run another Ironic than the source",
                images.join(", ")
            ),
        }
    }
}

impl Settings {
    /// What is worth a second look.
    pub fn remarks(&self) -> Vec<Remark> {
        let mut remarks = Vec::new();
        let mut left_out = self.inherited.left_out.clone();
        let others = &self.inherited.others;
        match self.form {
            Form::Deployment => {
                let speaks = |(_, value): &(&String, &String)| {
                    self.has_moved()
                        && self.inherited.endpoint.is_some_and(|old| value.contains(&old.to_string()))
                };
                let old: Vec<String> = others.iter().filter(speaks).map(|(key, _)| key.clone()).collect();
                remarks.extend(Some(Remark::OldEndpoint(old)).filter(|_| others.iter().any(|o| speaks(&o))));
            }
            // The resource has fields of its own for what it takes.
            Form::Irso => left_out.extend(others.keys().cloned()),
        }
        left_out.sort();
        if !left_out.is_empty() {
            remarks.push(Remark::LeftOut(left_out));
        }
        let in_range = self.provisioning.statics_in_ranges();
        remarks.extend(in_range.map(|address| Remark::InRange(address.to_string())));
        if let Carried::Leases(file) = &self.leases
            && let Ok(outside) = self.provisioning.outside(file)
            && let Some(first) = outside.first()
        {
            remarks.push(Remark::Outside { count: outside.len(), example: first.to_string() });
        }
        let images = match self.form {
            Form::Deployment => vec![&self.image, &self.keepalived_image, &self.downloader_image],
            Form::Irso => Vec::new(),
        };
        let floating: Vec<String> = images.into_iter().filter(|image| floats(image)).cloned().collect();
        if !floating.is_empty() {
            remarks.push(Remark::Floating(floating));
        }
        remarks
    }
}

/// True where the name of an image says no version.
fn floats(image: &str) -> bool {
    let last = image.rsplit('/').next().unwrap_or_default();
    !last.contains(['@', ':']) || last.ends_with(":latest")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_tag_or_a_digest() {
        for image in ["ironic", "localhost:5000/ironic", "registry/metal3-io/ironic:latest"] {
            assert!(floats(image), "{image}");
        }
        for image in ["ironic:v38.0", "localhost:5000/ironic:v38.0", "registry/ironic@sha256:00"] {
            assert!(!floats(image), "{image}");
        }
    }
}
