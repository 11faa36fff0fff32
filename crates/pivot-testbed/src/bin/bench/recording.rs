//! A recorded pivot, made ready to be sent again about the same objects elsewhere.
//!
//! Uids and resource versions differ from cluster to cluster. Those of the source are known before the first request and put
//! in place beforehand; those that the target assigns become gaps, filled from the answers to earlier requests.

use std::collections::HashMap;

use http::Method;
use pivot_testbed::{
    audit::{Deed, Request},
    client::PlaneClient,
    kind::Gvk,
};
use serde_json::Value;

use crate::error::Result;

/// Stands in a body or path where a resource version goes.
const VERSION_MARK: &str = "\u{1}version\u{1}";
const UID_LENGTH: usize = 36;

/// Which cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum End {
    Source,
    Target,
}

/// Names an object, or a collection where the name is empty: on which end, group, resource, namespace, name.
type Line = (End, String, String, String, String);

/// What a cluster knows of the objects of a namespace.
#[derive(Debug, Default)]
pub(crate) struct Known(HashMap<Line, (String, String)>);

impl Known {
    /// Of objects of the source.
    pub(crate) async fn of(client: &PlaneClient, objects: &[Value]) -> Result<Self> {
        let mut known = HashMap::new();
        let text =
            |object: &Value, field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
        for object in objects {
            let Some(gvk) = Gvk::of(object) else { continue };
            let plural = client.served(&gvk).await?.plural;
            let line = (
                End::Source,
                gvk.group.into_owned(),
                plural,
                text(object, "namespace"),
                text(object, "name"),
            );
            known.insert(line, (text(object, "uid"), text(object, "resourceVersion")));
        }
        Ok(Self(known))
    }
}

/// A part of a body or path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    /// The uid that this request's answer brought.
    Uid(usize),
    /// The resource version that the request before on the same object or collection brought.
    Version,
    /// The token for the next page that the request before on the same collection brought.
    Continue,
}

/// A request to be sent.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) end: End,
    pub(crate) method: Method,
    pub(crate) uri: Vec<Piece>,
    pub(crate) content_type: &'static str,
    pub(crate) accept: &'static str,
    pub(crate) body: Vec<Piece>,
    /// Only the head of the answer is waited for.
    pub(crate) is_watch: bool,
    /// The request before on the same object or collection.
    pub(crate) previous: Option<usize>,
    /// Requests that must be through before.
    pub(crate) after: Vec<usize>,
}

/// Requests in the order in which they were recorded, cut into stretches: whole collections are read in one, single objects
/// are dealt with in the next. Each stretch rests on all before it, as the phases of a pivot do.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) stretches: Vec<Vec<Template>>,
    /// Where each stretch begins in the numbering of requests.
    pub(crate) starts: Vec<usize>,
}

/// Requests of both ends in the order in which they came in.
pub(crate) struct Recording {
    requests: Vec<(End, Request)>,
    known: Known,
}

impl Recording {
    /// What both ends logged of one pivot, and what the source held before it.
    pub(crate) fn new(source: Vec<Request>, target: Vec<Request>, known: Known) -> Self {
        let source = source.into_iter().map(|request| (End::Source, request));
        let target = target.into_iter().map(|request| (End::Target, request));
        let mut requests: Vec<_> = source.chain(target).collect();
        requests.sort_by(|(_, a), (_, b)| a.received.cmp(&b.received));
        Self { requests, known }
    }

