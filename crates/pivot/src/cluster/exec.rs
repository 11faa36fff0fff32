//! A command in a container of a pod, by `exec` of the API.
//!
//! It is asked for as a WebSocket, by a request like every other: with the same credentials, headers, proxy and count.

use futures::StreamExt;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use kube::client::Body;
use pivot_core::kind::GroupKind;
use pivot_core::object::ObjectKey;
use serde::Deserialize;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error as SocketError;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::failure::Cause;
use super::{Cluster, Failure, RawRequest, add_query, resource_path, well_known};

/// What may be spoken; both tell in JSON how the command ended.
const PROTOCOLS: &str = "v5.channel.k8s.io, v4.channel.k8s.io";
/// The first byte of a message says what it is.
const OUTPUT: u8 = 1;
const COMPLAINT: u8 = 2;
const STATUS: u8 = 3;
/// Bytes that a command may print: more than dnsmasq's lease file ever has.
const OUTPUT_LIMIT: usize = 16 << 20;
/// Bytes of its complaints that are kept.
const COMPLAINT_LIMIT: usize = 500;

/// A command that could not be run in a container, or of which nobody knows how it ended.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// The user may not.
    #[error("{0} (it takes `create` and `get` of pods/exec)")]
    Forbidden(#[source] Failure),
    /// The API server refused for another reason, or somebody on the way to the container did not answer.
    #[error("{0}")]
    Unreachable(#[source] Failure),
    /// It never began in the container.
    #[error("it was not run: {message}")]
    NotRun {
        /// What the node said.
        message: String,
    },
    /// Its output ended before it did.
    #[error("its output was cut short: {reason}")]
    CutShort {
        /// What went wrong.
        reason: String,
    },
    /// It printed too much.
    #[error("it printed more than {OUTPUT_LIMIT} bytes")]
    TooLong,
}

/// A command that ran to its end.
#[derive(Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code.
    pub code: i32,
    /// What it printed.
    pub output: Vec<u8>,
    /// The beginning of what it complained of.
    pub complaint: String,
}

impl std::fmt::Debug for Ended {
    /// Without the output, which may be anything.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ended")
            .field("code", &self.code)
            .field("bytes", &self.output.len())
            .finish_non_exhaustive()
    }
}

impl Cluster {
    /// Runs a command in a container without any input, and waits no longer for its end than a request may take.
    pub async fn exec(&self, pod: &ObjectKey, container: &str, command: &[&str]) -> Result<Ended, ExecError> {
        let limit = self.request_timeout();
        match timeout(limit, self.exchange_streams(pod, container, command)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ExecError::CutShort { reason: format!("no end within {} s", limit.as_secs_f32()) }),
        }
    }

    async fn exchange_streams(
        &self,
        pod: &ObjectKey,
        container: &str,
        command: &[&str],
    ) -> Result<Ended, ExecError> {
        let key = generate_key();
        let path = exec_path(pod, container, command);
        let mut request = RawRequest::get(path).build().map_err(ExecError::Unreachable)?;
        ask_for_upgrade(request.headers_mut(), &key)?;
        let answer = self.send(request).await.map_err(ExecError::Unreachable)?;
        let mut socket = upgraded(answer, &key).await?;
        let mut ended = Ended { code: 0, output: Vec::new(), complaint: String::new() };
        let mut complaint = Vec::new();
        while let Some(message) = socket.next().await {
            let message = message.map_err(|error| cut_short(&error))?;
            if !message.is_binary() && !message.is_text() {
                continue;
            }
            let data = message.into_data();
            match data.split_first() {
                Some((&OUTPUT, part)) if ended.output.len() + part.len() > OUTPUT_LIMIT => {
                    return Err(ExecError::TooLong);
                }
                Some((&OUTPUT, part)) => ended.output.extend_from_slice(part),
                Some((&COMPLAINT, part)) => {
                    let room = COMPLAINT_LIMIT - complaint.len();
                    complaint.extend_from_slice(&part[..room.min(part.len())]);
                }
                Some((&STATUS, status)) => {
                    ended.code = exit_code(status)?;
                    ended.complaint = String::from_utf8_lossy(&complaint).trim().to_owned();
                    return Ok(ended);
                }
                _ => {}
            }
        }
        Err(ExecError::CutShort { reason: "the connection ended".to_owned() })
    }
}

