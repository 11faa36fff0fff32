//! Watches: the changes of a collection as a stream of JSON lines.

use std::{collections::VecDeque, future, io, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{Stream, stream};
use serde_json::{Value, json};
use tokio::{
    select,
    sync::watch::Receiver,
    time::{Instant, sleep_until},
};

use super::{
    Call, Shared,
    answer::{Answer, present},
    failure::Failure,
    read::selector_of,
    resource::Resource,
    selector::Selector,
    store::{Change, Event, World},
};

/// How often a watch tells where it stands, as kube-apiserver does.
const BOOKMARK_INTERVAL: Duration = Duration::from_secs(60);

/// What a watch is about, and the lines it begins with.
#[derive(Debug)]
pub(super) struct Subscription {
    call: Call,
    resource: Arc<Resource>,
    selector: Selector,
    cursor: u64,
    lines: VecDeque<Bytes>,
    ended: bool,
    bookmarks: bool,
    timeout: Option<Duration>,
}

impl World {
    pub(super) fn subscribe(&self, call: &Call, resource: &Arc<Resource>) -> Result<Answer, Failure> {
        let mut subscription = Subscription {
            selector: selector_of(call)?,
            call: call.clone(),
            resource: Arc::clone(resource),
            cursor: self.revision,
            lines: VecDeque::new(),
            ended: false,
            bookmarks: matches!(call.query("allowWatchBookmarks"), "true" | "1"),
            timeout: call.query("timeoutSeconds").parse().ok().map(Duration::from_secs),
        };
        let initial = call.query("sendInitialEvents") == "true";
        match call.query("resourceVersion") {
            "" | "0" => subscription.tell_everything(self),
            _ if initial => subscription.tell_everything(self),
            version => match version.parse::<u64>() {
                Ok(version) => subscription.cursor = version.min(self.revision),
                Err(_) => {
                    return Err(Failure::bad_request(&format!("invalid resource version \"{version}\"")));
                }
            },
        }
        if initial {
            subscription.tell_bookmark(json!({"k8s.io/initial-events-end": "true"}));
        }
        Ok(Answer::Watch(Box::new(subscription)))
    }
}

impl Subscription {
    fn tell(&mut self, kind: &str, object: &Value) {
        let line = format!("{}\n", json!({"type": kind, "object": object}));
        self.lines.push_back(line.into());
    }

    fn tell_everything(&mut self, world: &World) {
        for (_, object) in world.select(&self.resource, &self.call.namespace, &self.selector) {
            let object = present(&self.call, &self.resource, &object);
            self.tell("ADDED", &object);
        }
    }

    fn tell_bookmark(&mut self, annotations: Value) {
        let mut metadata = json!({"resourceVersion": self.cursor.to_string(), "creationTimestamp": null});
        if !annotations.is_null() {
            metadata["annotations"] = annotations;
        }
        let bookmark = present(&self.call, &self.resource, &json!({"metadata": metadata}));
        self.tell("BOOKMARK", &bookmark);
    }

    /// Takes in what has changed since it last looked.
    fn catch_up(&mut self, world: &World) {
        if self.cursor < world.compacted {
            let message = format!("too old resource version: {} ({})", self.cursor, world.compacted);
            self.tell("ERROR", &Failure::expired(&message).status);
            self.ended = true;
            return;
        }
        for event in world.events_after(self.cursor) {
            self.tell_event(event);
        }
        self.cursor = world.revision;
    }

    fn tell_event(&mut self, event: &Event) {
        let slot = &event.slot;
        let elsewhere = !self.call.namespace.is_empty() && slot.namespace != self.call.namespace;
        if slot.group != self.resource.group || slot.plural != self.resource.plural || elsewhere {
            return;
        }
        // An object that begins or ceases to fit the selector appears or disappears for this watch.
        let was = event.previous.as_ref().is_some_and(|previous| self.selector.matches(previous));
        let is = event.change != Change::Deleted && self.selector.matches(&event.object);
        let kind = match (was, is) {
            (false, true) => "ADDED",
            (true, true) => "MODIFIED",
            (true, false) => "DELETED",
            (false, false) => return,
        };
        let object = present(&self.call, &self.resource, &event.object);
        self.tell(kind, &object);
    }

    /// The stream of lines. It ends at the timeout the client asked for, or when the server drops its watches.
    pub(super) fn stream(self, shared: Arc<Shared>) -> impl Stream<Item = io::Result<Bytes>> + Send {
        let follower = Follower {
            deadline: self.timeout.map(|timeout| Instant::now() + timeout),
            bookmark: Instant::now() + BOOKMARK_INTERVAL,
            revisions: shared.revisions.subscribe(),
            drops: shared.drops.subscribe(),
            subscription: self,
            shared,
        };
        stream::unfold(follower, |mut follower| async move {
            let line = follower.next().await?;
            Some((Ok(line), follower))
        })
    }
}

struct Follower {
    subscription: Subscription,
    shared: Arc<Shared>,
    revisions: Receiver<u64>,
    drops: Receiver<u64>,
    deadline: Option<Instant>,
    bookmark: Instant,
}

impl Follower {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(line) = self.subscription.lines.pop_front() {
                return Some(line);
            }
            if self.subscription.ended {
                return None;
            }
            self.revisions.mark_unchanged();
            self.shared.look(|world| self.subscription.catch_up(world));
            if !self.subscription.lines.is_empty() {
                continue;
            }
            let deadline = self.deadline;
            let timeout = async move {
                match deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => future::pending().await,
                }
            };
            select! {
                biased;
                _ = self.drops.changed() => return None,
                _ = self.revisions.changed() => {}
                () = timeout => return None,
                () = sleep_until(self.bookmark), if self.subscription.bookmarks => {
                    self.bookmark += BOOKMARK_INTERVAL;
                    self.subscription.tell_bookmark(Value::Null);
                }
            }
        }
    }
}