    /// The same requests for a source that holds the same objects under other uids.
    pub(crate) fn script(&self, now: &Known) -> Script {
        let mut uids: HashMap<&str, Piece> = HashMap::new();
        for (line, (recorded, _)) in &self.known.0 {
            if let Some((uid, _)) = now.0.get(line) {
                uids.insert(recorded, Piece::Text(uid.clone()));
            }
        }
        let mut script = Script::default();
        let mut latest: HashMap<Line, usize> = HashMap::new();
        let mut namespaces: HashMap<(End, &str), usize> = HashMap::new();
        let mut reading = None;
        for (number, (end, request)) in self.requests.iter().enumerate() {
            let line = line(*end, request);
            let previous = latest.insert(line.clone(), number);
            let version =
                previous.is_none().then(|| now.0.get(&line)).flatten().map(|(_, version)| version.as_str());
            let body =
                request.body.as_ref().map(|body| body_pieces(body, &uids, version)).unwrap_or_default();
            let mut after: Vec<usize> = body
                .iter()
                .filter_map(|piece| if let Piece::Uid(creator) = piece { Some(*creator) } else { None })
                .collect();
            after.extend(previous);
            after.extend(namespaces.get(&(*end, request.object_ref.namespace.as_str())));
            if request.deed() == Deed::Create {
                if let Some(uid) = request.answer.as_ref().and_then(|answer| answer.metadata.uid.as_deref()) {
                    uids.insert(uid, Piece::Uid(number));
                }
                if request.object_ref.resource == "namespaces" {
                    namespaces.insert((*end, request.name()), number);
                }
            }
            let reads_collection = request.deed() == Deed::Read && request.object_ref.name.is_empty();
            if reading != Some(reads_collection) {
                reading = Some(reads_collection);
                script.stretches.push(Vec::new());
                script.starts.push(number);
            }
            let template = Template {
                end: *end,
                method: method(&request.verb),
                uri: uri_pieces(&request.uri, previous.is_some()),
                content_type: content_type(request),
                accept: accept(request),
                body,
                is_watch: request.verb == "watch",
                previous,
                after,
            };
            script.stretches.last_mut().expect("BUG: a stretch was begun").push(template);
        }
        script
    }
}

fn line(end: End, request: &Request) -> Line {
    let of = &request.object_ref;
    if of.resource.is_empty() {
        let path = request.uri.split('?').next().unwrap_or_default();
        return (end, String::new(), path.to_owned(), String::new(), String::new());
    }
    (end, of.api_group.clone(), of.resource.clone(), of.namespace.clone(), request.name().to_owned())
}

fn method(verb: &str) -> Method {
    match verb {
        "create" => Method::POST,
        "update" => Method::PUT,
        "patch" => Method::PATCH,
        "delete" | "deletecollection" => Method::DELETE,
        _ => Method::GET,
    }
}

/// The log does not tell media types; they follow from what was sent.
fn content_type(request: &Request) -> &'static str {
    match (&*request.verb, &request.body) {
        ("patch", Some(Value::Array(_))) => "application/json-patch+json",
        ("patch", _) if request.uri.contains("force=") => "application/apply-patch+yaml",
        ("patch", _) => "application/merge-patch+json",
        _ => "application/json",
    }
}

/// And from what came back.
fn accept(request: &Request) -> &'static str {
    match request.answer.as_ref().map(|answer| answer.kind.as_str()) {
        Some("PartialObjectMetadata") => "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
        Some("PartialObjectMetadataList") => {
            "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
        }
        _ if matches!(request.uri.as_str(), "/api" | "/apis") => {
            "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        }
        _ => "application/json",
    }
}

/// The path with gaps where a page token or the version of a list stands.
fn uri_pieces(uri: &str, follows: bool) -> Vec<Piece> {
    let Some((path, query)) = uri.split_once('?') else { return vec![Piece::Text(uri.to_owned())] };
    let mut pieces = vec![Piece::Text(path.to_owned())];
    for (index, pair) in query.split('&').enumerate() {
        let joint = if index == 0 { '?' } else { '&' };
        match pair.split_once('=') {
            Some(("continue", token)) if !token.is_empty() => {
                pieces.push(Piece::Text(format!("{joint}continue=")));
                pieces.push(Piece::Continue);
            }
            // Without the list before there is nothing to take it from; then the watch begins with what is there.
            Some(("resourceVersion", version)) if version.len() > 1 => {
                let version = if follows { Piece::Version } else { Piece::Text(String::new()) };
                pieces.extend([Piece::Text(format!("{joint}resourceVersion=")), version]);
            }
            _ => pieces.push(Piece::Text(format!("{joint}{pair}"))),
        }
    }
    pieces
}

