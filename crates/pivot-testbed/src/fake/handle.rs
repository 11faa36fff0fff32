//! From a request to the part of the server that answers it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    Call, Target, Verb,
    answer::Answer,
    discovery,
    failure::Failure,
    resource::Resource,
    store::{Slot, World},
};

impl World {
    pub(super) fn handle(&mut self, call: &Call) -> Result<Answer, Failure> {
        if call.verb == Verb::NonResource {
            return Ok(discovery::answer(self, call));
        }
        if call.group == "authorization.k8s.io" && call.plural == "selfsubjectaccessreviews" {
            return self.review_access(call);
        }
        let resource = self.resource(&call.group, &call.plural);
        let Some((resource, version)) =
            resource.as_ref().and_then(|r| Some((Arc::clone(r), r.version(&call.version)?)))
        else {
            return self.unserved(call);
        };
        let collection = matches!(call.verb, Verb::List | Verb::Watch);
        let misplaced = resource.namespaced && call.namespace.is_empty() && !collection
            || !resource.namespaced && !call.namespace.is_empty() && !resource.is("", "Namespace");
        let subresource = match call.subresource.as_str() {
            "" => true,
            "status" => version.status && matches!(call.verb, Verb::Get | Verb::Update | Verb::Patch),
            _ => false,
        };
        if misplaced {
            return self.unserved(call);
        }
        if !subresource {
            return if resource.builtin {
                self.unserved(call)
            } else {
                Err(Failure::not_found(&resource, &call.name))
            };
        }
        self.authorize(call, &resource)?;
        if call.verb.is_write() && call.malformed && call.verb != Verb::Patch {
            let message = format!(
                "the object provided is unrecognized (must be of type {}): couldn't get version/kind",
                resource.kind
            );
            return Err(Failure::bad_request(&message));
        }
        let slot = Slot::new(&resource, &call.namespace, &call.name);
        match call.verb {
            Verb::Get => {
                let object = self.get(&slot).ok_or_else(|| Failure::not_found(&resource, &call.name))?;
                Ok(Answer::object(200, call, &resource, &object))
            }
            Verb::List => self.list(call, &resource),
            Verb::Watch => self.subscribe(call, &resource),
            Verb::Create => self.create(call, &resource),
            Verb::Update => self.replace(call, &resource, &slot),
            Verb::Patch => self.patch(call, &resource, &slot),
            Verb::Delete => self.delete(call, &resource, &slot),
            Verb::DeleteCollection => self.delete_collection(call, &resource),
            Verb::NonResource => unreachable!("answered above"),
        }
    }

    fn unserved(&self, call: &Call) -> Result<Answer, Failure> {
        let builtin =
            self.resources.values().any(|resource| resource.builtin && resource.group == call.group);
        if builtin { Err(Failure::no_such_path()) } else { Ok(Answer::page_not_found()) }
    }

    fn authorize(&self, call: &Call, resource: &Resource) -> Result<(), Failure> {
        if !self.denied.iter().any(|target| target.matches(call)) {
            return Ok(());
        }
        let place = if resource.namespaced && !call.namespace.is_empty() {
            format!("in the namespace \"{}\"", call.namespace)
        } else {
            "at the cluster scope".to_owned()
        };
        let plural = if call.subresource.is_empty() {
            call.plural.clone()
        } else {
            format!("{}/{}", call.plural, call.subresource)
        };
        let why = format!(
            "User \"{}\" cannot {} resource \"{plural}\" in API group \"{}\" {place}",
            call.user, call.verb, call.group
        );
        // The name in the body of a create is not known where access is decided.
        let name = if call.verb == Verb::Create { "" } else { &call.name };
        Err(Failure::forbidden(resource, name, &why))
    }

    fn review_access(&self, call: &Call) -> Result<Answer, Failure> {
        let mut body = call.body.clone().ok_or_else(|| Failure::bad_request("no body"))?;
        let asked = &body["spec"]["resourceAttributes"];
        let text = |field: &str| asked[field].as_str().unwrap_or_default().to_owned();
        let (group, plural) = (text("group"), text("resource"));
        let about = Call {
            kind: self.resource(&group, &plural).map(|r| r.kind.clone()).unwrap_or_default(),
            group,
            plural,
            subresource: text("subresource"),
            namespace: text("namespace"),
            name: text("name"),
            ..call.clone()
        };
        let denies = |target: &Target| target.matches_access(&text("verb"), &about);
        let allowed = !self.denied.iter().any(denies);
        body["metadata"] = json!({});
        body["status"] = json!({"allowed": allowed});
        Ok(Answer::Json { code: 201, body, warnings: Vec::new() })
    }
}

/// What `fieldValidation` says of fields that the schema does not know: refuse, warn or be silent.
pub(super) enum Unknown {
    Refused(String),
    Warned(Vec<String>),
}

impl Unknown {
    pub(super) fn judge(call: &Call, fields: &[String]) -> Self {
        let texts: Vec<_> = fields.iter().map(|field| format!("unknown field \"{field}\"")).collect();
        match call.query("fieldValidation") {
            "Strict" if !texts.is_empty() => {
                Self::Refused(format!("strict decoding error: {}", texts.join(", ")))
            }
            "Ignore" => Self::Warned(Vec::new()),
            _ => Self::Warned(texts),
        }
    }
}

/// The body of a create or a replace: an object of the resource's kind.
pub(super) fn object_of(call: &Call, resource: &Resource) -> Result<Value, Failure> {
    let object = call.body.clone().filter(Value::is_object).unwrap_or_else(|| json!({}));
    let expected = resource.api_version(&call.version);
    let given = object["apiVersion"].as_str().unwrap_or_default();
    let kind = object["kind"].as_str().unwrap_or_default();
    if given.is_empty() || kind.is_empty() {
        let message = format!(
            "the object provided is unrecognized (must be of type {}): couldn't get version/kind",
            resource.kind
        );
        return Err(Failure::bad_request(&message));
    }
    if given != expected || kind != resource.kind {
        let message = format!(
            "the API version in the data ({given}, {kind}) does not match the expected API version ({expected}, {})",
            resource.kind
        );
        return Err(Failure::bad_request(&message));
    }
    Ok(object)
}
