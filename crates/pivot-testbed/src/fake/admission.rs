//! Admission: a test's own say in who may write what.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Verb, failure::Failure, resource::Resource, store::World};

/// A write that is about to happen.
#[derive(Debug)]
pub struct Review<'a> {
    /// What it does.
    pub verb: Verb,
    /// Who writes; the garbage collector is `system:serviceaccount:kube-system:generic-garbage-collector`.
    pub user: &'a str,
    /// Impersonated extra attributes of the writer.
    pub extra: &'a BTreeMap<String, String>,
    /// API group.
    pub group: &'a str,
    /// Kind.
    pub kind: &'a str,
    /// For example `status`.
    pub subresource: &'a str,
    /// Namespace.
    pub namespace: &'a str,
    /// Name.
    pub name: &'a str,
    /// What the object becomes; `None` for a delete.
    pub object: Option<&'a Value>,
    /// What the object is; `None` for a create.
    pub old: Option<&'a Value>,
}

/// Allows a write, or says why not.
pub(super) type Admission = Box<dyn Fn(&Review<'_>) -> Result<(), String> + Send>;

impl World {
    /// Refuses as a `ValidatingAdmissionPolicy` does: with code 422.
    pub(super) fn admit(&self, resource: &Resource, review: &Review<'_>) -> Result<(), Failure> {
        for admission in &self.admission {
            if let Err(why) = admission(review) {
                let mut failure = Failure::forbidden(resource, review.name, &why);
                failure.code = 422;
                failure.status["code"] = 422.into();
                failure.status["reason"] = "Invalid".into();
                return Err(failure);
            }
        }
        Ok(())
    }
}
