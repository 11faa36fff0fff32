//! One request, as an API server understands it.

use std::{collections::BTreeMap, fmt};

use bytes::Bytes;
use http::{HeaderMap, Method, header, request::Parts};
use serde_json::Value;

/// What a request wants, in the words of RBAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verb {
    /// One object.
    Get,
    /// A collection.
    List,
    /// The changes of a collection.
    Watch,
    /// POST.
    Create,
    /// PUT.
    Update,
    /// PATCH.
    Patch,
    /// DELETE of one object.
    Delete,
    /// DELETE of a collection.
    DeleteCollection,
    /// Discovery, version and health.
    NonResource,
}

impl Verb {
    /// The verbs that change the world.
    pub const WRITES: [Self; 5] =
        [Self::Create, Self::Update, Self::Patch, Self::Delete, Self::DeleteCollection];

    /// True for the verbs that change the world.
    pub fn is_write(self) -> bool {
        Self::WRITES.contains(&self)
    }

    /// Its name in RBAC rules.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
            Self::NonResource => "nonresource",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One request. Fields that do not apply are empty.
#[derive(Clone)]
pub struct Call {
    /// Its place among all requests to this server, from 1.
    pub number: usize,
    /// What it wants.
    pub verb: Verb,
    /// The path without the query.
    pub path: String,
    /// The query.
    pub query: BTreeMap<String, String>,
    /// API group.
    pub group: String,
    /// API version.
    pub version: String,
    /// The resource's name in the path.
    pub plural: String,
    /// The kind; empty if the server does not serve the resource.
    pub kind: String,
    /// For example `status`.
    pub subresource: String,
    /// Namespace; for a Namespace itself its own name.
    pub namespace: String,
    /// Name; for a create the name in the body.
    pub name: String,
    /// The user the request runs as: the impersonated one, else the client's own; empty for the holder of a token.
    pub user: String,
    /// Impersonated extra attributes.
    pub extra: BTreeMap<String, String>,
    /// The body as JSON; `None` if there is none or it does not parse.
    pub body: Option<Value>,
    pub(crate) malformed: bool,
    pub(crate) content_type: String,
    pub(crate) metadata_only: bool,
    pub(crate) aggregated: bool,
}

/// Without the body, which may hold a secret.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{} {} {}", self.number, self.verb, self.path)?;
        if !self.name.is_empty() && self.verb == Verb::Create {
            write!(f, " ({})", self.name)?;
        }
        Ok(())
    }
}

impl Call {
    /// Reads a request of a user. The history gives it a number, and whoever knows what is served the kind.
    pub(crate) fn read(user: &str, parts: &Parts, body: &Bytes) -> Self {
        let path = parts.uri.path().trim_end_matches('/').to_owned();
        let query: BTreeMap<_, _> =
            form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        let content_type = text(&parts.headers, header::CONTENT_TYPE.as_str()).to_owned();
        let accept = text(&parts.headers, header::ACCEPT.as_str());
        let parsed = parse_body(body, &content_type);
        let mut call = Self {
            number: 0,
            verb: Verb::NonResource,
            query,
            group: String::new(),
            version: String::new(),
            plural: String::new(),
            kind: String::new(),
            subresource: String::new(),
            namespace: String::new(),
            name: String::new(),
            user: user.to_owned(),
            extra: BTreeMap::new(),
            malformed: parsed.is_none() && !body.is_empty(),
            body: parsed,
            content_type,
            metadata_only: accept.contains("as=PartialObjectMetadata"),
            aggregated: accept.contains("as=APIGroupDiscoveryList"),
            path,
        };
        call.read_identity(&parts.headers);
        call.read_path(&parts.method);
        call
    }

    fn read_identity(&mut self, headers: &HeaderMap) {
        const EXTRA: &str = "impersonate-extra-";
        let user = text(headers, "impersonate-user");
        if !user.is_empty() {
            user.clone_into(&mut self.user);
        }
        for (name, value) in headers {
            if let Some(key) = name.as_str().strip_prefix(EXTRA) {
                let key = key.replace("%2f", "/").replace("%2F", "/");
                self.extra.insert(key, value.to_str().unwrap_or_default().to_owned());
            }
        }
    }

