//! A standin for an admission webhook that an administrator of a cluster runs: it denies what is created, or changes it.
//!
//! The API server it answers is real and asks it as it asks every webhook, over TLS; only what decides is a few lines here,
//! because the policies that people run decide by rules of their own and any of them will do.

use std::{
    convert::Infallible,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt, Collected, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    Error, Result,
    client::{PlaneClient, Progress, wait_until},
    kind::Gvk,
    plane::Plane,
    tls,
};

/// What a webhook that denies says.
pub const DENIAL: &str = "no new secrets and hosts here";
/// The annotation that a webhook which changes objects sets.
pub const MARK: &str = "webhook.example/seen";

/// How long an API server may take to hear of a new webhook.
const DEADLINE: Duration = Duration::from_secs(60);
const MANAGER: &str = "kubectl-create";
/// What is created to see whether the webhook is asked.
const PROBE: &str = "webhook-probe";

/// What a webhook does to Secrets and hosts in one namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Temper {
    /// It denies creating them.
    Denies,
    /// It annotates them, when they are created and when they are changed.
    Adds,
    /// It takes their labels away when they are created.
    Alters,
}

/// A running webhook, known to the API server of a plane. It ends when it is dropped; its configuration stays until
/// [`leave`](Self::leave).
#[derive(Debug)]
pub struct Webhook {
    client: PlaneClient,
    name: String,
    _serving: AbortOnDropHandle<()>,
}

impl Webhook {
    /// Starts a webhook for what happens in `namespace`, and waits until the API server asks it.
    pub async fn start(plane: &Plane, name: &str, namespace: &str, temper: Temper) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(Error::proxy("a port for a webhook"))?;
        let port = listener.local_addr().map_err(Error::proxy("a port for a webhook"))?.port();
        let tls = tls::acceptor(plane.authority())?;
        let asked = Arc::<AtomicUsize>::default();
        let judge = Judge { namespace: namespace.to_owned(), temper, asked: Arc::clone(&asked) };
        let serving = AbortOnDropHandle::new(tokio::spawn(serve(listener, tls, Arc::new(judge))));

        let client = plane.client().await?;
        client.create(&configuration(plane, name, port, temper), MANAGER).await?;
        let webhook = Self { client, name: name.to_owned(), _serving: serving };
        webhook.await_asked(&asked).await?;
        Ok(webhook)
    }

    /// Its configuration.
    pub const KIND: &'static Gvk = Gvk::MUTATING_WEBHOOK_CONFIGURATION;

    /// Makes the API server forget it.
    pub async fn leave(&self) -> Result<()> {
        self.client.delete(Self::KIND, None, &self.name).await
    }

    /// API servers hear of webhooks late. The probe is in a namespace that it has nothing to say about.
    async fn await_asked(&self, asked: &AtomicUsize) -> Result<()> {
        let probe = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": PROBE, "namespace": "default"}});
        wait_until("the webhook to be asked", DEADLINE, async || {
            self.client.create(&probe, MANAGER).await?;
            self.client.delete(Gvk::SECRET, Some("default"), PROBE).await?;
            Ok(match asked.load(Ordering::Relaxed) {
                0 => Progress::Pending("not asked".to_owned()),
                _ => Progress::Done(()),
            })
        })
        .await
    }
}

/// It is of the kind that may change objects also where it only denies: those are asked before policies are, so what it says
/// is heard in every case.
fn configuration(plane: &Plane, name: &str, port: u16, temper: Temper) -> Value {
    let operations = match temper {
        Temper::Denies | Temper::Alters => json!(["CREATE"]),
        Temper::Adds => json!(["CREATE", "UPDATE"]),
    };
    let rule = |group: &str, version: &str, resource: &str| json!({"apiGroups": [group], "apiVersions": [version], "resources": [resource], "operations": operations});
    json!({
        "apiVersion": Webhook::KIND.api_version(),
        "kind": Webhook::KIND.kind,
        "metadata": {"name": name},
        "webhooks": [{
            "name": format!("{name}.webhook.example"),
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "timeoutSeconds": 10,
            "clientConfig": {
                "url": format!("https://127.0.0.1:{port}/"),
                "caBundle": STANDARD.encode(plane.authority().certificate()),
            },
            "rules": [rule("", "v1", "secrets"), rule("metal3.io", "*", "baremetalhosts")],
        }],
    })
}

/// What decides.
#[derive(Debug)]
struct Judge {
    namespace: String,
    temper: Temper,
    asked: Arc<AtomicUsize>,
}

impl Judge {
    fn answer(&self, review: &Value) -> Value {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let request = &review["request"];
        let metadata = &request["object"]["metadata"];
        let mut response = json!({"uid": request["uid"], "allowed": true});
        let patch = match self.temper {
            _ if request["namespace"] != self.namespace.as_str() => Value::Null,
            Temper::Denies => {
                response["allowed"] = false.into();
                response["status"] = json!({"message": DENIAL});
                Value::Null
            }
            Temper::Adds if metadata["annotations"].is_object() => {
                let path = format!("/metadata/annotations/{}", MARK.replace('/', "~1"));
                json!([{"op": "add", "path": path, "value": "yes"}])
            }
            Temper::Adds => json!([{"op": "add", "path": "/metadata/annotations", "value": {MARK: "yes"}}]),
            Temper::Alters if metadata["labels"].is_object() => {
                json!([{"op": "remove", "path": "/metadata/labels"}])
            }
            Temper::Alters => Value::Null,
        };
        if !patch.is_null() {
            response["patchType"] = "JSONPatch".into();
            response["patch"] = STANDARD.encode(patch.to_string()).into();
        }
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
    }
}

async fn serve(listener: TcpListener, tls: tokio_rustls::TlsAcceptor, judge: Arc<Judge>) {
    let mut connections = JoinSet::new();
    // A connection that cannot be accepted is one the API server tries again.
    while let Ok((tcp, _)) = listener.accept().await {
        let (tls, judge) = (tls.clone(), Arc::clone(&judge));
        connections.spawn(async move {
            let Ok(stream) = tls.accept(tcp).await else { return };
            let service = service_fn(|request: Request<Incoming>| {
                let judge = Arc::clone(&judge);
                async move {
                    let body =
                        request.into_body().collect().await.map(Collected::to_bytes).unwrap_or_default();
                    let review = serde_json::from_slice(&body).unwrap_or_default();
                    let answer = Full::new(Bytes::from(judge.answer(&review).to_string()));
                    let reply =
                        Response::builder().header(header::CONTENT_TYPE, "application/json").body(answer);
                    Ok::<_, Infallible>(reply.expect("BUG: a body makes a reply"))
                }
            });
            // How it ends is seen by the API server.
            http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
        });
        while connections.try_join_next().is_some() {}
    }
}
