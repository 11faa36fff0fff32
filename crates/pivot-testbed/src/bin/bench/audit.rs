//! The API servers' audit log: which requests a program sent, as the servers saw them.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::{Error, Result};

/// The user whose requests are logged: the program that is measured, and nobody else.
pub(crate) const MOVER: &str = "mover";

/// How much of each request is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// That it happened. Cheap enough to be on while times are measured.
    Requests,
    /// Bodies too, both ways.
    Bodies,
}

/// The log of one API server.
pub(crate) struct AuditLog {
    log: PathBuf,
    policy: PathBuf,
}

impl AuditLog {
    /// Writes the policy of a log into `folder`.
    pub(crate) fn new(folder: &Path, plane: &str, detail: Detail) -> Result<Self> {
        let level = match detail {
            Detail::Requests => "Metadata",
            Detail::Bodies => "RequestResponse",
        };
        // A watch is told when it begins, everything else when it is through.
        let policy = json!({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [
            {"level": level, "users": [MOVER], "verbs": ["watch"],
                "omitStages": ["RequestReceived", "ResponseComplete"]},
            {"level": level, "users": [MOVER], "omitStages": ["RequestReceived", "ResponseStarted"]},
            {"level": "None"},
        ]});
        let path = folder.join(format!("{plane}-audit-policy.json"));
        fs::write(&path, policy.to_string()).map_err(Error::file(&path))?;
        Ok(Self { log: folder.join(format!("{plane}-audit.log")), policy: path })
    }

    /// What makes an API server write it.
    pub(crate) fn api_server_args(&self) -> Vec<String> {
        vec![
            format!("--audit-policy-file={}", self.policy.display()),
            format!("--audit-log-path={}", self.log.display()),
            // In megabytes; a log that is rotated would be lost to its reader.
            "--audit-log-maxsize=1000000".to_owned(),
            // An answer does not wait for its line in the log, which few clusters keep. What does not fit into the buffer would be
            // lost.
            "--audit-log-mode=batch".to_owned(),
            "--audit-log-batch-buffer-size=100000".to_owned(),
        ]
    }

    /// The present end of the log.
    pub(crate) fn end(&self) -> u64 {
        // Nothing is logged before the mover's first request.
        fs::metadata(&self.log).map_or(0, |metadata| metadata.len())
    }

    /// Every request behind `start`, in the order in which they came in.
    pub(crate) fn read(&self, start: u64) -> Result<Vec<Request>> {
        let mut file = match File::open(&self.log) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            file => file.map_err(Error::file(&self.log))?,
        };
        file.seek(SeekFrom::Start(start)).map_err(Error::file(&self.log))?;
        let mut requests = Vec::new();
        for line in BufReader::new(file).lines() {
            let line = line.map_err(Error::file(&self.log))?;
            let request: Request = serde_json::from_str(&line)
                .map_err(|source| Error::Log { path: self.log.clone(), source })?;
            requests.push(request);
        }
        // They are logged in the order in which they were through.
        requests.sort_by(|a, b| a.received.cmp(&b.received));
        Ok(requests)
    }
}

/// One request of the mover.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Request {
    pub(crate) verb: String,
    #[serde(rename = "requestURI")]
    pub(crate) uri: String,
    /// RFC 3339 with six decimals, so that text sorts as time does.
    #[serde(rename = "requestReceivedTimestamp")]
    pub(crate) received: String,
    #[serde(default)]
    pub(crate) object_ref: ObjectRef,
    #[serde(default)]
    response_status: ResponseStatus,
    #[serde(rename = "requestObject")]
    pub(crate) body: Option<Value>,
    #[serde(rename = "responseObject")]
    pub(crate) answer: Option<Answer>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ObjectRef {
    pub(crate) api_group: String,
    pub(crate) resource: String,
    pub(crate) subresource: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ResponseStatus {
    code: u16,
}

/// What matters of an answer; items of lists are passed over.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Answer {
    pub(crate) kind: String,
    pub(crate) metadata: AnswerMetadata,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct AnswerMetadata {
    pub(crate) uid: Option<String>,
    pub(crate) resource_version: Option<String>,
    #[serde(rename = "continue")]
    pub(crate) continue_token: Option<String>,
}

impl Request {
    /// What it does, as far as requests are told apart in the results.
    pub(crate) fn deed(&self) -> Deed {
        let status = self.object_ref.subresource == "status";
        match self.verb.as_str() {
            // A question in the form of an object.
            "create" if self.object_ref.api_group == "authorization.k8s.io" => Deed::Read,
            "create" => Deed::Create,
            "update" | "patch" if status => Deed::Status,
            "update" => Deed::Update,
            "patch" => Deed::Patch,
            "delete" | "deletecollection" => Deed::Delete,
            _ => Deed::Read,
        }
    }

    /// The name of the object; empty for a collection.
    pub(crate) fn name(&self) -> &str {
        let in_body = || self.body.as_ref()?.pointer("/metadata/name")?.as_str();
        match self.object_ref.name.as_str() {
            "" if self.verb == "create" => in_body().unwrap_or_default(),
            name => name,
        }
    }

    /// True if the server did not do what was asked.
    pub(crate) fn is_refused(&self) -> bool {
        self.response_status.code >= 400
    }
}

/// Kinds of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Deed {
    Read,
    Create,
    Status,
    Update,
    Patch,
    Delete,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(verb: &str, reference: &Value) -> Request {
        serde_json::from_value(json!({"verb": verb, "requestURI": "/", "objectRef": reference,
            "requestReceivedTimestamp": "2026-03-02T09:00:00.000000Z"}))
        .unwrap()
    }

    #[test]
    fn requests_are_told_apart_by_what_they_do() {
        let hosts = json!({"resource": "baremetalhosts", "name": "a"});
        assert_eq!(request("create", &hosts).deed(), Deed::Create);
        assert_eq!(request("watch", &hosts).deed(), Deed::Read);
        assert_eq!(request("update", &json!({"subresource": "status"})).deed(), Deed::Status);
        assert_eq!(request("create", &json!({"apiGroup": "authorization.k8s.io"})).deed(), Deed::Read);
    }

    #[test]
    fn a_log_is_read_from_a_mark_on_in_the_order_of_arrival() {
        let folder = tempfile::tempdir().unwrap();
        let log = AuditLog::new(folder.path(), "a", Detail::Requests).unwrap();
        assert_eq!((log.end(), log.read(0).unwrap().len()), (0, 0));
        let line = |uri: &str, second: u32| {
            format!(
                "{}\n",
                json!({"verb": "get", "requestURI": uri,
                    "requestReceivedTimestamp": format!("2026-03-02T09:00:{second:02}.000000Z")})
            )
        };
        fs::write(&log.log, line("/old", 1)).unwrap();
        let mark = log.end();
        fs::write(&log.log, line("/old", 1) + &line("/late", 9) + &line("/early", 5)).unwrap();
        let uris: Vec<_> = log.read(mark).unwrap().into_iter().map(|request| request.uri).collect();
        assert_eq!(uris, ["/early", "/late"]);
    }
}
