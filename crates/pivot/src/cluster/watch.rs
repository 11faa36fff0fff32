//! Watching a kind for any change: a tripwire.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, Stream, StreamExt};
use http::{HeaderValue, header};
use http_body_util::BodyExt;
use pivot_core::kind::{GroupKind, KindInfo};
use pivot_core::object::{ObjectKey, OwnerReference, Uid};
use serde::Deserialize;
use tokio::time::timeout;

use super::path::concerns_secrets;
use super::read::owner_references;
use super::request::METADATA_ONLY;
use super::{Cluster, Failure, RawRequest, add_query, resource_path};

/// Longest silence. API servers send a bookmark about every minute, so that more is a connection that died without a word.
const LONGEST_SILENCE: Duration = Duration::from_secs(180);

/// Longest line; an object's metadata is limited to less.
const LONGEST_LINE: usize = 8 << 20;

/// What a watch reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchEvent {
    /// An object changed.
    Change(Change),
    /// Nothing up to here: where a later watch may begin.
    Bookmark {
        /// State of the cluster.
        resource_version: String,
    },
    /// The watch is over; changes from here on go unseen. Always the last event.
    Broken {
        /// Why.
        reason: String,
        /// Where another watch goes on without a gap; `None` where changes may be lost, so that only a new list helps.
        resume_from: Option<String>,
    },
}

/// One change of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The object.
    pub key: ObjectKey,
    /// Its instance.
    pub uid: Uid,
    /// Its `resourceVersion` after the change.
    pub resource_version: String,
    /// Its owners.
    pub owners: Vec<Uid>,
    /// What happened.
    pub what: ChangeKind,
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is another than before.
    Modified,
    /// It is gone.
    Deleted,
}

/// A line of a watch; the object is one, or a `Status`.
#[derive(Deserialize)]
struct Line {
    r#type: String,
    object: EventObject,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct EventObject {
    metadata: EventMetadata,
    code: u16,
    reason: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct EventMetadata {
    name: String,
    namespace: Option<String>,
    uid: String,
    resource_version: String,
    #[serde(default, deserialize_with = "owner_references")]
    owner_references: Vec<OwnerReference>,
}

impl Cluster {
    /// Changes of a kind after `resource_version`, in one namespace or all. Only metadata is sent.
    ///
    /// Fails where the watch cannot begin; once begun, it ends with [`WatchEvent::Broken`].
    pub async fn watch(
        &self,
        kind: &KindInfo,
        version: &str,
        namespace: Option<&str>,
        resource_version: &str,
    ) -> Result<impl Stream<Item = WatchEvent> + Send + use<>, Failure> {
        let mut path = resource_path(kind, version, namespace, None, None);
        add_query(&mut path, "watch", "true");
        add_query(&mut path, "allowWatchBookmarks", "true");
        add_query(&mut path, "resourceVersion", resource_version);
        let sent = concerns_secrets(&path).then_some(b"".as_slice());
        let mut request = RawRequest::get(path).accept(METADATA_ONLY).build()?;
        // Kubernetes 1.37 compresses each event on its own, and decoders stop after the first.
        request.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));

        let begin = async {
            let (head, body) = self.send(request).await?.into_parts();
            if head.status.is_success() {
                return Ok(body);
            }
            let answer = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            Err(Failure::of_answer(head.status, &head.headers, &answer, sent))
        };
        let limit = self.request_timeout();
        let body = timeout(limit, begin).await.map_err(|_| Failure::Unknown {
            reason: format!("the watch did not begin within {} s", limit.as_secs_f32()),
        })??;

        let chunks = body.into_data_stream().map(|chunk| chunk.map_err(|error| error.to_string())).boxed();
        let watch = Watch {
            kind: kind.kind.clone(),
            chunks,
            buffer: BytesMut::new(),
            seen: resource_version.to_owned(),
            over: false,
        };
        Ok(stream::unfold(watch, |mut watch| async move { Some((watch.next().await?, watch)) }))
    }
}

struct Watch {
    kind: GroupKind,
    chunks: BoxStream<'static, Result<Bytes, String>>,
    buffer: BytesMut,
    /// The latest state that was reported.
    seen: String,
    over: bool,
}

impl Watch {
    async fn next(&mut self) -> Option<WatchEvent> {
        if self.over {
            return None;
        }
        let event = match self.line().await {
            Ok(line) => self.read(&line),
            Err(reason) => self.broken(reason),
        };
        match &event {
            WatchEvent::Change(change) => self.seen.clone_from(&change.resource_version),
            WatchEvent::Bookmark { resource_version } => self.seen.clone_from(resource_version),
            WatchEvent::Broken { .. } => self.over = true,
        }
        Some(event)
    }

    fn broken(&self, reason: String) -> WatchEvent {
        WatchEvent::Broken { reason, resume_from: Some(self.seen.clone()) }
    }

    /// The next line, or why there is none.
    async fn line(&mut self) -> Result<Bytes, String> {
        let mut searched = 0;
        loop {
            if let Some(end) = self.buffer[searched..].iter().position(|byte| *byte == b'\n') {
                return Ok(self.buffer.split_to(searched + end + 1).freeze());
            }
            searched = self.buffer.len();
            if searched > LONGEST_LINE {
                return Err("an event without end".to_owned());
            }
            match timeout(LONGEST_SILENCE, self.chunks.next()).await {
                Ok(Some(Ok(chunk))) => self.buffer.extend_from_slice(&chunk),
                Ok(Some(Err(reason))) => return Err(format!("the connection broke: {reason}")),
                Ok(None) => return Err("the server ended the watch".to_owned()),
                Err(_) => return Err(format!("silent for {} s", LONGEST_SILENCE.as_secs())),
            }
        }
    }

