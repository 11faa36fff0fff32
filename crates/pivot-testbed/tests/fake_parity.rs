//! The fake API server answers as the real one does.
//!
//! One list of requests goes to both; codes, bodies and the order in which uids and resource versions change must be equal.
//! What only one side can know is replaced: times, and uids and resource versions by the order of their first appearance.

use std::{collections::BTreeMap, time::Duration};

use http::Request;
use http_body_util::BodyExt;
use kube::{Client, client::Body};
use pivot_testbed::{
    assets_or_skip,
    client::{PlaneClient, Progress, wait_until},
    crds,
    dump::{Key, dump},
    fake::{CrdSpec, FakeServer},
    fixture::{self, Fixture, FixtureOptions},
    kind::Gvk,
    plane::{Pair, Plane, PlaneOptions},
    unique_name,
};
use serde_json::{Value, json};

const JSON: &str = "application/json";
const MERGE: &str = "application/merge-patch+json";
const PATCH: &str = "application/json-patch+json";
const APPLY: &str = "application/apply-patch+yaml";
const PARTIAL: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
const PARTIALS: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

const WIDGETS: &str = "/apis/example.io/v1/namespaces/parity/widgets";
const PLAIN: &str = "/apis/example.io/v1/namespaces/parity/plains";
const SECRETS: &str = "/api/v1/namespaces/parity/secrets";

fn kinds() -> [CrdSpec; 2] {
    let schema = json!({"type": "object", "properties": {
        "spec": {"type": "object", "required": ["size"], "properties": {
            "size": {"type": "integer"},
            "mode": {"type": "string", "enum": ["a", "b"], "default": "a"},
            "list": {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "string"}}}}}},
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}});
    [
        CrdSpec::new("example.io", "Widget", "v1").also_served_as("v1beta1").schema(schema),
        CrdSpec::new("example.io", "Plain", "v1").without_status_subresource(),
    ]
}

/// One request. `$uid:NAME` and `$rv:NAME` stand for those of the Widget of that name as it was last seen.
struct Step {
    method: &'static str,
    path: String,
    content_type: &'static str,
    accept: &'static str,
    body: Option<Value>,
    /// Whether the message, beside code and reason, must be equal, too.
    wording: bool,
}

fn step(method: &'static str, path: impl Into<String>) -> Step {
    let path = path.into();
    Step { method, path, content_type: JSON, accept: JSON, body: None, wording: true }
}

impl Step {
    fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    fn accept(mut self, accept: &'static str) -> Self {
        self.accept = accept;
        self
    }

    fn any_wording(mut self) -> Self {
        self.wording = false;
        self
    }
}

fn get(path: impl Into<String>) -> Step {
    step("GET", path)
}

fn post(path: impl Into<String>, body: Value) -> Step {
    step("POST", path).body(body)
}

fn put(path: impl Into<String>, body: Value) -> Step {
    step("PUT", path).body(body)
}

fn patch(content_type: &'static str, path: impl Into<String>, body: Value) -> Step {
    Step { content_type, ..step("PATCH", path).body(body) }
}

fn delete(path: impl Into<String>, options: Value) -> Step {
    step("DELETE", path).body(options)
}

fn object(kind: &str, metadata: Value, rest: Value) -> Value {
    let mut object = json!({"apiVersion": "example.io/v1", "kind": kind});
    object["metadata"] = metadata;
    if let (Some(fields), Value::Object(rest)) = (object.as_object_mut(), rest) {
        fields.extend(rest);
    }
    object
}

fn widget(metadata: Value, rest: Value) -> Value {
    object("Widget", metadata, rest)
}

fn secret(metadata: Value, rest: Value) -> Value {
    let mut secret = object("Secret", metadata, rest);
    secret["apiVersion"] = "v1".into();
    secret
}

fn named(name: &str) -> Value {
    json!({"name": name})
}

fn size(size: i64) -> Value {
    json!({"spec": {"size": size}})
}