fn exec_path(pod: &ObjectKey, container: &str, command: &[&str]) -> String {
    let kind = well_known(&GroupKind::new("", "Pod")).expect("BUG: pods are well known");
    let version = kind.storage_version.as_str();
    let mut path = resource_path(kind, version, pod.namespace.as_deref(), Some(&pod.name), Some("exec"));
    for (name, value) in [("container", container), ("stdout", "true"), ("stderr", "true")] {
        add_query(&mut path, name, value);
    }
    for word in command {
        add_query(&mut path, "command", word);
    }
    path
}

fn ask_for_upgrade(headers: &mut HeaderMap, key: &str) -> Result<(), ExecError> {
    let key = HeaderValue::from_str(key)
        .map_err(|error| ExecError::Unreachable(Failure::NotSent { reason: error.to_string() }))?;
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOLS));
    headers.insert(header::SEC_WEBSOCKET_KEY, key);
    Ok(())
}

/// The connection, once the server has agreed to speak what was asked for.
async fn upgraded(
    answer: Response<Body>,
    key: &str,
) -> Result<WebSocketStream<TokioIo<Upgraded>>, ExecError> {
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        let (head, body) = answer.into_parts();
        let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let failure = Failure::of_answer(head.status, &head.headers, &body, None);
        return Err(match head.status {
            StatusCode::FORBIDDEN => ExecError::Forbidden(failure),
            _ => ExecError::Unreachable(failure),
        });
    }
    let said = |name: HeaderName| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let protocol = said(header::SEC_WEBSOCKET_PROTOCOL).unwrap_or_default();
    let is_agreed = said(header::SEC_WEBSOCKET_ACCEPT) == Some(derive_accept_key(key.as_bytes()).as_str())
        && PROTOCOLS.split(", ").any(|known| known == protocol);
    if !is_agreed {
        return Err(ExecError::CutShort { reason: "the server speaks another protocol".to_owned() });
    }
    let upgraded = hyper::upgrade::on(answer)
        .await
        .map_err(|error| ExecError::CutShort { reason: error.to_string() })?;
    Ok(WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, None).await)
}

fn cut_short(error: &SocketError) -> ExecError {
    ExecError::CutShort { reason: error.to_string() }
}

/// `metav1.Status`, as far as it tells how a command ended.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    #[serde(rename = "status")]
    outcome: String,
    message: String,
    reason: String,
    details: Details,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Details {
    causes: Vec<Cause>,
}

