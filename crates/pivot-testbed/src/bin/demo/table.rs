//! What is where, kind by kind.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use pivot_testbed::{
    dump::{Dump, Key},
    kind::Gvk,
};

use crate::stage::{Dumps, NAMESPACE, Stage};

/// Counts on both sides, and the state of the cluster and its hosts wherever they are.
pub(crate) struct Table {
    /// Kind, count in the source, count in the target.
    rows: Vec<(String, usize, usize)>,
    states: Vec<String>,
}

impl Table {
    pub(crate) fn new(stage: &Stage, dumps: &Dumps) -> Self {
        let (source, target) = (by_kind(&dumps.source, &stage.sample), by_kind(&dumps.target, &stage.sample));
        let kinds: BTreeSet<_> = stage.sample.iter().map(|key| key.kind.as_str()).collect();
        let count = |counts: &BTreeMap<&str, usize>, kind: &str| counts.get(kind).copied().unwrap_or(0);
        let mut rows: Vec<_> = kinds
            .iter()
            .map(|kind| ((*kind).to_owned(), count(&source, kind), count(&target, kind)))
            .collect();
        rows.push(("all of the cluster".to_owned(), source.values().sum(), target.values().sum()));
        let present = |dump: &Dump| stage.bystanders.iter().filter(|key| dump.get(key).is_some()).count();
        rows.push(("bystanders".to_owned(), present(&dumps.source), present(&dumps.target)));
        let states = [("source", &dumps.source), ("target", &dumps.target)];
        Self { rows, states: states.into_iter().filter_map(|(side, dump)| states_in(side, dump)).collect() }
    }
}

fn by_kind<'a>(dump: &Dump, keys: &'a BTreeSet<Key>) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    for key in keys.iter().filter(|key| dump.get(key).is_some()) {
        *counts.entry(key.kind.as_str()).or_insert(0) += 1;
    }
    counts
}

/// What the statuses say; `None` where there is no cluster.
fn states_in(side: &str, dump: &Dump) -> Option<String> {
    let of_kind = |gvk: &'static Gvk| {
        dump.iter().filter(move |(key, _)| {
            key.kind == gvk.kind && key.group == gvk.group && key.namespace == NAMESPACE
        })
    };
    let cluster = of_kind(Gvk::CLUSTER).map(|(key, object)| {
        let phase = object["status"]["phase"].as_str().unwrap_or("without status");
        let paused = if object["spec"]["paused"] == true { ", paused" } else { "" };
        format!("Cluster {}: {phase}{paused}", key.name)
    });
    let hosts = of_kind(Gvk::BARE_METAL_HOST).map(|(key, object)| {
        let state = object["status"]["provisioning"]["state"].as_str().unwrap_or("without status");
        format!("{} {state}", key.name)
    });
    let (cluster, hosts) = (cluster.collect::<Vec<_>>().join("; "), hosts.collect::<Vec<_>>().join(", "));
    (!cluster.is_empty() || !hosts.is_empty()).then(|| format!("in the {side}: {cluster}\n  hosts: {hosts}"))
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Two rows side by side: a newcomer shall see all of it at once.
        let (left, right) = self.rows.split_at(self.rows.len().div_ceil(2));
        let head = format!("{:<28}{:>7}{:>8}", "", "source", "target");
        writeln!(f, "{head}    {head}")?;
        for (index, row) in left.iter().enumerate() {
            let cells =
                |(kind, source, target): &(String, usize, usize)| format!("{kind:<28}{source:>7}{target:>8}");
            let beside = right.get(index).map(cells).unwrap_or_default();
            writeln!(f, "{}", format!("{}    {beside}", cells(row)).trim_end())?;
        }
        write!(f, "\n{}", self.states.join("\n"))
    }
}