/// What a pivot depends on, and what it must survive.
fn steps() -> Vec<Step> {
    let at = |name: &str| format!("{WIDGETS}/{name}");
    let as_manager = |name: &str, manager: &str| format!("{WIDGETS}/{name}?fieldManager={manager}");
    let owner = |uid: &str| json!({"apiVersion": "v1", "kind": "Secret", "name": "y", "uid": uid});
    let mut steps = vec![
        // Creates.
        post(
            format!("{WIDGETS}?fieldManager=me"),
            widget(
                json!({"name": "a", "uid": "given", "creationTimestamp": "2020-01-01T00:00:00Z", "generation": 7,
                    "managedFields": [{"manager": "old", "operation": "Update", "apiVersion": "example.io/v1",
                        "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {}}}]}),
                json!({"spec": {"size": 1, "bogus": 2, "list": [{"x": "1", "y": 2}]}, "status": {"a": 1}}),
            ),
        ),
        post(
            format!("{WIDGETS}?fieldValidation=Strict"),
            widget(
                json!({"name": "b", "odd": 1}),
                json!({"spec": {"size": 1, "bogus": 2, "list": [{"x": "1", "y": 2}]}, "other": 1}),
            ),
        ),
        post(WIDGETS, widget(named("a"), size(1))),
        post(WIDGETS, widget(json!({"name": "a", "generateName": "a-"}), size(1))),
        post(WIDGETS, widget(named("b"), json!({"spec": {"size": "x"}}))),
        post(WIDGETS, widget(named("b"), json!({"spec": {"size": 1, "mode": "c"}}))),
        post(WIDGETS, widget(named("b"), json!({"spec": {}}))),
        post(WIDGETS, widget(json!({"name": "b", "namespace": "elsewhere"}), size(1))),
        post(WIDGETS, widget(json!({}), size(1))),
        post(WIDGETS, widget(json!({"name": "b", "resourceVersion": "5"}), size(1))),
        post(WIDGETS, widget(json!({"name": "b", "ownerReferences": [owner("")]}), size(1))),
        post("/apis/example.io/v1/namespaces/absent/widgets", widget(named("b"), size(1))),
        post("/apis/example.io/v1/widgets", widget(named("b"), size(1))),
        post(format!("{WIDGETS}?dryRun=All"), widget(named("dry"), size(1))),
        get(at("dry")),
        post(WIDGETS, widget(json!({"name": "owned", "ownerReferences": [owner("1")]}), size(1))),
        post(WIDGETS, widget(named("partial"), size(1))).accept(PARTIAL),
        post(
            PLAIN,
            object("Plain", named("p"), json!({"any": {"thing": [1, null]}, "status": {"kept": true}})),
        ),
        // Paths that name nothing.
        get(at("none")),
        get("/apis/example.io/v1/gadgets"),
        get("/apis/absent.io/v1/gadgets"),
        get("/api/v1/gadgets").any_wording(),
        get("/absent"),
        // Reads.
        get(WIDGETS),
        get(format!("{WIDGETS}?limit=1")),
        get(format!("{WIDGETS}?limit=1")).accept(PARTIALS),
        get("/apis/example.io/v1beta1/namespaces/parity/widgets/a"),
        get(at("a")).accept(PARTIAL),
        get(format!("{WIDGETS}?labelSelector=a%20b")).any_wording(),
        get(format!("{WIDGETS}?fieldSelector=spec.size%3D1")),
        get(format!("{WIDGETS}?fieldSelector=metadata.name%3Downed")),
        get(format!("{WIDGETS}?limit=1&continue=garbage")).any_wording(),
        // Patches and their guards.
        patch(MERGE, at("a"), json!({"metadata": {"uid": "wrong", "labels": {"a": "b"}}})).any_wording(),
        patch(MERGE, at("a"), json!({"metadata": {"resourceVersion": "1", "labels": {"a": "b"}}})),
        patch(MERGE, at("a"), json!({"metadata": {"resourceVersion": null, "labels": {"a": "b"}}})),
        patch(MERGE, at("a"), json!({"metadata": {"name": "other"}})),
        patch(MERGE, at("none"), json!({"metadata": {"labels": {"a": "b"}}})),
        patch(PATCH, at("a"), json!([{"op": "test", "path": "/metadata/uid", "value": "wrong"}])),
        patch(PATCH, at("a"), json!([{"op": "remove", "path": "/metadata/annotations/absent"}])),
        patch("application/strategic-merge-patch+json", at("a"), json!({})),
        patch(
            MERGE,
            as_manager("a", "second"),
            json!({"metadata": {"labels": {"a": "b"}}, "spec": {"size": 2}}),
        ),
        patch(
            MERGE,
            as_manager("a", "second"),
            json!({"metadata": {"labels": {"a": "b"}}, "spec": {"size": 2}}),
        ),
        patch(
            MERGE,
            as_manager("a", "second"),
            json!({"metadata": {"annotations": {"one": "1", "two": "2"}}}),
        ),
        patch(
            PATCH,
            as_manager("a", "second"),
            json!([{"op": "test", "path": "/metadata/uid", "value": "$uid:a"},
                {"op": "add", "path": "/metadata/annotations", "value": {"three": "3"}}]),
        ),
        patch(
            MERGE,
            at("a"),
            json!({"metadata": {"generation": 77, "creationTimestamp": "2020-01-01T00:00:00Z"}}),
        ),
        patch(MERGE, format!("{}?fieldValidation=Strict", at("a")), json!({"spec": {"bogus": 1}}))
            .any_wording(),
        patch(MERGE, at("a"), json!({"spec": {"bogus": 1}})),
        patch(MERGE, at("a"), json!({"status": {"ignored": true}})),
        // Status.
        patch(
            MERGE,
            format!("{}/status?fieldManager=third", at("a")),
            json!({"spec": {"size": 3}, "status": {"observedGeneration": 7}}),
        ),
        patch(
            MERGE,
            format!("{}/status", at("a")),
            json!({"metadata": {"resourceVersion": "1"}, "status": {"b": 1}}),
        ),
        patch(
            MERGE,
            format!("{}/status", at("a")),
            json!({"metadata": {"uid": "wrong"}, "status": {"b": 1}}),
        ),
        patch(
            PATCH,
            format!("{}/status", at("a")),
            json!([{"op": "test", "path": "/metadata/uid", "value": "wrong"},
                {"op": "add", "path": "/status/b", "value": 1}]),
        ),
        put(
            format!("{}/status", at("a")),
            widget(
                json!({"name": "a", "resourceVersion": "$rv:a"}),
                json!({"spec": {"size": 9}, "status": {"c": 1}}),
            ),
        ),
        put(
            format!("{}/status", at("a")),
            widget(named("a"), json!({"spec": {"size": 1}, "status": {"d": 1}})),
        ),
        put(
            format!("{}/status", at("a")),
            widget(json!({"name": "a", "uid": "wrong", "resourceVersion": "$rv:a"}), size(1)),
        )
        .any_wording(),
        get(format!("{}/status", at("a"))),
        get(format!("{PLAIN}/p/status")),
        patch(MERGE, format!("{PLAIN}/p"), json!({"status": {"kept": false}})),
        // Field managers.
        patch(
            MERGE,
            as_manager("a", "fifth"),
            json!({"metadata": {"managedFields": [{"manager": "old", "operation": "Apply", "apiVersion": "example.io/v1",
                "time": "2020-01-01T00:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:size": {}}}}]}}),
        ),
        patch(APPLY, as_manager("ssa", "x"), widget(named("ssa"), size(1))),
        patch(APPLY, as_manager("ssa", "x"), widget(named("ssa"), size(1))),
        patch(APPLY, as_manager("ssa", "y"), widget(named("ssa"), size(2))).any_wording(),
        patch(APPLY, format!("{}&force=true", as_manager("ssa", "y")), widget(named("ssa"), size(2))),
        patch(
            APPLY,
            format!("{PLAIN}/ssa?fieldManager=x"),
            object(
                "Plain",
                json!({"name": "ssa", "labels": {"a": "b"}}),
                json!({"mode": "a", "more": {"x": 1}}),
            ),
        ),
        patch(
            APPLY,
            format!("{PLAIN}/ssa?fieldManager=x"),
            object("Plain", named("ssa"), json!({"mode": "a"})),
        ),
        // Replaces.
        put(at("a"), widget(named("a"), size(1))),
        put(at("a"), widget(json!({"name": "a", "resourceVersion": "1"}), size(1))),
        put(at("a"), widget(json!({"name": "a", "uid": "wrong", "resourceVersion": "$rv:a"}), size(1)))
            .any_wording(),
        put(at("a"), widget(json!({"name": "b", "resourceVersion": "$rv:a"}), size(1))),
        put(at("none"), widget(json!({"name": "none", "resourceVersion": "1"}), size(1))),
        put(at("a"), widget(json!({"name": "a", "resourceVersion": "$rv:a"}), size(4))),
        // Deletes and finalizers.
        delete(at("a"), json!({"preconditions": {"uid": "wrong"}})),
        delete(at("a"), json!({"preconditions": {"uid": "$uid:a", "resourceVersion": "1"}})),
        patch(MERGE, at("a"), json!({"metadata": {"finalizers": ["e.io/f"]}})),
        delete(at("a"), json!({"preconditions": {"uid": "$uid:a", "resourceVersion": "$rv:a"}})),
        delete(at("a"), json!({})),
        patch(MERGE, at("a"), json!({"metadata": {"finalizers": ["e.io/f", "e.io/g"]}})).any_wording(),
        patch(MERGE, at("a"), json!({"metadata": {"deletionTimestamp": null}})),
        patch(MERGE, at("a"), json!({"metadata": {"finalizers": []}})),
        get(at("a")),
        delete(at("a"), json!({})),
        delete(at("owned"), json!({"preconditions": {"uid": "$uid:owned"}})),
        delete(at("partial"), json!({"propagationPolicy": "Foreground"})).accept(PARTIAL),
        delete(at("ssa"), json!({"propagationPolicy": "Orphan"})),
        delete(WIDGETS, json!({})),
        delete(PLAIN, json!({})),
        get(PLAIN),
    ];
    steps.extend(builtin_steps());
    steps
}

/// Built-in kinds differ from custom ones in details.
fn builtin_steps() -> Vec<Step> {
    let lease = |metadata: Value, holder: &str| {
        let mut lease = object("Lease", metadata, json!({"spec": {"holderIdentity": holder}}));
        lease["apiVersion"] = "coordination.k8s.io/v1".into();
        lease
    };
    let leases = "/apis/coordination.k8s.io/v1/namespaces/parity/leases";
    let namespace = |name: &str| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"a": "b"}}});
    vec![
        post(SECRETS, secret(named("s"), json!({"stringData": {"a": "b"}}))),
        post(format!("{SECRETS}?fieldValidation=Strict"), secret(named("t"), json!({"bogus": 1}))),
        get(SECRETS),
        patch(MERGE, format!("{SECRETS}/s"), json!({"type": "other"})),
        put(format!("{SECRETS}/s"), secret(named("s"), json!({"data": {"c": "ZA=="}}))),
        patch(MERGE, format!("{SECRETS}/s"), json!({"immutable": true})),
        patch(MERGE, format!("{SECRETS}/s"), json!({"data": {"a": "eHg="}})),
        delete(format!("{SECRETS}/s"), json!({"preconditions": {"uid": "wrong"}})),
        delete(format!("{SECRETS}/s"), json!({})),
        post(leases, lease(named("l"), "x")),
        put(format!("{leases}/l"), lease(named("l"), "y")),
        post("/api/v1/namespaces", namespace("ending")),
        post("/api/v1/namespaces", namespace("ending")),
        patch(MERGE, "/api/v1/namespaces/ending", json!({"metadata": {"annotations": {"c": "d"}}})),
        delete("/api/v1/namespaces/ending", json!({})),
        delete("/api/v1/namespaces/ending", json!({})),
        post("/apis/example.io/v1/namespaces/ending/widgets", widget(named("late"), size(1))),
        post("/api/v1/namespaces/ending/secrets", secret(named("late"), json!({}))),
    ]
}