fn exit_code(status: &[u8]) -> Result<i32, ExecError> {
    let status: Status = serde_json::from_slice(status)
        .map_err(|error| ExecError::CutShort { reason: format!("its end cannot be read: {error}") })?;
    if status.outcome == "Success" {
        return Ok(0);
    }
    let code = status.details.causes.iter().find(|cause| cause.reason == "ExitCode");
    let code =
        code.filter(|_| status.reason == "NonZeroExitCode").and_then(|cause| cause.message.parse().ok());
    code.ok_or(ExecError::NotRun { message: status.message })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::SinkExt;
    use serde_json::json;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::task::JoinHandle;
    use tokio_tungstenite::tungstenite::Message;

    use super::super::ClusterConfig;
    use super::*;

    type Head = String;

    /// Reads the head of a request.
    async fn head(stream: &mut TcpStream) -> Head {
        let mut request = Vec::new();
        while !request.windows(4).any(|end| end == b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0, "the request ends");
        }
        String::from_utf8(request).unwrap()
    }

    fn message(channel: u8, content: &[u8]) -> Message {
        Message::binary([&[channel], content].concat())
    }

    /// A server that takes one request and sends `messages`; where `closes` does not hold, it then keeps still.
    async fn serve(messages: Vec<Message>, closes: bool) -> (Cluster, JoinHandle<Head>) {
        let (listener, cluster) = listen().await;
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let head = head(&mut stream).await;
            let key = head.lines().find_map(|line| line.strip_prefix("sec-websocket-key: ")).unwrap();
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Protocol: v5.channel.k8s.io\r\nSec-WebSocket-Accept: {}\r\n\r\n",
                derive_accept_key(key.as_bytes())
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
            let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
            for message in messages {
                // A client that has heard enough goes away.
                socket.send(message).await.ok();
            }
            if !closes {
                std::future::pending::<()>().await;
            }
            head
        });
        (cluster, server)
    }

    async fn listen() -> (TcpListener, Cluster) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kubeconfig");
        let text = format!(
            "current-context: ctx\n\
             contexts: [{{name: ctx, context: {{cluster: c, user: u}}}}]\n\
             clusters: [{{name: c, cluster: {{server: 'http://{}'}}}}]\n\
             users: [{{name: u, user: {{token: canary, as: other}}}}]\n",
            listener.local_addr().unwrap()
        );
        std::fs::write(&path, text).unwrap();
        (listener, Cluster::connect(ClusterConfig::new(&path)).await.unwrap())
    }

    fn pod() -> ObjectKey {
        ObjectKey::new(GroupKind::new("", "Pod"), Some("metal3"), "ironic-0")
    }

    async fn run(cluster: &Cluster) -> Result<Ended, ExecError> {
        cluster.exec(&pod(), "dnsmasq", &["cat", "/a b"]).await
    }

    fn ended(code: &str) -> Vec<u8> {
        let causes = json!([{"reason": "ExitCode", "message": code}]);
        json!({"status": "Failure", "reason": "NonZeroExitCode", "message": "ended", "details": {"causes": causes}})
            .to_string()
            .into_bytes()
    }

    #[tokio::test]
    async fn output_and_end_come_back_in_parts() {
        let success = json!({"metadata": {}, "status": "Success"}).to_string();
        let messages = vec![
            message(OUTPUT, b""),
            message(OUTPUT, b"one "),
            Message::Ping("".into()),
            message(COMPLAINT, b"no\n"),
            message(OUTPUT, b"two"),
            message(STATUS, success.as_bytes()),
        ];
        let (cluster, server) = serve(messages, true).await;
        let done = run(&cluster).await.unwrap();
        assert_eq!((done.code, done.output.as_slice(), done.complaint.as_str()), (0, &b"one two"[..], "no"));
        let asked = server.await.unwrap();
        let line = "GET /api/v1/namespaces/metal3/pods/ironic-0/exec?container=dnsmasq&stdout=true&stderr=true&command=cat&command=%2Fa%20b ";
        assert!(asked.starts_with(line), "{asked}");
        for part in ["authorization: bearer canary", "impersonate-user: other", "user-agent: pivotctl/"] {
            assert!(asked.to_lowercase().contains(part), "{part}: {asked}");
        }
        assert_eq!(cluster.counters().total(), 1);
    }

    #[tokio::test]
    async fn a_command_that_fails_is_told_from_one_that_never_ran() {
        let (cluster, _) = serve(vec![message(STATUS, &ended("66"))], true).await;
        assert_eq!(run(&cluster).await.unwrap().code, 66);
        let absent = json!({"status": "Failure", "reason": "InternalError", "message": "no such container"});
        let (cluster, _) = serve(vec![message(STATUS, absent.to_string().as_bytes())], true).await;
        let error = run(&cluster).await.unwrap_err();
        assert_eq!(error.to_string(), "it was not run: no such container");
    }

    #[tokio::test]
    async fn half_an_output_is_none() {
        let (cluster, _) = serve(vec![message(OUTPUT, b"half")], true).await;
        assert!(matches!(run(&cluster).await, Err(ExecError::CutShort { .. })));
        let (cluster, _) = serve(vec![message(OUTPUT, b"half"), message(STATUS, b"{")], true).await;
        assert!(matches!(run(&cluster).await, Err(ExecError::CutShort { .. })));
        let (cluster, _) = serve(vec![message(OUTPUT, b"half")], false).await;
        let cluster = cluster.with_request_timeout(Duration::from_millis(200));
        assert!(run(&cluster).await.unwrap_err().to_string().contains("no end within 0.2 s"));
    }

    #[tokio::test]
    async fn nobody_prints_for_ever() {
        let part = message(OUTPUT, &vec![0; 4 << 20]);
        let (cluster, _) = serve(vec![part; 5], false).await;
        assert!(matches!(run(&cluster).await, Err(ExecError::TooLong)));
    }

    #[tokio::test]
    async fn a_refusal_names_what_lacks() {
        for (status, is_forbidden) in [(403, true), (500, false)] {
            let (listener, cluster) = listen().await;
            tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                head(&mut stream).await;
                let body = json!({"kind": "Status", "reason": "Why", "message": "because"}).to_string();
                let length = body.len();
                let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            });
            let error = run(&cluster).await.unwrap_err();
            assert_eq!(matches!(error, ExecError::Forbidden(_)), is_forbidden, "{error}");
            assert_eq!(error.to_string().contains("pods/exec"), is_forbidden, "{error}");
            assert!(error.to_string().contains("because"), "{error}");
        }
    }
}
