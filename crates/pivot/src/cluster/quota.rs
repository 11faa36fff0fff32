//! Limits on the number of objects (`ResourceQuota`).

use std::collections::BTreeMap;

use pivot_core::kind::GroupKind;
use serde::Deserialize;

use super::request::JSON;
use super::{Cluster, Failure};

/// What one `ResourceQuota` says of numbers of objects. Keys are as the API has them: `count/<plural>.<group>`,
/// `count/secrets`, `secrets`, `configmaps`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Name of the `ResourceQuota`.
    pub name: String,
    /// How many there may be.
    pub hard: BTreeMap<String, u64>,
    /// How many there are, as of the last count of the quota controller.
    pub used: BTreeMap<String, u64>,
}

impl Quota {
    /// How many more objects of a kind there may be; `None` where this quota does not limit it.
    pub fn room(&self, kind: &GroupKind, plural: &str) -> Option<u64> {
        let counted = match kind.group.as_str() {
            "" => format!("count/{plural}"),
            group => format!("count/{plural}.{group}"),
        };
        // Some built-in kinds may also be limited by their bare name.
        let keys = [Some(counted.as_str()), kind.group.is_empty().then_some(plural)];
        let left = |key: &str| {
            let used = self.used.get(key).copied().unwrap_or_default();
            self.hard.get(key).map(|hard| hard.saturating_sub(used))
        };
        keys.into_iter().flatten().filter_map(left).min()
    }
}

#[derive(Deserialize)]
struct Item {
    metadata: Named,
    #[serde(default)]
    spec: Counts,
    #[serde(default)]
    status: Counts,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Counts {
    hard: BTreeMap<String, String>,
    used: BTreeMap<String, String>,
}

impl Cluster {
    /// The quotas of a namespace.
    pub async fn quotas(&self, namespace: &str) -> Result<Vec<Quota>, Failure> {
        let kind = super::discovery::core_kind("ResourceQuota", "resourcequotas");
        let path = super::resource_path(&kind, "v1", Some(namespace), None, None);
        let listed = self.list_at::<Item>(&path, JSON).await?;
        let quota = |item: Item| Quota {
            name: item.metadata.name,
            hard: object_counts(&item.spec.hard),
            used: object_counts(&item.status.used),
        };
        Ok(listed.items.into_iter().map(quota).collect())
    }
}

fn object_counts(quantities: &BTreeMap<String, String>) -> BTreeMap<String, u64> {
    let counts_objects = |key: &str| key.starts_with("count/") || matches!(key, "secrets" | "configmaps");
    let entries = quantities.iter().filter(|(key, _)| counts_objects(key));
    entries.filter_map(|(key, quantity)| Some((key.clone(), whole_number(quantity)?))).collect()
}

/// A Kubernetes quantity, rounded down. API servers write 1000 as `1k`.
fn whole_number(quantity: &str) -> Option<u64> {
    let digits = quantity.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor: u64 = match &quantity[digits.len()..] {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        // A larger number limits nothing that fits into a cluster.
        "T" | "P" | "E" | "Ti" | "Pi" | "Ei" => return Some(u64::MAX),
        "m" => return Some(digits.parse::<u64>().ok()? / 1_000),
        _ => return None,
    };
    digits.parse::<u64>().ok().map(|number| number.saturating_mul(factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_as_the_api_server_writes_them() {
        let read = ["0", "12", "1k", "2Ki", "1500m", "3M", "5T"].map(whole_number);
        assert_eq!(
            read,
            [Some(0), Some(12), Some(1_000), Some(2_048), Some(1), Some(3_000_000), Some(u64::MAX)]
        );
        assert_eq!(["", "x", "1x", "-1", "1.5"].map(whole_number), [None; 5]);
    }

    #[test]
    fn room_is_the_narrowest_of_both_names() {
        let quota = Quota {
            name: "q".to_owned(),
            hard: [("count/secrets".to_owned(), 10), ("secrets".to_owned(), 5)].into(),
            used: [("count/secrets".to_owned(), 4), ("secrets".to_owned(), 4)].into(),
        };
        assert_eq!(quota.room(&GroupKind::new("", "Secret"), "secrets"), Some(1));
        assert_eq!(quota.room(&GroupKind::new("metal3.io", "BareMetalHost"), "baremetalhosts"), None);
    }
}