/// Replaces what only one side can know.
#[derive(Default)]
struct Veil {
    uids: Vec<String>,
    versions: Vec<String>,
    /// Uid and resource version of Widgets by name.
    seen: BTreeMap<String, (String, String)>,
}

fn token(known: &mut Vec<String>, kind: &str, value: &Value) -> Value {
    let text = value.as_str().unwrap_or_default().to_owned();
    let at = known.iter().position(|own| *own == text).unwrap_or_else(|| {
        known.push(text);
        known.len() - 1
    });
    format!("{kind}#{at}").into()
}

impl Veil {
    fn fill(&self, body: &Value) -> Value {
        let mut text = body.to_string();
        for (name, (uid, version)) in &self.seen {
            text = text.replace(&format!("$uid:{name}\""), &format!("{uid}\""));
            text = text.replace(&format!("$rv:{name}\""), &format!("{version}\""));
        }
        serde_json::from_str(&text).expect("a filled body is JSON")
    }

    fn note(&mut self, reply: &Value) {
        if reply["kind"] == "Widget"
            && let (Some(name), Some(uid), Some(version)) = (
                reply["metadata"]["name"].as_str(),
                reply["metadata"]["uid"].as_str(),
                reply["metadata"]["resourceVersion"].as_str(),
            )
        {
            self.seen.insert(name.to_owned(), (uid.to_owned(), version.to_owned()));
        }
    }

