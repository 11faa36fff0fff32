//! The admission policy, its binding, its canary, and its words.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::identity::{ID_EXTRA, TOKEN_EXTRA};
use super::scope::{FenceRule, FenceScope, Spared};
use crate::kind::GroupKind;
use crate::marks;
use crate::object::{Manifest, ObjectKey};
use crate::record::NAMESPACE;

/// Group of policies and bindings.
const GROUP: &str = "admissionregistration.k8s.io";
/// Kind of the policy.
pub const POLICY: &str = "ValidatingAdmissionPolicy";
/// Kind of its binding.
pub const BINDING: &str = "ValidatingAdmissionPolicyBinding";

/// Every name of ours begins like this.
const PREFIX: &str = "pivotctl-";
/// What a refusal by a fence says, up to the pivot's id; nobody else says so.
const MARK: &str = "behind the fence of pivot ";
/// What ends the id.
const MARK_END: char = ':';

/// Where the policy of a pivot is.
pub fn policy_key(pivot_id: &str) -> ObjectKey {
    ObjectKey::new(GroupKind::new(GROUP, POLICY), None, &name(pivot_id))
}

/// Where its binding is.
pub fn binding_key(pivot_id: &str) -> ObjectKey {
    ObjectKey::new(GroupKind::new(GROUP, BINDING), None, &name(pivot_id))
}

/// Where the canary would be. It never exists: its create is only tried.
pub fn canary_key(pivot_id: &str) -> ObjectKey {
    let name = format!("{PREFIX}canary-{pivot_id}");
    ObjectKey::new(GroupKind::new("", "ConfigMap"), Some(NAMESPACE), &name)
}

/// The canary.
pub fn canary(pivot_id: &str) -> Value {
    let key = canary_key(pivot_id);
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": key.name, "namespace": key.namespace}})
}

fn name(pivot_id: &str) -> String {
    format!("{PREFIX}{pivot_id}")
}

/// The pivot that a policy or binding belongs to; `None` for those of others.
pub fn pivot_of(object: &Manifest) -> Option<&str> {
    object.annotation(marks::PIVOT_ID).filter(|id| object.name() == name(id))
}

/// The policy: within the scope, only requests under the [`Identity`](super::Identity) with this id and token pass.
pub fn policy(scope: &FenceScope, pivot_id: &str, token: &str) -> Value {
    let mut policy = object(POLICY, pivot_id);
    policy["spec"] = json!({
        "failurePolicy": "Fail",
        "matchConstraints": {"matchPolicy": "Equivalent", "resourceRules": resource_rules(scope, pivot_id)},
        "matchConditions": match_conditions(scope, pivot_id),
        "validations": validations(pivot_id, token),
    });
    policy
}

/// A policy of this pivot as it stands, for another coordinator.
pub fn handed_over(mut policy: Value, pivot_id: &str, token: &str) -> Value {
    policy["spec"]["validations"] = validations(pivot_id, token);
    policy
}

fn validations(pivot_id: &str, token: &str) -> Value {
    json!([{
        "expression": has_identity(pivot_id, token),
        "message": denial(pivot_id),
        "reason": "Forbidden",
    }])
}

/// The token that a policy of ours asks for. The record may name another one: it is written first.
pub fn token_of(policy: &Manifest) -> Option<&str> {
    let expression = policy.pointer("/spec/validations/0/expression")?.as_str()?;
    let (_, rest) = expression.rsplit_once(&format!("[{}] == [\"", literal(TOKEN_EXTRA)))?;
    rest.strip_suffix("\"]")
}

/// The binding that puts the policy into force, in the namespaces of the scope.
pub fn binding(scope: &FenceScope, pivot_id: &str) -> Value {
    let mut binding = object(BINDING, pivot_id);
    binding["spec"] = json!({"policyName": name(pivot_id), "validationActions": ["Deny"]});
    if let Some(namespaces) = &scope.namespaces {
        let names: BTreeSet<&str> = namespaces.iter().map(String::as_str).chain([NAMESPACE]).collect();
        binding["spec"]["matchResources"] = json!({"namespaceSelector": {"matchExpressions": [
            {"key": "kubernetes.io/metadata.name", "operator": "In", "values": names}]}});
    }
    binding
}

