//! Commands that are run in containers (`exec`), as the API server hands them on to the node.
//!
//! The API server of a plane with pods passes WebSockets through, as every one did before Kubernetes 1.30. A newer one turns those that can close
//! streams into SPDY, which this kubelet does not speak. A command gets no input, and what it prints is sent once it has ended.

use std::{convert::Infallible, net::Ipv4Addr, process::Stdio, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::SinkExt;
use http::{HeaderName, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::service_fn,
    upgrade::{OnUpgrade, Upgraded},
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpListener, process::Command, task::JoinSet, time::timeout};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, Message, handshake::derive_accept_key, protocol::Role},
};

use super::{Shared, process};
use crate::{Error, Result};

/// What is spoken: the end of a command is told in JSON.
const PROTOCOL: &str = "v5.channel.k8s.io";
/// The first byte of a message says what it is.
const OUTPUT: u8 = 1;
const COMPLAINT: u8 = 2;
const STATUS: u8 = 3;
/// Bytes of output in a message, as containerd has it.
const PART: usize = 32 << 10;
/// How long a command may run.
const LIMIT: Duration = Duration::from_secs(60);

/// Takes a port on the node's address.
pub(super) async fn listen(address: Ipv4Addr) -> Result<(TcpListener, u16)> {
    let listener = TcpListener::bind((address, 0)).await.map_err(Error::proxy("a port for a kubelet"))?;
    let port = listener.local_addr().map_err(Error::proxy("a port for a kubelet"))?.port();
    Ok((listener, port))
}

/// Serves the API server.
pub(super) async fn serve(listener: TcpListener, tls: TlsAcceptor, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    // A connection that cannot be accepted is told to the client by the API server.
    while let Ok((tcp, _)) = listener.accept().await {
        let (tls, shared) = (tls.clone(), Arc::clone(&shared));
        connections.spawn(async move {
            let Ok(stream) = tls.accept(tcp).await else { return };
            let service = service_fn(|request| {
                let answer = answer(request, &shared);
                async move { Ok::<_, Infallible>(answer) }
            });
            // How it ends is seen by the API server.
            http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await.ok();
        });
        while connections.try_join_next().is_some() {}
    }
}

/// A command beside the process of a container.
struct Order {
    pid: u32,
    words: Vec<String>,
    /// What the client's key is answered by.
    accept: String,
}

fn answer(mut request: Request<Incoming>, shared: &Shared) -> Response<Full<Bytes>> {
    let order = match Order::read(&request, shared) {
        Ok(order) => order,
        Err((status, why)) => {
            let reply = Response::builder().status(status).body(Full::from(why));
            return reply.expect("BUG: a text makes a reply");
        }
    };
    let reply = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_PROTOCOL, PROTOCOL)
        .header(header::SEC_WEBSOCKET_ACCEPT, &order.accept)
        .body(Full::default());
    tokio::spawn(order.carry_out(hyper::upgrade::on(&mut request)));
    reply.expect("BUG: a digest makes a header")
}

impl Order {
    fn read<B>(request: &Request<B>, shared: &Shared) -> Result<Self, (StatusCode, String)> {
        let refuse = |why: &str| (StatusCode::BAD_REQUEST, why.to_owned());
        let path: Vec<&str> = request.uri().path().split('/').skip(1).collect();
        let ["exec", namespace, pod, container] = path[..] else {
            return Err((StatusCode::NOT_FOUND, "this kubelet serves exec".to_owned()));
        };
        let said = |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
        let offered = said(header::SEC_WEBSOCKET_PROTOCOL).unwrap_or_default();
        let key = said(header::SEC_WEBSOCKET_KEY);
        let Some(key) = key.filter(|_| offered.split(',').any(|known| known.trim() == PROTOCOL)) else {
            return Err(refuse("this kubelet speaks WebSocket, and of its protocols the fifth"));
        };
        let query = request.uri().query().unwrap_or_default();
        let query: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
        if query
            .iter()
            .any(|(name, value)| matches!(&**name, "input" | "tty") && matches!(&**value, "1" | "true"))
        {
            return Err(refuse("this kubelet gives a command neither input nor a terminal"));
        }
        let words = query.into_iter().filter(|(name, _)| name == "command");
        let words: Vec<String> = words.map(|(_, word)| word.into_owned()).collect();
        let parts = shared.parts();
        let part = parts.values().find(|part| part.namespace == namespace && part.name == pod);
        let process = part.and_then(|part| part.process(container)).filter(|process| process.runs());
        let Some(process) = process else {
            return Err((StatusCode::NOT_FOUND, format!("container not found (\"{container}\")")));
        };
        Ok(Self { pid: process.pid(), words, accept: derive_accept_key(key.as_bytes()) })
    }

    async fn carry_out(self, upgrade: OnUpgrade) {
        let Ok(upgraded) = upgrade.await else { return };
        let upgraded = TokioIo::new(upgraded);
        let socket = WebSocketStream::from_raw_socket(upgraded, Role::Server, None).await;
        // A client that is gone has no use for the output.
        self.run(socket).await.ok();
    }

    async fn run(self, mut socket: WebSocketStream<TokioIo<Upgraded>>) -> Result<(), tungstenite::Error> {
        let (program, args) = process::beside(self.pid, &self.words);
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::null()).kill_on_drop(true);
        let status = match timeout(LIMIT, command.output()).await {
            Ok(Ok(output)) => {
                for (channel, printed) in [(OUTPUT, output.stdout), (COMPLAINT, output.stderr)] {
                    for part in printed.chunks(PART) {
                        socket.send(message(channel, part)).await?;
                    }
                }
                ended(output.status.code())
            }
            Ok(Err(error)) => not_run(&error.to_string()),
            Err(_) => not_run("it takes too long"),
        };
        socket.send(message(STATUS, status.to_string().as_bytes())).await?;
        socket.close(None).await
    }
}

fn message(channel: u8, content: &[u8]) -> Message {
    Message::binary([&[channel], content].concat())
}

/// How a command ended, as a node tells it.
fn ended(code: Option<i32>) -> Value {
    let code = code.unwrap_or(137);
    if code == 0 {
        return json!({"metadata": {}, "status": "Success"});
    }
    json!({
        "metadata": {},
        "status": "Failure",
        "reason": "NonZeroExitCode",
        "message": format!("command terminated with non-zero exit code: exit status {code}"),
        "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
    })
}

fn not_run(why: &str) -> Value {
    json!({"metadata": {}, "status": "Failure", "reason": "InternalError", "code": 500, "message": why})
}