    fn cover(&mut self, reply: &mut Value, dry_run: bool) {
        match reply {
            Value::Array(elements) => elements.iter_mut().for_each(|e| self.cover(e, dry_run)),
            Value::Object(fields) => {
                for (field, value) in fields {
                    match field.as_str() {
                        "uid" if dry_run => *value = "fresh".into(),
                        "uid" if value.is_string() => *value = token(&mut self.uids, "uid", value),
                        "resourceVersion" if value.is_string() => {
                            *value = token(&mut self.versions, "version", value);
                        }
                        "creationTimestamp" | "deletionTimestamp" => *value = value.is_string().into(),
                        "managedFields" => *value = managers(value),
                        "message" => *value = self.cover_text(value.as_str().unwrap_or_default()).into(),
                        _ => self.cover(value, dry_run),
                    }
                }
            }
            _ => {}
        }
    }

    fn cover_text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (at, uid) in self.uids.iter().enumerate().filter(|(_, uid)| uid.len() > 10) {
            text = text.replace(uid, &format!("uid#{at}"));
        }
        for (at, version) in self.versions.iter().enumerate() {
            text = text.replace(&format!("({version})"), &format!("(version#{at})"));
        }
        text
    }
}

/// Without times; whose they are must be equal, and for custom kinds what they own.
fn managers(entries: &Value) -> Value {
    let entries = entries.as_array().into_iter().flatten().map(|entry| {
        let mut entry = entry.clone();
        entry["time"] = entry["time"].is_string().into();
        // The fake knows no schemas of built-in kinds.
        if entry["apiVersion"] != "example.io/v1" {
            entry["fieldsV1"] = Value::Null;
        }
        // Whether an applied map is owned itself depends on its schema.
        if entry["operation"] == "Apply" {
            undot(&mut entry["fieldsV1"]);
        }
        // The real server falls back to the user agent.
        if entry["manager"] == "parity" {
            entry["manager"] = "unknown".into();
        }
        entry
    });
    let mut entries: Vec<_> = entries.collect();
    entries.sort_by_key(Value::to_string);
    entries.into()
}