fn object(kind: &str, pivot_id: &str) -> Value {
    json!({
        "apiVersion": format!("{GROUP}/v1"),
        "kind": kind,
        "metadata": {"name": name(pivot_id), "annotations": {marks::PIVOT_ID: pivot_id}},
    })
}

fn resource_rules(scope: &FenceScope, pivot_id: &str) -> Vec<Value> {
    let canary = canary_key(pivot_id).name;
    let canary_rule = FenceRule {
        group: String::new(),
        plural: "configmaps".to_owned(),
        names: Some(BTreeSet::from([canary])),
    };
    let mut rules: Vec<Value> = scope.rules.iter().chain([&canary_rule]).map(resource_rule).collect();
    if !scope.held.is_empty() {
        rules.push(json!({
            "apiGroups": [""], "apiVersions": ["*"], "resources": ["namespaces"], "resourceNames": scope.held,
            "operations": ["DELETE"],
        }));
    }
    rules
}

fn resource_rule(rule: &FenceRule) -> Value {
    let mut value = json!({
        "apiGroups": [rule.group],
        "apiVersions": ["*"],
        "resources": [rule.plural, format!("{}/*", rule.plural)],
        "operations": ["CREATE", "UPDATE", "DELETE"],
    });
    if let Some(names) = &rule.names {
        // The deletion of a whole collection carries no name, and would pass by the names.
        let names: Vec<&str> = [""].into_iter().chain(names.iter().map(String::as_str)).collect();
        value["resourceNames"] = json!(names);
    }
    value
}

