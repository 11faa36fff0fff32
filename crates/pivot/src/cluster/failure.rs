//! Why a request did not do what it asked for, and what that means for a write.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode, header};
use pivot_core::fence::{denial_in, denied_by};
use serde::Deserialize;
use serde_json::Value;

/// Longest message of a server that is passed on, in bytes.
const MESSAGE_LIMIT: usize = 2_000;

/// A request that did not succeed.
///
/// Holds no body but the message of a `Status`, and of that no value of a Secret.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// The server answered with another status than 2xx.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// No connection, or no credentials: the server never saw the request.
    #[error("not sent: {reason}")]
    NotSent {
        /// What went wrong.
        reason: String,
    },
    /// Sent, perhaps, and no usable answer came back: nobody knows whether a write happened.
    #[error("no answer: {reason}")]
    Unknown {
        /// What went wrong.
        reason: String,
    },
}

/// What a server said in refusing a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// Machine-readable `reason` of the `Status`, such as `AlreadyExists`; empty where the answer was none.
    pub reason: String,
    /// `message` of the `Status`; empty where the answer was none.
    pub message: String,
    /// How long the server asks to wait.
    pub retry_after: Option<Duration>,
    /// The single faults that make up the refusal, mostly one a field.
    pub causes: Vec<Cause>,
}

/// One fault (`details.causes` of a `Status`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Cause {
    /// Machine-readable kind of fault, such as `FieldValueInvalid`.
    pub reason: String,
    /// Path of the field, such as `spec.replicas`.
    pub field: String,
    /// Words for it.
    pub message: String,
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.reason.is_empty() {
            StatusCode::from_u16(self.status).ok().and_then(|s| s.canonical_reason()).unwrap_or("?")
        } else {
            &self.reason
        };
        write!(f, "refused with {} {name}", self.status)?;
        // Around our own words the server names the policy, which says nothing more.
        if let Some(words) = self.fence_words() {
            return write!(f, ": {words}");
        }
        if self.message.is_empty() { Ok(()) } else { write!(f, ": {}", self.message) }
    }
}

impl Refusal {
    /// What a fence of ours said in refusing.
    fn fence_words(&self) -> Option<&str> {
        denial_in(&self.message)
    }
}

impl Failure {
    /// What the server said, where it answered.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::NotSent { .. } | Self::Unknown { .. } => None,
        }
    }

    /// HTTP status, where the server answered.
    pub fn status(&self) -> Option<u16> {
        self.refusal().map(|r| r.status)
    }

    fn is(&self, status: u16, reason: &str) -> bool {
        self.refusal().is_some_and(|r| r.status == status && (reason.is_empty() || r.reason == reason))
    }

    /// 404.
    pub fn is_not_found(&self) -> bool {
        self.is(404, "")
    }

    /// 401 or 403: credentials unknown, or not enough.
    pub fn is_forbidden(&self) -> bool {
        self.is(403, "") || self.is(401, "")
    }

    /// 409 on a create: the name is taken.
    pub fn is_already_exists(&self) -> bool {
        self.is(409, "AlreadyExists")
    }

    /// 409 for any other reason: a uid or resourceVersion precondition did not hold.
    pub fn is_conflict(&self) -> bool {
        self.is(409, "") && !self.is_already_exists()
    }

    /// 410: a `continue` token or `resourceVersion` is too old.
    pub fn is_expired(&self) -> bool {
        self.is(410, "")
    }

    /// The pivot whose fence refused: one that runs, or one that was left there. The message names the commands that clear it.
    pub fn fenced_by(&self) -> Option<&str> {
        self.refusal().filter(|r| matches!(r.status, 403 | 422)).and_then(|r| denied_by(&r.message))
    }

    /// True where the server says that it is busy and the same request may succeed later. It did nothing.
    pub fn is_throttled(&self) -> bool {
        self.is(429, "")
    }

    /// True where a write may or may not have happened, so that the object must be read back.
    ///
    /// Next to missing answers these are 408 and all 5xx: an API server answers 500 and 504 also when its store was slow
    /// and committed after all, and a proxy in between answers 502 and 503 on its own.
    pub fn leaves_write_unknown(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.status >= 500 || refusal.status == 408,
            Self::NotSent { .. } => false,
            Self::Unknown { .. } => true,
        }
    }

    /// An answer that came but cannot be read. Only the place is told: `serde_json` quotes values in its messages.
    pub(super) fn undecodable(what: &str, error: &serde_json::Error) -> Self {
        let place = format!("line {} column {}", error.line(), error.column());
        Self::Unknown {
            reason: format!("{what} cannot be decoded ({:?} error at {place})", error.classify()),
        }
    }

    /// Classes an error of the transport.
    pub(super) fn of_transport(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut deepest = error;
        let mut link = Some(error);
        while let Some(current) = link {
            if let Some(auth) = current.downcast_ref::<kube::client::AuthError>() {
                return Self::NotSent { reason: credential_problem(auth) };
            }
            if never_connected(current) {
                return Self::NotSent { reason: innermost(current).to_string() };
            }
            deepest = current;
            link = current.source();
        }
        Self::Unknown { reason: deepest.to_string() }
    }

    /// Classes an answer with a status other than 2xx. `sent` is the request's body where it concerned Secrets: the message may
    /// quote its values.
    pub(super) fn of_answer(
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        sent: Option<&[u8]>,
    ) -> Self {
        let answer: Answer = serde_json::from_slice(body).unwrap_or_default();
        let answer = if answer.kind == "Status" { answer } else { Answer::default() };
        let values = sent.map(secret_values);
        let presentable = |text: &str| shorten(values.as_ref().map_or(text.to_owned(), |v| mask(text, v)));
        let asked = headers
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .or(answer.details.retry_after_seconds);
        let causes = answer.details.causes.into_iter();
        Self::Refused(Box::new(Refusal {
            status: status.as_u16(),
            reason: answer.reason,
            message: presentable(&answer.message),
            retry_after: asked.filter(|seconds| *seconds > 0).map(Duration::from_secs),
            causes: causes.map(|cause| Cause { message: presentable(&cause.message), ..cause }).collect(),
        }))
    }
}

