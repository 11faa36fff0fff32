//! The bare loop: the requests of a recorded pivot, sent as fast as they can be, with nothing to decide.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures::{StreamExt, stream};
use http::{Request, header};
use http_body_util::BodyExt;
use kube::client::Body;
use pivot_testbed::{
    audit::{Answer, AnswerMetadata},
    client::CONCURRENCY,
};
use tokio::{
    sync::{Semaphore, SetOnce},
    time::Instant,
};

use crate::{
    error::{Error, Result},
    recording::{End, Piece, Script, Template},
    scene::Scene,
    transport,
};

/// How long the loop took, from its first connection to its last answer.
pub(crate) async fn replay(scene: &Scene, script: &Script) -> Result<Duration> {
    let started = Instant::now();
    let total = script.stretches.iter().map(Vec::len).sum();
    let play = Play {
        source: transport::client(&scene.source.kubeconfig).await?,
        target: transport::client(&scene.target.kubeconfig).await?,
        answers: (0..total).map(|_| SetOnce::new()).collect(),
        in_flight: Semaphore::new(CONCURRENCY),
        lost: AtomicUsize::new(0),
    };
    for (stretch, start) in script.stretches.iter().zip(&script.starts) {
        stream::iter(stretch.iter().enumerate())
            .for_each_concurrent(None, |(index, template)| play.take(start + index, template))
            .await;
    }
    match play.lost.into_inner() {
        0 => Ok(started.elapsed()),
        lost => Err(Error::Lost { lost }),
    }
}

/// A script under way.
struct Play {
    source: kube::Client,
    target: kube::Client,
    /// What each request brought, by its number.
    answers: Vec<SetOnce<AnswerMetadata>>,
    in_flight: Semaphore,
    /// Requests without any answer.
    lost: AtomicUsize,
}

impl Play {
    async fn take(&self, number: usize, template: &Template) {
        for earlier in &template.after {
            self.answers[*earlier].wait().await;
        }
        let _turn = self.in_flight.acquire().await.expect("BUG: nobody closes the semaphore");
        let previous = template.previous.and_then(|previous| self.answers[previous].get());
        let mut metadata = self.send(template, previous).await.unwrap_or_else(|_| {
            self.lost.fetch_add(1, Ordering::Relaxed);
            AnswerMetadata::default()
        });
        // A refused request leaves the object as it was.
        if metadata.resource_version.is_none() {
            metadata.resource_version = previous.and_then(|previous| previous.resource_version.clone());
        }
        self.answers[number].set(metadata).expect("BUG: a request is sent once");
    }

    async fn send(
        &self,
        template: &Template,
        previous: Option<&AnswerMetadata>,
    ) -> Result<AnswerMetadata, kube::Error> {
        let request = Request::builder()
            .method(template.method.clone())
            .uri(self.fill(&template.uri, previous))
            .header(header::CONTENT_TYPE, template.content_type)
            .header(header::ACCEPT, template.accept)
            .body(Body::from(self.fill(&template.body, previous).into_bytes()))
            .map_err(kube::Error::HttpError)?;
        let client = match template.end {
            End::Source => &self.source,
            End::Target => &self.target,
        };
        let body = client.send(request).await?.into_body();
        if template.is_watch {
            return Ok(AnswerMetadata::default());
        }
        let bytes = body.collect().await?.to_bytes();
        // A refusal says nothing that a later request needs; the audit log counts it.
        Ok(serde_json::from_slice::<Answer>(&bytes).unwrap_or_default().metadata)
    }

    fn fill(&self, pieces: &[Piece], previous: Option<&AnswerMetadata>) -> String {
        let text = |value: Option<&String>| value.cloned().unwrap_or_default();
        pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(plain) => plain.clone(),
                Piece::Uid(creator) => {
                    text(self.answers[*creator].get().and_then(|answer| answer.uid.as_ref()))
                }
                Piece::Version => text(previous.and_then(|previous| previous.resource_version.as_ref())),
                Piece::Continue => {
                    let token = text(previous.and_then(|previous| previous.continue_token.as_ref()));
                    form_urlencoded::byte_serialize(token.as_bytes()).collect()
                }
            })
            .collect()
    }
}