/// What the resource rules cannot say.
fn match_conditions(scope: &FenceScope, pivot_id: &str) -> Vec<Value> {
    let namespace = r#"(has(request.namespace) ? request.namespace : "")"#;
    let name = r#"(has(request.name) ? request.name : "")"#;
    let (own, canary) = (literal(NAMESPACE), literal(&canary_key(pivot_id).name));
    // Our records are no part of the move.
    let mut conditions = vec![json!({
        "name": "not-a-record",
        "expression": format!("{namespace} != {own} || {name} == {canary}"),
    })];
    if !scope.spared.is_empty() {
        let path = |spared: &Spared| {
            literal(&format!("{}/{}/{}/{}", spared.group, spared.plural, spared.namespace, spared.name))
        };
        let paths: Vec<String> = scope.spared.iter().map(path).collect();
        let resource = r#"request.resource.group + "/" + request.resource.resource"#;
        conditions.push(json!({
            "name": "not-spared",
            "expression": format!(r#"!({resource} + "/" + {namespace} + "/" + {name} in [{}])"#, paths.join(", ")),
        }));
    }
    conditions
}

/// Most users have no extras at all, and asking a map for a key that it lacks is an error.
fn has_identity(pivot_id: &str, token: &str) -> String {
    let extra = "request.userInfo.extra";
    let holds = |key: &str, value: &str| {
        let (key, value) = (literal(key), literal(value));
        format!("{key} in {extra} && {extra}[{key}] == [{value}]")
    };
    format!("has({extra}) && {} && {}", holds(ID_EXTRA, pivot_id), holds(TOKEN_EXTRA, token))
}

/// A string in the language of the expressions, whose escapes are those of JSON.
fn literal(text: &str) -> String {
    Value::from(text).to_string()
}

fn denial(pivot_id: &str) -> String {
    format!(
        "{MARK}{pivot_id}{MARK_END} what it moves to another cluster may not be written by others until it has ended; \
         see `pivotctl status`, then `pivotctl resume --id {pivot_id}` or `pivotctl rollback --id {pivot_id}`"
    )
}

/// The pivot whose fence refused a request, by the API server's message; `None` where somebody else refused it.
pub fn denied_by(message: &str) -> Option<&str> {
    let (id, _) = denial_in(message)?.strip_prefix(MARK)?.split_once(MARK_END)?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    (!id.is_empty() && id.chars().all(is_name)).then_some(id)
}

/// Our own words in the API server's message, which names the object and the policy before them.
pub fn denial_in(message: &str) -> Option<&str> {
    message.find(MARK).map(|at| &message[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> FenceScope {
        let names = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>());
        FenceScope {
            rules: vec![
                FenceRule { group: String::new(), plural: "secrets".to_owned(), names: names(&["bmc-0"]) },
                FenceRule { group: "metal3.io".to_owned(), plural: "baremetalhosts".to_owned(), names: None },
            ],
            namespaces: names(&["metal3"]),
            held: BTreeSet::from(["metal3".to_owned()]),
            spared: BTreeSet::from([Spared {
                group: String::new(),
                plural: "secrets".to_owned(),
                namespace: "other".to_owned(),
                name: "bmc-0".to_owned(),
            }]),
        }
    }

    #[test]
    fn the_policy_says_what_it_covers_and_who_passes() {
        let policy = policy(&scope(), "p1", "t1");
        let spec = &policy["spec"];
        assert_eq!(
            (policy["metadata"]["name"].as_str(), spec["failurePolicy"].as_str()),
            (Some("pivotctl-p1"), Some("Fail"))
        );
        let constraints = &spec["matchConstraints"];
        let rules: Vec<_> = constraints["resourceRules"].as_array().unwrap().iter().collect();
        let shown: Vec<_> = rules.iter().map(|rule| (&rule["resources"], &rule["resourceNames"])).collect();
        assert_eq!(
            shown,
            [
                (&json!(["secrets", "secrets/*"]), &json!(["", "bmc-0"])),
                (&json!(["baremetalhosts", "baremetalhosts/*"]), &Value::Null),
                (&json!(["configmaps", "configmaps/*"]), &json!(["", "pivotctl-canary-p1"])),
                (&json!(["namespaces"]), &json!(["metal3"])),
            ]
        );
        assert_eq!(
            spec["validations"][0]["expression"],
            r#"has(request.userInfo.extra) && "pivot.metal3.io/id" in request.userInfo.extra && request.userInfo.extra["pivot.metal3.io/id"] == ["p1"] && "pivot.metal3.io/token" in request.userInfo.extra && request.userInfo.extra["pivot.metal3.io/token"] == ["t1"]"#
        );
        let spared = spec["matchConditions"][1]["expression"].as_str().unwrap();
        assert!(spared.contains(r#"in ["/secrets/other/bmc-0"]"#), "{spared}");
        assert_eq!(token_of(&Manifest::new(policy.clone())), Some("t1"));
        let taken = Manifest::new(handed_over(policy.clone(), "p1", "t2"));
        assert_eq!(token_of(&taken), Some("t2"));
        assert_eq!(taken.value()["spec"]["matchConstraints"], policy["spec"]["matchConstraints"]);
        let binding = binding(&scope(), "p1");
        let selector = &binding["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"][0];
        assert_eq!(selector["values"], json!(["metal3", "pivotctl-system"]));
        for object in [policy, binding] {
            assert_eq!(pivot_of(&Manifest::new(object)), Some("p1"));
        }
    }

    #[test]
    fn without_namespaces_the_rules_hold_everywhere() {
        let everywhere = FenceScope { namespaces: None, ..scope() };
        assert_eq!(
            binding(&everywhere, "p1")["spec"],
            json!({"policyName": "pivotctl-p1", "validationActions": ["Deny"]})
        );
    }

    #[test]
    fn an_id_cannot_leave_its_place_in_an_expression() {
        let expression = has_identity(r#"a"] || true || ["#, "t");
        assert!(expression.contains(r#"== ["a\"] || true || ["]"#), "{expression}");
    }

    #[test]
    fn a_policy_of_others_is_not_taken_for_ours() {
        let named = |name: &str| {
            Manifest::new(json!({"metadata": {"name": name, "annotations": {"pivot.metal3.io/id": "p1"}}}))
        };
        assert_eq!(pivot_of(&named("pivotctl-p1")), Some("p1"));
        assert_eq!(pivot_of(&named("pivotctl-p2")), None);
        assert_eq!(pivot_of(&Manifest::new(json!({"metadata": {"name": "pivotctl-p1"}}))), None);
    }

    #[test]
    fn our_own_refusals_are_recognised() {
        let id = "20261121-101500-a1b2c3";
        let message = format!(
            "machines.cluster.x-k8s.io \"m\" is forbidden: ValidatingAdmissionPolicy 'x' with binding 'x' denied request: {}",
            denial(id)
        );
        assert_eq!(denied_by(&message), Some(id));
        for foreign in
            ["denied request: no", "behind the fence of pivot ", "behind the fence of pivot a b: no"]
        {
            assert_eq!(denied_by(foreign), None, "{foreign}");
        }
    }
}