    fn read(&self, line: &[u8]) -> WatchEvent {
        let Line { r#type, object } = match serde_json::from_slice(line) {
            Ok(line) => line,
            // A change that cannot be read must not be passed over.
            Err(error) => {
                let reason = Failure::undecodable("an event", &error).to_string();
                return WatchEvent::Broken { reason, resume_from: None };
            }
        };
        let EventMetadata { name, namespace, uid, resource_version, owner_references } = object.metadata;
        let what = match r#type.as_str() {
            "ADDED" => ChangeKind::Added,
            "MODIFIED" => ChangeKind::Modified,
            "DELETED" => ChangeKind::Deleted,
            "BOOKMARK" => return WatchEvent::Bookmark { resource_version },
            _ => {
                let reason = format!("the server ended the watch with {} {}", object.code, object.reason);
                return WatchEvent::Broken { reason, resume_from: None };
            }
        };
        let key = ObjectKey::new(self.kind.clone(), namespace.as_deref(), &name);
        let owners = owner_references.into_iter().map(|owner| owner.uid).collect();
        WatchEvent::Change(Change { key, uid: Uid(uid), resource_version, owners, what })
    }
}

#[cfg(test)]
mod tests {
    use futures::future;
    use http::Request;
    use http_body_util::StreamBody;
    use hyper::body::Frame;
    use kube::client::Body;
    use serde_json::{Value, json};
    use tower::{BoxError, service_fn};

    use super::super::discovery::core_kind;
    use super::super::fake;
    use super::*;

    /// All events of a watch whose body comes in these pieces, and then ends or stays silent.
    async fn events(pieces: Vec<String>, silent: bool) -> Vec<WatchEvent> {
        let service = service_fn(move |_: Request<Body>| {
            let frames =
                pieces.clone().into_iter().map(|piece| Ok::<_, BoxError>(Frame::data(Bytes::from(piece))));
            let silence = stream::once(future::pending()).take(usize::from(silent));
            let body = StreamBody::new(stream::iter(frames).chain(silence));
            future::ok::<_, BoxError>(http::Response::new(body))
        });
        let cluster = Cluster::from_client(kube::Client::new(service, "default"), "fake");
        let kind = core_kind("Secret", "secrets");
        cluster.watch(&kind, "v1", None, "5").await.unwrap().collect().await
    }

    fn line(what: &str, object: &Value) -> String {
        format!("{}\n", json!({"type": what, "object": object}))
    }

    fn object(resource_version: &str) -> Value {
        json!({"kind": "PartialObjectMetadata",
            "metadata": {"name": "x", "namespace": "a", "uid": "u", "resourceVersion": resource_version}})
    }

    fn broken(events: &[WatchEvent]) -> (&str, Option<&str>) {
        match events.last() {
            Some(WatchEvent::Broken { reason, resume_from }) => (reason, resume_from.as_deref()),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn events_are_read_across_pieces_until_the_end() {
        let text =
            line("ADDED", &object("6")) + &line("DELETED", &object("7")) + &line("BOOKMARK", &object("9"));
        let pieces =
            text.as_bytes().chunks(11).map(|piece| String::from_utf8_lossy(piece).into_owned()).collect();
        let events = events(pieces, false).await;
        let key = ObjectKey::new(GroupKind::new("", "Secret"), Some("a"), "x");
        let change = |what, version: &str| {
            let (key, uid) = (key.clone(), Uid("u".to_owned()));
            WatchEvent::Change(Change {
                key,
                uid,
                resource_version: version.to_owned(),
                owners: Vec::new(),
                what,
            })
        };
        let bookmark = WatchEvent::Bookmark { resource_version: "9".to_owned() };
        assert_eq!(events[..3], [change(ChangeKind::Added, "6"), change(ChangeKind::Deleted, "7"), bookmark]);
        assert_eq!(broken(&events), ("the server ended the watch", Some("9")));
        assert_eq!(events.len(), 4);
    }

    #[tokio::test]
    async fn a_state_too_old_cannot_be_resumed() {
        let status = json!({"kind": "Status", "metadata": {}, "code": 410, "reason": "Expired"});
        let events = events(vec![line("ERROR", &status), line("ADDED", &object("6"))], false).await;
        assert_eq!(broken(&events), ("the server ended the watch with 410 Expired", None));
        assert_eq!(events.len(), 1);
    }

    #[tokio::test]
    async fn an_event_that_cannot_be_read_breaks_the_watch() {
        let events = events(vec!["{\"type\": \"ADDED\", \"object\": \"canary\"}\n".to_owned()], false).await;
        let (reason, resume_from) = broken(&events);
        assert!(reason.contains("cannot be decoded") && !reason.contains("canary"), "{reason}");
        assert_eq!(resume_from, None);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_breaks_the_watch() {
        let events = events(vec![line("MODIFIED", &object("6"))], true).await;
        assert_eq!(broken(&events), ("silent for 180 s", Some("6")));
    }

    #[tokio::test]
    async fn a_refused_watch_does_not_begin() {
        let (cluster, seen) = fake::cluster(|_| fake::refusal(410, "Expired"));
        let kind = core_kind("Secret", "secrets");
        let failure = cluster.watch(&kind, "v1", Some("a"), "5").await.err().unwrap();
        assert!(failure.is_expired());
        assert_eq!(
            seen.lock().unwrap()[0],
            "GET /api/v1/namespaces/a/secrets?watch=true&allowWatchBookmarks=true&resourceVersion=5"
        );
    }
}