/// The body with uids of this cluster, and gaps for those that are not known yet.
fn body_pieces(body: &Value, uids: &HashMap<&str, Piece>, version: Option<&str>) -> Vec<Piece> {
    let mut body = body.clone();
    for pointer in ["/metadata/resourceVersion", "/preconditions/resourceVersion"] {
        if let Some(place) = body.pointer_mut(pointer).filter(|place| place.is_string()) {
            *place = version.unwrap_or(VERSION_MARK).into();
        }
    }
    // JSON escapes the control characters of the mark.
    let mark = Value::from(VERSION_MARK).to_string();
    let mark = mark.trim_matches('"');
    let text = body.to_string();
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text.as_str();
    while let Some(next) = rest.chars().next() {
        let gap = if let Some(behind) = rest.strip_prefix(mark) {
            Some((Piece::Version, behind))
        } else {
            rest.split_at_checked(UID_LENGTH).and_then(|(uid, behind)| Some((uids.get(uid)?.clone(), behind)))
        };
        match gap {
            Some((Piece::Text(uid), behind)) => {
                plain.push_str(&uid);
                rest = behind;
            }
            Some((gap, behind)) => {
                pieces.extend([Piece::Text(std::mem::take(&mut plain)), gap]);
                rest = behind;
            }
            None => {
                plain.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
    }
    pieces.push(Piece::Text(plain));
    pieces
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const OWNER: &str = "11111111-1111-4111-8111-111111111111";
    const OWNER_THERE: &str = "22222222-2222-4222-8222-222222222222";

    fn request(second: u32, verb: &str, uri: &str, name: &str, body_and_answer: &[Value; 2]) -> Request {
        let [body, answer] = body_and_answer;
        serde_json::from_value(json!({
            "verb": verb,
            "requestURI": uri,
            "requestReceivedTimestamp": format!("2026-03-02T09:00:{second:02}.000000Z"),
            "objectRef": {"resource": "secrets", "namespace": "n", "name": name},
            "requestObject": body,
            "responseObject": answer,
        }))
        .unwrap()
    }

    fn recording() -> Recording {
        let owner = json!({"metadata": {"name": "o", "annotations": {"source-uid": OWNER}}});
        let child = json!({"metadata": {"name": "c", "ownerReferences": [{"uid": OWNER_THERE}]}});
        let created = json!({"kind": "PartialObjectMetadata", "metadata": {"uid": OWNER_THERE}});
        let versioned = json!({"metadata": {"resourceVersion": "9"}});
        let target = vec![
            request(2, "create", "/s?fieldManager=x", "o", &[owner, created]),
            request(3, "create", "/s?fieldManager=x", "c", &[child, Value::Null]),
            request(4, "update", "/s/c/status", "c", &[versioned, Value::Null]),
        ];
        let list = || [Value::Null, json!({"kind": "SecretList"})];
        let options = json!({"preconditions": {"uid": OWNER, "resourceVersion": "7"}});
        let source = vec![
            request(0, "list", "/s?limit=500", "", &list()),
            request(1, "list", "/s?limit=500&continue=abc", "", &list()),
            request(5, "delete", "/s/o", "o", &[options, Value::Null]),
        ];
        Recording::new(source, target, known(OWNER, "7"))
    }

    fn known(uid: &str, version: &str) -> Known {
        let line = (End::Source, String::new(), "secrets".to_owned(), "n".to_owned(), "o".to_owned());
        Known(HashMap::from([(line, (uid.to_owned(), version.to_owned()))]))
    }

    #[test]
    fn what_another_cluster_assigns_is_exchanged() {
        let now = "33333333-3333-4333-8333-333333333333";
        let script = recording().script(&known(now, "70"));
        let [lists, objects] = &script.stretches[..] else { panic!("{:?}", script.starts) };
        assert_eq!(script.starts, [0, 2]);
        assert_eq!(lists[1].uri.last(), Some(&Piece::Continue));
        assert_eq!(lists[1].previous, Some(0));

        let [owner, child, status, delete] = &objects[..] else { panic!() };
        let Piece::Text(text) = &owner.body[0] else { panic!() };
        assert!(text.contains(now) && !text.contains(OWNER));
        assert_eq!(child.body[1], Piece::Uid(2), "the owner's uid comes from the answer to its creation");
        assert_eq!(child.after, [2]);
        assert_eq!((status.previous, &status.body[1]), (Some(3), &Piece::Version));
        let Piece::Text(text) = &delete.body[0] else { panic!() };
        assert!(text.contains(now) && text.contains("\"70\""), "{text}");
        assert_eq!(owner.accept, "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1");
    }
}
