//! The CRDs of all providers, with the labels `clusterctl init` and CAPM3's own test suite leave on them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use crate::{
    Error, Result,
    assets::Assets,
    client::{PlaneClient, Progress, wait_until},
    kind::Gvk,
};

const CLUSTERCTL_LABEL: &str = "clusterctl.cluster.x-k8s.io";
const MOVE_LABEL: &str = "clusterctl.cluster.x-k8s.io/move";
const MOVE_HIERARCHY_LABEL: &str = "clusterctl.cluster.x-k8s.io/move-hierarchy";

/// Publishing one CRD keeps the API server busy; more at a time than this does not end sooner.
const IN_FLIGHT: usize = 16;

/// Reads the CRDs of the assets, labelled, without conversion webhooks: no provider runs that would answer them.
pub fn read(assets: &Assets) -> Result<Vec<Value>> {
    let mut crds = Vec::new();
    for folder in ["capi", "capm3", "ipam", "bmo", "clusterctl"] {
        for file in yaml_files(&assets.crds().join(folder))? {
            let text = fs::read_to_string(&file).map_err(Error::file(&file))?;
            let documents: Vec<Value> = serde_saphyr::from_multiple(&text)
                .map_err(|error| Error::Yaml { path: file.clone(), reason: error.to_string() })?;
            crds.extend(
                documents.into_iter().filter(|d| d["kind"] == "CustomResourceDefinition").map(prepare),
            );
        }
    }
    crds.push(prepare(metal3_cluster_template()));
    Ok(crds)
}

/// A stand-in: later versions of CAPM3 have this kind, the pinned API module does not. Without it no `ClusterClass` can
/// name its infrastructure.
fn metal3_cluster_template() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "metal3clustertemplates.infrastructure.cluster.x-k8s.io"},
        "spec": {
            "group": "infrastructure.cluster.x-k8s.io",
            "scope": "Namespaced",
            "names": {
                "kind": "Metal3ClusterTemplate",
                "listKind": "Metal3ClusterTemplateList",
                "plural": "metal3clustertemplates",
                "singular": "metal3clustertemplate",
            },
            "versions": [{
                "name": "v1beta1",
                "served": true,
                "storage": true,
                "schema": {"openAPIV3Schema": {
                    "type": "object",
                    "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
                }},
            }],
        },
    })
}

/// Installs the CRDs of the assets and waits until every one of them is served.
pub async fn install(client: &PlaneClient, assets: &Assets) -> Result<()> {
    let crds = read(assets)?;
    stream::iter(crds.iter().map(|crd| client.create(crd, "clusterctl")))
        .buffer_unordered(IN_FLIGHT)
        .try_for_each(|_| async { Ok(()) })
        .await?;
    let expected: BTreeSet<&str> = crds.iter().filter_map(|crd| crd["metadata"]["name"].as_str()).collect();
    wait_until("the CRDs to be established", Duration::from_secs(300), async || {
        let installed = client.list(Gvk::CRD, None).await?;
        let established: BTreeSet<&str> = installed
            .iter()
            .filter(|crd| condition_is_true(crd, "Established"))
            .filter_map(|crd| crd["metadata"]["name"].as_str())
            .collect();
        let missing: Vec<_> = expected.difference(&established).copied().collect();
        Ok(if missing.is_empty() { Progress::Done(()) } else { Progress::Pending(missing.join(", ")) })
    })
    .await?;
    // Established comes some time before discovery and the paths of the kind.
    wait_until("the kinds to be served", Duration::from_secs(300), async || {
        let kinds = client.kinds().await?;
        let served: BTreeSet<String> =
            kinds.iter().map(|served| format!("{}.{}", served.plural, served.gvk.group)).collect();
        let missing: Vec<_> = expected.iter().filter(|name| !served.contains(**name)).copied().collect();
        Ok(if missing.is_empty() { Progress::Done(()) } else { Progress::Pending(missing.join(", ")) })
    })
    .await
}