/// `metav1.Status`, as far as it is used.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    kind: String,
    reason: String,
    message: String,
    details: Details,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Details {
    causes: Vec<Cause>,
    retry_after_seconds: Option<u64>,
}

fn never_connected(error: &(dyn std::error::Error + 'static)) -> bool {
    if let Some(error) = error.downcast_ref::<hyper_util::client::legacy::Error>() {
        return error.is_connect();
    }
    // Only an attempt to connect can end like this, whatever layer reports it.
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
}

fn innermost<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a (dyn std::error::Error + 'static) {
    std::iter::successors(Some(error), |e| e.source()).last().unwrap_or(error)
}

/// Words for a credential problem. A plugin's own output stays out: it may hold the token.
pub(super) fn credential_problem(error: &kube::client::AuthError) -> String {
    use kube::client::AuthError;
    match error {
        AuthError::AuthExecRun { out, .. } => {
            format!("the credential plugin of the kubeconfig failed with {}", out.status)
        }
        AuthError::AuthExecStart(error) => {
            format!("the credential plugin of the kubeconfig cannot be started: {error}")
        }
        AuthError::ReadTokenFile(error, path) => {
            format!("the token file {} cannot be read: {error}", path.display())
        }
        AuthError::InvalidBasicAuth(_) | AuthError::InvalidBearerToken(_) => {
            "the token or password of the kubeconfig holds characters that no header may carry".to_owned()
        }
        _ => "the credential plugin of the kubeconfig gave no usable credentials".to_owned(),
    }
}

/// The values of a Secret as they were sent, encoded and decoded, the longest first. Shorter ones than these four bytes would
/// mask words of the message.
fn secret_values(sent: &[u8]) -> Vec<String> {
    let body: Value = serde_json::from_slice(sent).unwrap_or_default();
    let fields = ["data", "stringData"].into_iter().filter_map(|field| body.get(field)?.as_object());
    let encoded = fields.flat_map(serde_json::Map::values).filter_map(Value::as_str);
    let both = encoded.flat_map(|text| {
        let decoded = STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        [Some(text.to_owned()), decoded.map(|text| text.trim().to_owned())]
    });
    let mut values: Vec<String> = both.flatten().filter(|value| value.len() >= 4).collect();
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    values
}

/// Masks these values (admission may quote them anywhere), and what follows `value:` up to the end: validation errors quote
/// the value there, and nothing marks its end.
fn mask(message: &str, values: &[String]) -> String {
    const MASK: &str = "(not shown)";
    let masked = values.iter().fold(message.to_owned(), |text, value| text.replace(value.as_str(), MASK));
    match masked.find("value:") {
        Some(at) => format!("{}value: {MASK}", &masked[..at]),
        None => masked,
    }
}

fn shorten(mut message: String) -> String {
    if message.len() > MESSAGE_LIMIT {
        let end = (0..=MESSAGE_LIMIT).rev().find(|i| message.is_char_boundary(*i)).unwrap_or_default();
        message.truncate(end);
        message.push('…');
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refusal(status: u16, body: &serde_json::Value, secret: bool) -> Refusal {
        let status = StatusCode::from_u16(status).unwrap();
        let sent = secret.then_some(b"{}".as_slice());
        match Failure::of_answer(status, &HeaderMap::new(), body.to_string().as_bytes(), sent) {
            Failure::Refused(refusal) => *refusal,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn values_of_secrets_are_masked() {
        let body = json!({"kind": "Status", "reason": "Invalid",
            "message": "Secret \"a\" is invalid: data[k]: Invalid value: \"canary\": too long, Unsupported value: \"canary\"",
            "details": {"causes": [{"reason": "FieldValueInvalid", "field": "data[k]", "message": "Invalid value: \"canary\""}]}});
        let masked = refusal(422, &body, true);
        assert!(!format!("{masked:?} {masked}").contains("canary"), "{masked:?}");
        assert_eq!(masked.causes[0].field, "data[k]");
        assert!(refusal(422, &body, false).message.contains("canary"));
    }

    #[test]
    fn values_that_were_sent_are_masked_wherever_they_are_quoted() {
        let sent = json!({"data": {"k": "Y2FuYXJ5Cg==", "n": "MQ=="}, "stringData": {"s": "plain text"}});
        let message = "denied: `canary` (Y2FuYXJ5Cg==) of 1, and plain text, may not be";
        let body = json!({"kind": "Status", "message": message}).to_string();
        let sent = sent.to_string();
        let failure = Failure::of_answer(
            StatusCode::FORBIDDEN,
            &HeaderMap::new(),
            body.as_bytes(),
            Some(sent.as_bytes()),
        );
        let masked = &failure.refusal().unwrap().message;
        assert_eq!(masked, "denied: `(not shown)` ((not shown)) of 1, and (not shown), may not be");
    }

    #[test]
    fn an_answer_of_something_else_is_not_quoted() {
        let html = refusal(502, &json!("<html>canary</html>"), false);
        assert_eq!(html.to_string(), "refused with 502 Bad Gateway");
        let object = refusal(500, &json!({"kind": "Secret", "message": "canary"}), false);
        assert!(object.message.is_empty());
    }

    #[test]
    fn a_refusal_by_our_own_fence_names_the_pivot_and_nothing_around() {
        let words = "behind the fence of pivot p1: see `pivotctl status`";
        let message = format!(
            "machines \"m\" is forbidden: ValidatingAdmissionPolicy 'x' with binding 'x' denied request: {words}"
        );
        let body = json!({"kind": "Status", "reason": "Forbidden", "message": message});
        let of = |status| Failure::Refused(Box::new(refusal(status, &body, true)));
        assert_eq!(of(403).fenced_by(), Some("p1"));
        assert_eq!(of(403).to_string(), format!("refused with 403 Forbidden: {words}"));
        assert_eq!(of(500).fenced_by(), None);
        let other = json!({"kind": "Status", "reason": "Forbidden", "message": "no"});
        assert_eq!(Failure::Refused(Box::new(refusal(403, &other, false))).fenced_by(), None);
    }

    #[test]
    fn long_messages_end() {
        let long = refusal(400, &json!({"kind": "Status", "message": "ä".repeat(5_000)}), false);
        assert!(long.message.len() < MESSAGE_LIMIT + 4);
    }

    #[test]
    fn retry_after_comes_from_header_or_details() {
        let body = json!({"kind": "Status", "details": {"retryAfterSeconds": 3}});
        assert_eq!(refusal(429, &body, false).retry_after, Some(Duration::from_secs(3)));
        let headers = HeaderMap::from_iter([(header::RETRY_AFTER, "7".parse().unwrap())]);
        let failure = Failure::of_answer(StatusCode::TOO_MANY_REQUESTS, &headers, b"", None);
        assert_eq!(failure.refusal().unwrap().retry_after, Some(Duration::from_secs(7)));
    }

    #[test]
    fn only_surely_unapplied_failures_are_certain() {
        let of = |status| Failure::Refused(Box::new(refusal(status, &json!({}), false)));
        for status in [400, 403, 404, 409, 422, 429] {
            assert!(!of(status).leaves_write_unknown(), "{status}");
        }
        for status in [408, 500, 502, 503, 504] {
            assert!(of(status).leaves_write_unknown(), "{status}");
        }
        assert!(!Failure::NotSent { reason: String::new() }.leaves_write_unknown());
        assert!(Failure::Unknown { reason: String::new() }.leaves_write_unknown());
    }
}
