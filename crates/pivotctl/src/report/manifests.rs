//! Manifests as a stream of YAML, and what is to be done besides applying them.

use pivot_core::ironic::manifest::{Carried, Document, Form, Settings};
use pivot_core::lease::CONFIG_MAP;

use super::data;

/// The manifests, one behind the other.
pub(crate) fn yaml(documents: &[Document]) -> String {
    let document = |document: &Document| {
        let comments = document.comments.iter().map(|line| format!("# {line}\n"));
        comments.chain([data::yaml(&document.object)]).collect::<String>()
    };
    documents.iter().map(document).collect::<Vec<_>>().join("---\n")
}

/// What has to be there before Ironic starts, and how it starts.
pub(crate) fn notes(settings: &Settings) -> Vec<String> {
    let namespace = &settings.namespace;
    let mut notes = Vec::new();
    let secrets = &settings.secrets;
    let named: Vec<&str> = [&secrets.auth, &secrets.certificate, &secrets.authority]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
    if !named.is_empty() {
        notes.push(format!("before it starts, namespace {namespace} needs the Secrets {}", named.join(", ")));
    }
    if settings.leases == Carried::Awaited {
        notes.push(format!(
            "its pod waits for ConfigMap {CONFIG_MAP}: `leases import FILE -n {namespace}` writes it when the source's Ironic has stopped"
        ));
    }
    match settings.form {
        Form::Deployment if settings.run => {
            notes.push("it starts as soon as it is applied: stop the source's Ironic before".to_owned());
        }
        Form::Deployment => notes.push(
            "applying it starts nothing: `ironic start --form cluster` does, when the source's Ironic has stopped".to_owned(),
        ),
        Form::Irso => {
            notes.push(
                "the Ironic Standalone Operator starts it as soon as it is applied: keep its Deployment at zero replicas (`kubectl scale`); `move` \
                 scales it up when the source's Ironic has stopped"
                    .to_owned(),
            );
            if settings.leases != Carried::Nothing {
                notes.push(
                    "the leases come by spec.overrides: the operator needs its feature gate Overrides, or they are lost".to_owned(),
                );
            }
        }
    }
    notes
}
