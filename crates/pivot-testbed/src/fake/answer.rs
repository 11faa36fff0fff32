//! Replies, before they become HTTP.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Call, resource::Resource, watch::Subscription};

/// What the server answers.
#[derive(Debug)]
pub(super) enum Answer {
    /// A JSON document and the texts of `Warning` headers.
    Json { code: u16, body: Value, warnings: Vec<String> },
    /// Plain text.
    Text { code: u16, body: &'static str },
    /// A stream of events.
    Watch(Box<Subscription>),
}

impl Answer {
    pub(super) fn ok(body: Value) -> Self {
        Self::Json { code: 200, body, warnings: Vec::new() }
    }

    /// What the API server says of paths outside its own groups, resources of CustomResourceDefinitions among them.
    pub(super) fn page_not_found() -> Self {
        Self::Text { code: 404, body: "404 page not found\n" }
    }

    /// The object as the call asked for it: in its version, whole or metadata alone.
    pub(super) fn object(code: u16, call: &Call, resource: &Resource, object: &Value) -> Self {
        Self::Json { code, body: present(call, resource, object), warnings: Vec::new() }
    }

    pub(super) fn with_warnings(mut self, texts: Vec<String>) -> Self {
        if let Self::Json { warnings, .. } = &mut self {
            *warnings = texts;
        }
        self
    }
}

/// The object as the call asked for it.
pub(super) fn present(call: &Call, resource: &Resource, object: &Value) -> Value {
    if call.metadata_only {
        return json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
            "metadata": object["metadata"]});
    }
    let mut object = object.clone();
    object["apiVersion"] = resource.api_version(&call.version).into();
    object["kind"] = resource.kind.clone().into();
    object
}

/// A collection as the call asked for it.
pub(super) fn present_list(
    call: &Call,
    resource: &Resource,
    metadata: &Value,
    objects: &[Arc<Value>],
) -> Value {
    let (kind, api_version) = if call.metadata_only {
        ("PartialObjectMetadataList".to_owned(), "meta.k8s.io/v1".to_owned())
    } else {
        (resource.list_kind.clone(), resource.api_version(&call.version))
    };
    let items: Vec<_> = objects
        .iter()
        .map(|object| {
            let mut item = present(call, resource, object);
            // Lists of built-in kinds do not repeat the kind in every item.
            if resource.builtin && !call.metadata_only {
                let fields = item.as_object_mut().expect("BUG: an object is a JSON object");
                fields.remove("apiVersion");
                fields.remove("kind");
            }
            item
        })
        .collect();
    let mut metadata = metadata.clone();
    // Custom kinds end their last page with an empty token, where built-in kinds have none.
    if !resource.builtin && !call.metadata_only && metadata["continue"].is_null() {
        metadata["continue"] = "".into();
    }
    json!({"kind": kind, "apiVersion": api_version, "metadata": metadata, "items": items})
}
