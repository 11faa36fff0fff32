//! The API server's audit log: who asked for what, and when, as the server saw it. Servers of one machine share a clock, so that the logs
//! of several planes make one time line.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Error, Result};

/// Whose requests are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched<'a> {
    /// One user's.
    User(&'a str),
    /// Everybody's, as far as they write.
    Writers,
}

/// How much of each request is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// That it happened. Cheap enough to be on while times are measured.
    Requests,
    /// Bodies too, both ways.
    Bodies,
}

/// The log of one API server.
#[derive(Debug)]
pub struct AuditLog {
    log: PathBuf,
    policy: PathBuf,
}

impl AuditLog {
    /// Writes the policy of a log into `folder`.
    pub fn new(folder: &Path, plane: &str, watched: Watched<'_>, detail: Detail) -> Result<Self> {
        let level = match detail {
            Detail::Requests => "Metadata",
            Detail::Bodies => "RequestResponse",
        };
        // A watch is told when it begins, everything else when it is through.
        let rules = match watched {
            Watched::User(user) => json!([
                {"level": level, "users": [user], "verbs": ["watch"],
                    "omitStages": ["RequestReceived", "ResponseComplete"]},
                {"level": level, "users": [user], "omitStages": ["RequestReceived", "ResponseStarted"]},
                {"level": "None"},
            ]),
            Watched::Writers => json!([
                {"level": "None", "verbs": ["get", "list", "watch"]},
                {"level": level, "omitStages": ["RequestReceived", "ResponseStarted"]},
            ]),
        };
        let policy = json!({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules});
        let path = folder.join(format!("{plane}-audit-policy.json"));
        fs::write(&path, policy.to_string()).map_err(Error::file(&path))?;
        Ok(Self { log: folder.join(format!("{plane}-audit.log")), policy: path })
    }

    /// What makes an API server write it.
    pub fn api_server_args(&self) -> Vec<String> {
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
    pub fn end(&self) -> u64 {
        // Nothing is logged before the first request.
        fs::metadata(&self.log).map_or(0, |metadata| metadata.len())
    }

    /// Every request behind `start`, in the order in which they came in.
    pub fn read(&self, start: u64) -> Result<Vec<Request>> {
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

/// One request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// As Kubernetes calls it, such as `create`.
    pub verb: String,
    /// Path and query.
    #[serde(rename = "requestURI")]
    pub uri: String,
    /// RFC 3339 with six decimals, so that text sorts as time does.
    #[serde(rename = "requestReceivedTimestamp")]
    pub received: String,
    /// Who asked.
    #[serde(default)]
    pub user: User,
    /// For what.
    #[serde(default)]
    pub object_ref: ObjectRef,
    #[serde(default)]
    response_status: ResponseStatus,
    /// What was sent, where bodies are logged.
    #[serde(rename = "requestObject")]
    pub body: Option<Value>,
    /// What was answered, where bodies are logged.
    #[serde(rename = "responseObject")]
    pub answer: Option<Answer>,
}

/// Who asked.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct User {
    /// The name.
    pub username: String,
}

/// What a request is for.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectRef {
    /// API group; empty for the core group.
    pub api_group: String,
    /// Plural.
    pub resource: String,
    /// Subresource; empty for the object itself.
    pub subresource: String,
    /// Namespace; empty for what is in none.
    pub namespace: String,
    /// Name; empty for a collection.
    pub name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ResponseStatus {
    code: u16,
}

/// What matters of an answer; items of lists are passed over.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Answer {
    /// The kind of the object.
    pub kind: String,
    /// Its metadata.
    pub metadata: AnswerMetadata,
}

/// What matters of an object's metadata, or of a list's.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AnswerMetadata {
    /// The object's uid.
    pub uid: Option<String>,
    /// The revision.
    pub resource_version: Option<String>,
    /// Where a list goes on.
    #[serde(rename = "continue")]
    pub continue_token: Option<String>,
}

impl Request {
    /// What it does, as far as requests are told apart in the results.
    pub fn deed(&self) -> Deed {
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
    pub fn name(&self) -> &str {
        let in_body = || self.body.as_ref()?.pointer("/metadata/name")?.as_str();
        match self.object_ref.name.as_str() {
            "" if self.verb == "create" => in_body().unwrap_or_default(),
            name => name,
        }
    }

    /// True if the server did not do what was asked.
    pub fn is_refused(&self) -> bool {
        self.response_status.code >= 400
    }
}

/// Kinds of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Deed {
    /// Nothing is changed.
    Read,
    /// An object is made.
    Create,
    /// A status is written.
    Status,
    /// An object is replaced.
    Update,
    /// An object is changed in part.
    Patch,
    /// An object is deleted, or many are.
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
        let log = AuditLog::new(folder.path(), "a", Watched::Writers, Detail::Requests).unwrap();
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