/// True if the object's status carries this condition as true.
pub fn condition_is_true(object: &Value, condition: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|c| c["type"] == condition && c["status"] == "True")
}

fn yaml_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Err(Error::MissingAsset { path: folder.to_owned() });
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(Error::file(folder))?.path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() { Err(Error::MissingAsset { path: folder.join("*.yaml") }) } else { Ok(files) }
}

fn prepare(mut crd: Value) -> Value {
    let group = crd["spec"]["group"].as_str().unwrap_or_default().to_owned();
    let plural = crd["spec"]["names"]["plural"].as_str().unwrap_or_default().to_owned();
    for (key, value) in labels_of(&group, &plural) {
        crd["metadata"]["labels"][key] = json!(value);
    }
    crd["spec"]["conversion"] = json!({"strategy": "None"});
    if let Some(fields) = crd.as_object_mut() {
        fields.remove("status");
    }
    crd
}

/// The labels of a provider's CRD by its API group.
fn labels_of(group: &str, plural: &str) -> Vec<(&'static str, &'static str)> {
    const BETA1: (&str, &str) = ("cluster.x-k8s.io/v1beta1", "v1beta1");
    const BETA2: (&str, &str) = ("cluster.x-k8s.io/v1beta2", "v1beta2");
    let provider = |name, contracts: &[_]| {
        [&[(CLUSTERCTL_LABEL, ""), ("cluster.x-k8s.io/provider", name)], contracts].concat()
    };
    match group {
        "cluster.x-k8s.io"
        | "addons.cluster.x-k8s.io"
        | "ipam.cluster.x-k8s.io"
        | "runtime.cluster.x-k8s.io" => provider("cluster-api", &[BETA1, BETA2]),
        "bootstrap.cluster.x-k8s.io" => provider("bootstrap-kubeadm", &[BETA1, BETA2]),
        "controlplane.cluster.x-k8s.io" => provider("control-plane-kubeadm", &[BETA1, BETA2]),
        "infrastructure.cluster.x-k8s.io" => provider("infrastructure-metal3", &[BETA1]),
        "ipam.metal3.io" => provider("ipam-metal3", &[BETA1]),
        "clusterctl.cluster.x-k8s.io" => {
            vec![(CLUSTERCTL_LABEL, ""), ("clusterctl.cluster.x-k8s.io/core", "inventory")]
        }
        // The operator ships its CRDs without labels; whoever pivots with clusterctl adds these.
        "metal3.io" if plural == "baremetalhosts" => {
            vec![(CLUSTERCTL_LABEL, ""), (MOVE_LABEL, ""), (MOVE_HIERARCHY_LABEL, "")]
        }
        "metal3.io" if plural == "hardwaredata" => vec![(CLUSTERCTL_LABEL, ""), (MOVE_LABEL, "")],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crd(group: &str, plural: &str) -> Value {
        json!({"kind": "CustomResourceDefinition", "metadata": {"name": format!("{plural}.{group}")},
            "spec": {"group": group, "names": {"plural": plural}, "conversion": {"strategy": "Webhook"}},
            "status": {"conditions": []}})
    }

    #[test]
    fn labels_tell_provider_and_contract() {
        let host = prepare(crd("metal3.io", "baremetalhosts"));
        assert_eq!(
            host["metadata"]["labels"],
            json!({CLUSTERCTL_LABEL: "", MOVE_LABEL: "", MOVE_HIERARCHY_LABEL: ""})
        );
        assert!(prepare(crd("metal3.io", "dataimages"))["metadata"].get("labels").is_none());
        let machine = prepare(crd("infrastructure.cluster.x-k8s.io", "metal3machines"));
        assert_eq!(machine["metadata"]["labels"]["cluster.x-k8s.io/provider"], "infrastructure-metal3");
        assert!(machine["metadata"]["labels"].get("cluster.x-k8s.io/v1beta2").is_none());
        assert_eq!(machine["spec"]["conversion"], json!({"strategy": "None"}));
        assert!(machine.get("status").is_none());
    }
}
