//! Kubeconfig files, read and merged as `kubectl` does it.
//!
//! Errors name file, line and column, and never quote: what stands there may be a token.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use kube::config::{AuthInfo, Cluster, Kubeconfig};

/// Kubeconfigs that do not lead to a cluster.
#[derive(Debug, thiserror::Error)]
pub enum KubeconfigError {
    /// No file was named.
    #[error("no kubeconfig named")]
    NoFile,
    /// Missing, or not readable.
    #[error("cannot read kubeconfig {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not YAML, or not a kubeconfig.
    #[error("kubeconfig {}: {place}{problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// `line L column C: `, or empty where no place is known.
        place: String,
        /// What is wrong there.
        problem: String,
    },
    /// No context was asked for and the files set none.
    #[error("the kubeconfig sets no current-context; {}", known_contexts(known))]
    NoContext {
        /// Contexts that exist.
        known: Vec<String>,
    },
    /// No such context.
    #[error("no context `{context}` in the kubeconfig; {}", known_contexts(known))]
    UnknownContext {
        /// The one asked for.
        context: String,
        /// Contexts that exist.
        known: Vec<String>,
    },
    /// The context names a cluster or user that is not there.
    #[error("context `{context}` names the {what} `{name}`, which the kubeconfig does not have")]
    Dangling {
        /// The context.
        context: String,
        /// `cluster` or `user`.
        what: &'static str,
        /// What it is called.
        name: String,
    },
}

fn known_contexts(known: &[String]) -> String {
    if known.is_empty() { "it has no contexts".to_owned() } else { format!("it has: {}", known.join(", ")) }
}

/// What a context leads to.
#[derive(Debug)]
pub(super) struct Selected {
    pub(super) context: String,
    pub(super) namespace: String,
    pub(super) cluster_name: String,
    pub(super) cluster: Cluster,
    pub(super) user: AuthInfo,
}

/// Reads and merges the files; the first to name something wins. Of several files those that do not exist are passed
/// over, as `kubectl` does with the list in `KUBECONFIG`.
pub(super) fn read(paths: &[PathBuf]) -> Result<Kubeconfig, KubeconfigError> {
    let mut merged: Option<Kubeconfig> = None;
    let mut missing = None;
    for path in paths {
        let next = match read_file(path) {
            Err(KubeconfigError::Read { path, source }) if source.kind() == io::ErrorKind::NotFound => {
                missing.get_or_insert(KubeconfigError::Read { path, source });
                continue;
            }
            outcome => outcome?,
        };
        merged = Some(match merged {
            None => next,
            Some(first) => first.merge(next).map_err(|error| malformed(path, &error.to_string()))?,
        });
    }
    merged.ok_or_else(|| missing.unwrap_or(KubeconfigError::NoFile))
}