fn undot(fields: &mut Value) {
    if let Some(fields) = fields.as_object_mut() {
        fields.remove(".");
        fields.values_mut().for_each(undot);
    }
}

async fn send(client: &Client, step: &Step, veil: &mut Veil) -> String {
    let body = step.body.as_ref().map(|body| veil.fill(body).to_string().into_bytes()).unwrap_or_default();
    let request = Request::builder()
        .method(step.method)
        .uri(&step.path)
        .header("content-type", step.content_type)
        .header("accept", step.accept)
        .header("user-agent", "parity")
        .body(Body::from(body))
        .expect("a step makes a request");
    let reply = client.send(request).await.expect("an answer");
    let code = reply.status().as_u16();
    let bytes = reply.into_body().collect().await.expect("a whole answer").to_bytes();
    let shown = match serde_json::from_slice::<Value>(&bytes) {
        Err(_) => String::from_utf8_lossy(&bytes).into_owned(),
        Ok(mut reply) => {
            veil.note(&reply);
            veil.cover(&mut reply, step.path.contains("dryRun"));
            if !step.wording {
                reply = json!({"code": reply["code"], "reason": reply["reason"]});
            }
            if reply["metadata"]["continue"].as_str().is_some_and(|token| !token.is_empty()) {
                reply["metadata"]["continue"] = "token".into();
            }
            format!("{reply:#}")
        }
    };
    format!("{code} {shown}")
}

async fn transcript(client: &Client) -> Vec<(String, String)> {
    let mut veil = Veil::default();
    let mut told = Vec::new();
    for step in steps() {
        let answer = send(client, &step, &mut veil).await;
        let body = step.body.map(|body| body.to_string()).unwrap_or_default();
        told.push((format!("{} {} {body}", step.method, step.path), answer));
    }
    told
}