    fn read_path(&mut self, method: &Method) {
        let path = self.path.clone();
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let (group, version, rest) = match segments.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return,
        };
        // A namespace's own subresources and the resources inside it share one form of path.
        let (namespace, rest) = match rest {
            ["namespaces", name, "status" | "finalize"] if group.is_empty() => (*name, rest),
            ["namespaces", namespace, inside @ ..] if !inside.is_empty() => (*namespace, inside),
            ["namespaces", name] if group.is_empty() => (*name, rest),
            _ => ("", rest),
        };
        let (plural, name, subresource) = match rest {
            [plural] => (*plural, "", ""),
            [plural, name] => (*plural, *name, ""),
            [plural, name, subresource] => (*plural, *name, *subresource),
            _ => return,
        };
        group.clone_into(&mut self.group);
        version.clone_into(&mut self.version);
        plural.clone_into(&mut self.plural);
        namespace.clone_into(&mut self.namespace);
        name.clone_into(&mut self.name);
        subresource.clone_into(&mut self.subresource);
        let watching = self.query.get("watch").is_some_and(|value| matches!(value.as_str(), "true" | "1"));
        self.verb = match (method.as_str(), name.is_empty()) {
            ("GET", true) if watching => Verb::Watch,
            ("GET", true) => Verb::List,
            ("GET", false) => Verb::Get,
            ("POST", _) => Verb::Create,
            ("PUT", _) => Verb::Update,
            ("PATCH", _) => Verb::Patch,
            ("DELETE", true) => Verb::DeleteCollection,
            ("DELETE", false) => Verb::Delete,
            _ => Verb::NonResource,
        };
        if self.verb == Verb::Create
            && let Some(name) = self.body.as_ref().and_then(|body| body["metadata"]["name"].as_str())
        {
            name.clone_into(&mut self.name);
        }
    }

    pub(crate) fn query(&self, key: &str) -> &str {
        self.query.get(key).map_or("", String::as_str)
    }

    pub(crate) fn dry_run(&self) -> bool {
        let in_body = self.body.as_ref().is_some_and(|body| {
            self.verb == Verb::Delete && body["dryRun"].as_array().is_some_and(|all| !all.is_empty())
        });
        self.query("dryRun") == "All" || in_body
    }

    /// The name of the field manager that the request writes as.
    pub(crate) fn manager(&self) -> &str {
        match self.query("fieldManager") {
            "" => "unknown",
            manager => manager,
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn parse_body(body: &Bytes, content_type: &str) -> Option<Value> {
    serde_json::from_slice(body).ok().or_else(|| {
        let yaml = content_type.contains("yaml").then(|| std::str::from_utf8(body).ok()).flatten()?;
        serde_saphyr::from_str(yaml).ok()
    })
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn call(method: &str, uri: &str, body: &str) -> Call {
        let (parts, ()) = Request::builder().method(method).uri(uri).body(()).unwrap().into_parts();
        Call::read("me", &parts, &Bytes::copy_from_slice(body.as_bytes()))
    }

    #[test]
    fn paths_name_resources() {
        let told = |method: &str, uri: &str| {
            let call = call(method, uri, r#"{"metadata":{"name":"made"}}"#);
            [call.verb.as_str(), &call.group, &call.plural, &call.namespace, &call.name, &call.subresource]
                .join(" ")
        };
        assert_eq!(told("GET", "/api/v1/namespaces"), "list  namespaces   ");
        assert_eq!(told("GET", "/api/v1/namespaces/a"), "get  namespaces a a ");
        assert_eq!(told("PUT", "/api/v1/namespaces/a/status"), "update  namespaces a a status");
        assert_eq!(told("GET", "/api/v1/namespaces/a/secrets?watch=1"), "watch  secrets a  ");
        assert_eq!(told("POST", "/api/v1/namespaces/a/secrets"), "create  secrets a made ");
        assert_eq!(
            told("PATCH", "/apis/metal3.io/v1alpha1/namespaces/a/baremetalhosts/h/status"),
            "patch metal3.io baremetalhosts a h status"
        );
        assert_eq!(told("DELETE", "/apis/x.io/v1/things"), "deletecollection x.io things   ");
        assert_eq!(told("GET", "/apis/x.io/v1/things/t"), "get x.io things  t ");
        assert_eq!(told("GET", "/version"), "nonresource     ");
        assert_eq!(told("GET", "/apis"), "nonresource     ");
    }

    #[test]
    fn query_and_body_are_decoded() {
        let read = call("GET", "/api/v1/secrets?labelSelector=a%3Db%2Cc&limit=5", "");
        assert_eq!(read.query("labelSelector"), "a=b,c");
        assert!(!read.malformed && read.body.is_none());
        assert!(call("POST", "/api/v1/namespaces", "{").malformed);
    }
}