fn read_file(path: &Path) -> Result<Kubeconfig, KubeconfigError> {
    let bytes = fs::read(path).map_err(|source| KubeconfigError::Read { path: path.to_owned(), source })?;
    let text = str::from_utf8(&bytes).map_err(|_| malformed(path, "not UTF-8 text"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let documents: Vec<Kubeconfig> = serde_saphyr::from_multiple(text).map_err(|e| unreadable(path, &e))?;
    let merged = documents.into_iter().try_fold(Kubeconfig::default(), Kubeconfig::merge);
    let mut config = merged.map_err(|error| malformed(path, &error.to_string()))?;
    if let Some(kind) = config.kind.as_deref().filter(|kind| *kind != "Config") {
        return Err(malformed(path, &format!("this is a {kind}, not a kubeconfig")));
    }
    resolve_paths(&mut config, path.parent().unwrap_or(Path::new("")));
    Ok(config)
}

/// Paths in a kubeconfig start at its folder.
fn resolve_paths(config: &mut Kubeconfig, folder: &Path) {
    let clusters = config.clusters.iter_mut().filter_map(|named| named.cluster.as_mut());
    let mut files: Vec<&mut String> =
        clusters.filter_map(|cluster| cluster.certificate_authority.as_mut()).collect();
    for user in config.auth_infos.iter_mut().filter_map(|named| named.auth_info.as_mut()) {
        files.extend(user.client_certificate.as_mut());
        files.extend(user.client_key.as_mut());
        files.extend(user.token_file.as_mut());
        // A bare command is looked up in PATH.
        let command = user.exec.as_mut().and_then(|exec| exec.command.as_mut());
        files.extend(command.filter(|command| command.contains(std::path::MAIN_SEPARATOR)));
    }
    for file in files.into_iter().filter(|file| !file.is_empty()) {
        if let Some(absolute) = folder.join(&*file).to_str() {
            absolute.clone_into(file);
        }
    }
}

/// Follows a context, or the current one, to cluster and user.
pub(super) fn select(config: &Kubeconfig, context: Option<&str>) -> Result<Selected, KubeconfigError> {
    let known = || config.contexts.iter().map(|named| named.name.clone()).collect::<Vec<_>>();
    let current = config.current_context.as_deref().filter(|name| !name.is_empty());
    let Some(name) = context.or(current) else { return Err(KubeconfigError::NoContext { known: known() }) };
    let entry = config.contexts.iter().find(|named| named.name == name);
    let Some(selected) = entry.and_then(|named| named.context.as_ref()) else {
        return Err(KubeconfigError::UnknownContext { context: name.to_owned(), known: known() });
    };
    let dangling = |what, target: &str| KubeconfigError::Dangling {
        context: name.to_owned(),
        what,
        name: target.to_owned(),
    };
    let cluster = config
        .clusters
        .iter()
        .find(|named| named.name == selected.cluster)
        .and_then(|named| named.cluster.clone())
        .ok_or_else(|| dangling("cluster", &selected.cluster))?;
    let user = match selected.user.as_deref().filter(|user| !user.is_empty()) {
        None => AuthInfo::default(),
        Some(user) => config
            .auth_infos
            .iter()
            .find(|named| named.name == user)
            .map(|named| named.auth_info.clone().unwrap_or_default())
            .ok_or_else(|| dangling("user", user))?,
    };
    let namespace = selected.namespace.clone().filter(|namespace| !namespace.is_empty());
    Ok(Selected {
        context: name.to_owned(),
        namespace: namespace.unwrap_or_else(|| "default".to_owned()),
        cluster_name: selected.cluster.clone(),
        cluster,
        user,
    })
}

fn malformed(path: &Path, problem: &str) -> KubeconfigError {
    KubeconfigError::Malformed { path: path.to_owned(), place: String::new(), problem: problem.to_owned() }
}

/// The parser's own words quote the document, so they are put anew.
fn unreadable(path: &Path, error: &serde_saphyr::Error) -> KubeconfigError {
    use serde_saphyr::Error;
    let problem = match error.without_snippet() {
        Error::SerdeInvalidType { expected, .. } | Error::SerdeInvalidValue { expected, .. } => {
            format!("expected {expected}")
        }
        Error::Unexpected { expected, .. } => format!("expected {expected}"),
        Error::SerdeMissingField { field, .. } => format!("`{field}` is missing"),
        Error::DuplicateMappingKey { .. } => "a key stands here a second time".to_owned(),
        Error::Eof { .. } => "the file ends too early".to_owned(),
        _ => "not valid YAML, or not what belongs here in a kubeconfig".to_owned(),
    };
    let place = error.location().map(|at| format!("line {} column {}: ", at.line(), at.column()));
    KubeconfigError::Malformed { path: path.to_owned(), place: place.unwrap_or_default(), problem }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    const FIRST: &str = "
kind: Config
contexts:
- {name: a, context: {cluster: one, user: root, namespace: metal3}}
- {name: broken, context: {cluster: gone, user: root}}
- {name: stranger, context: {cluster: one, user: nobody}}
clusters:
- {name: one, cluster: {server: 'https://one:6443', certificate-authority: ca.crt}}
users:
- {name: root, user: {token: canary, client-key: /keys/key.pem, exec: {command: ./login}}}
";
    const SECOND: &str = "
current-context: b
contexts:
- {name: a, context: {cluster: two}}
- {name: b, context: {cluster: two}}
clusters:
- {name: one, cluster: {server: 'https://other'}}
- {name: two, cluster: {server: 'https://two'}}
";

    fn files(texts: &[&str]) -> (TempDir, Vec<PathBuf>) {
        let dir = tempfile::tempdir().unwrap();
        let write = |(index, text): (usize, &&str)| {
            let path = dir.path().join(format!("{index}.yaml"));
            fs::write(&path, text).unwrap();
            path
        };
        let paths = texts.iter().enumerate().map(write).collect();
        (dir, paths)
    }

    fn message(text: &str, context: Option<&str>) -> String {
        let (_dir, paths) = files(&[text]);
        read(&paths).and_then(|config| select(&config, context)).unwrap_err().to_string()
    }

    #[test]
    fn the_first_file_to_name_something_wins() {
        let (dir, mut paths) = files(&[FIRST, SECOND]);
        paths.insert(0, dir.path().join("missing.yaml"));
        let a = select(&read(&paths).unwrap(), Some("a")).unwrap();
        assert_eq!((a.cluster.server.as_deref(), a.namespace.as_str()), (Some("https://one:6443"), "metal3"));
        let b = select(&read(&paths).unwrap(), None).unwrap();
        assert_eq!((b.context.as_str(), b.namespace.as_str()), ("b", "default"));
        assert_eq!(b.cluster.server.as_deref(), Some("https://two"));
    }

    #[test]
    fn paths_start_at_the_folder_of_their_file() {
        let (dir, paths) = files(&[FIRST]);
        let selected = select(&read(&paths).unwrap(), Some("a")).unwrap();
        let in_folder = |name: &str| Some(dir.path().join(name).to_str().unwrap().to_owned());
        assert_eq!(selected.cluster.certificate_authority, in_folder("ca.crt"));
        assert_eq!(selected.user.client_key.as_deref(), Some("/keys/key.pem"));
        assert_eq!(selected.user.exec.unwrap().command, in_folder("./login"));
    }

    #[test]
    fn a_missing_file_is_named() {
        let (dir, _) = files(&[]);
        let error = read(&[dir.path().join("gone")]).unwrap_err().to_string();
        assert!(error.starts_with("cannot read kubeconfig ") && error.contains("/gone: "), "{error}");
        assert!(matches!(read(&[]), Err(KubeconfigError::NoFile)));
    }

    #[test]
    fn contexts_that_exist_are_listed() {
        assert_eq!(
            message(FIRST, Some("x")),
            "no context `x` in the kubeconfig; it has: a, broken, stranger"
        );
        assert_eq!(
            message(FIRST, None),
            "the kubeconfig sets no current-context; it has: a, broken, stranger"
        );
        assert_eq!(message("", None), "the kubeconfig sets no current-context; it has no contexts");
    }

    #[test]
    fn dangling_names_are_told() {
        let names = |what| format!("names the {what}, which the kubeconfig does not have");
        assert!(message(FIRST, Some("broken")).ends_with(&names("cluster `gone`")));
        assert!(message(FIRST, Some("stranger")).ends_with(&names("user `nobody`")));
    }

    #[test]
    fn a_malformed_file_tells_the_place_and_quotes_nothing() {
        let texts = [
            "users:\n- name: a\n  user: {token: canary\n",
            "contexts: canary\n",
            "users:\n- name: a\n  user:\n    token: canary\n    token: canary\n",
            "users:\n- user: {token: canary}\n",
            "users:\n- name: a\n  user:\n    token: [canary]\n",
            "\tcanary",
        ];
        for text in texts {
            let error = message(text, None);
            assert!(error.contains("0.yaml: line "), "{error}");
            assert!(!error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn something_else_is_told_apart() {
        let error = message("apiVersion: v1\nkind: Secret\ndata: {a: canary}\n", None);
        assert!(error.ends_with("this is a Secret, not a kubeconfig"), "{error}");
        let (_dir, paths) = files(&[""]);
        fs::write(&paths[0], [0xff, 0xfe, 0x41]).unwrap();
        assert!(read(&paths).unwrap_err().to_string().ends_with("not UTF-8 text"));
    }
}