async fn prepare(client: &PlaneClient) {
    client.ensure_namespace("parity").await.expect("a namespace");
    for kind in kinds() {
        client.create(&kind.manifest(), "parity").await.expect("a CRD");
    }
    for (kind, path) in [("Widget", WIDGETS), ("Plain", PLAIN)] {
        wait_until("the CRDs to be served", Duration::from_secs(300), async || {
            let kind = Gvk::new("example.io", "v1", kind);
            // A path may be served a little before every version of it is.
            let beta = path.replace("/v1/", "/v1beta1/");
            let paths =
                if kind.kind == "Widget" { vec![path.to_owned(), beta] } else { vec![path.to_owned()] };
            for path in paths {
                if let Err(error) = client.get_text(&path).await {
                    return Ok(Progress::Pending(error.to_string()));
                }
            }
            Ok(match client.served(&kind).await {
                Ok(_) => Progress::Done(()),
                Err(error) => Progress::Pending(error.to_string()),
            })
        })
        .await
        .expect("both CRDs are served");
    }
}

/// The lines that only one of two texts has.
fn difference(real: &str, fake: &str) -> String {
    let only = |mark: &str, text: &str, other: &str| -> String {
        let lines = text.lines().filter(|line| !other.lines().any(|own| own == *line));
        lines.flat_map(|line| [mark, line, "\n"]).collect()
    };
    only("  real ", real, fake) + &only("  fake ", fake, real)
}

#[tokio::test]
async fn the_fake_answers_as_the_real_one() {
    let assets = assets_or_skip!();
    let plane = Plane::start(&assets, "parity", &PlaneOptions::bare()).await.unwrap();
    let real = plane.client().await.unwrap();
    prepare(&real).await;
    let fake = PlaneClient::new(FakeServer::new("parity").client());
    prepare(&fake).await;

    let differing: Vec<_> = transcript(real.kube())
        .await
        .into_iter()
        .zip(transcript(fake.kube()).await)
        .filter(|(real, fake)| real != fake)
        .map(|((request, real), (_, fake))| format!("{request}\n{}", difference(&real, &fake)))
        .collect();
    assert!(differing.is_empty(), "{} answers differ:\n{}", differing.len(), differing.join("\n"));
}

/// The objects of a namespace without what a cluster assigns: uids are replaced by the names of their objects, and times,
/// resource versions and field managers left out.
async fn content(client: &PlaneClient, namespace: &str) -> BTreeMap<Key, String> {
    let dump = dump(client).await.expect("a dump").in_namespace(namespace);
    let names: Vec<_> = dump
        .iter()
        .map(|(key, object)| {
            (object["metadata"]["uid"].as_str().unwrap_or_default().to_owned(), key.to_string())
        })
        .collect();
    let of_the_cluster =
        |key: &Key| key.name == "kube-root-ca.crt" || key.kind == "ServiceAccount" && key.name == "default";
    dump.iter()
        .filter(|(key, _)| !of_the_cluster(key))
        .map(|(key, object)| {
            let mut object = object.clone();
            for field in ["creationTimestamp", "resourceVersion", "managedFields"] {
                object["metadata"][field] = Value::Null;
            }
            // A host remembers the resource versions of the credentials that were tried.
            for credentials in ["goodCredentials", "triedCredentials"] {
                if let Some(version) =
                    object.pointer_mut(&format!("/status/{credentials}/credentialsVersion"))
                {
                    *version = Value::Null;
                }
            }
            let plain = names.iter().fold(format!("{object:#}"), |text, (uid, name)| text.replace(uid, name));
            (key.clone(), plain)
        })
        .collect()
}

#[tokio::test]
async fn the_fake_keeps_a_metal3_cluster_as_the_real_one() {
    let assets = assets_or_skip!();
    let namespace = unique_name("kept");
    let fixture = Fixture::new(FixtureOptions::small().in_namespace(&namespace).with_cluster_class());
    let pair = Pair::shared(&assets).await.unwrap();
    let real = pair.source.client().await.unwrap();
    let server = FakeServer::new("kept");
    server.load(crds::read(&assets).unwrap());
    let fake = PlaneClient::new(server.client());
    for client in [&real, &fake] {
        fixture::load(client, &fixture).await.unwrap();
    }
    let (real, fake) = (content(&real, &namespace).await, content(&fake, &namespace).await);
    assert_eq!(real.keys().collect::<Vec<_>>(), fake.keys().collect::<Vec<_>>());
    assert!(real.len() > 30, "the fixture is not empty: {}", real.len());
    let differing: Vec<_> = real
        .iter()
        .filter(|(key, object)| fake[*key] != **object)
        .map(|(key, object)| format!("{key}\n{}", difference(object, &fake[key])))
        .collect();
    assert!(differing.is_empty(), "{} objects differ:\n{}", differing.len(), differing.join("\n"));
}
