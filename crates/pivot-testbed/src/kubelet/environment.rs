//! What a container finds in its environment, and what becomes of `$(NAME)` in its command line.

use std::{collections::BTreeMap, net::SocketAddrV4};

use k8s_openapi::api::core::v1::{Container, EnvVar, EnvVarSource, ObjectFieldSelector, Pod};

use super::{Setback, source::Sources};

/// What programs expect of the machine.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The environment of a container.
pub(super) async fn of(
    container: &Container,
    pod: &Pod,
    sources: &Sources,
    server: SocketAddrV4,
) -> Result<BTreeMap<String, String>, Setback> {
    let mut environment = BTreeMap::from([
        ("PATH".to_owned(), PATH.to_owned()),
        ("HOME".to_owned(), "/root".to_owned()),
        ("HOSTNAME".to_owned(), host_name(pod)),
        // The Service of this name leads nowhere here: clients are sent to the API server itself.
        ("KUBERNETES_SERVICE_HOST".to_owned(), server.ip().to_string()),
        ("KUBERNETES_SERVICE_PORT".to_owned(), server.port().to_string()),
    ]);
    for from in container.env_from.iter().flatten() {
        let prefix = from.prefix.as_deref().unwrap_or_default();
        let mut data = BTreeMap::new();
        if let Some(reference) = &from.config_map_ref {
            data = sources.config_map(&reference.name, reference.optional).await?;
        }
        if let Some(reference) = &from.secret_ref {
            data = sources.secret(&reference.name, reference.optional).await?;
        }
        for (key, bytes) in data {
            environment.insert(format!("{prefix}{key}"), text(bytes)?);
        }
    }
    for variable in container.env.iter().flatten() {
        if let Some(value) = value_of(variable, pod, sources, &environment).await? {
            environment.insert(variable.name.clone(), value);
        }
    }
    Ok(environment)
}

/// The pod's name, as much of it as a host name may have.
fn host_name(pod: &Pod) -> String {
    let name: String = pod.metadata.name.iter().flat_map(|name| name.chars()).take(63).collect();
    name.trim_end_matches(['-', '.']).to_owned()
}

async fn value_of(
    variable: &EnvVar,
    pod: &Pod,
    sources: &Sources,
    so_far: &BTreeMap<String, String>,
) -> Result<Option<String>, Setback> {
    let Some(from) = &variable.value_from else {
        return Ok(Some(expand(variable.value.as_deref().unwrap_or_default(), so_far)));
    };
    let (data, key, optional) = match from {
        EnvVarSource { field_ref: Some(selector), .. } => return field(selector, pod).map(Some),
        EnvVarSource { config_map_key_ref: Some(reference), .. } => (
            sources.config_map(&reference.name, reference.optional).await?,
            &reference.key,
            reference.optional,
        ),
        EnvVarSource { secret_key_ref: Some(reference), .. } => {
            (sources.secret(&reference.name, reference.optional).await?, &reference.key, reference.optional)
        }
        _ => return Err(Setback::unsupported("env.valueFrom", &variable.name)),
    };
    match data.get(key) {
        Some(bytes) => text(bytes.clone()).map(Some),
        None if optional == Some(true) => Ok(None),
        None => Err(Setback::new(format!("no key {key} for variable {}", variable.name))),
    }
}

fn text(bytes: Vec<u8>) -> Result<String, Setback> {
    String::from_utf8(bytes).map_err(|_| Setback::new("a value for the environment is not UTF-8".to_owned()))
}

/// A field of a pod, as the downward API names it.
pub(super) fn field(selector: &ObjectFieldSelector, pod: &Pod) -> Result<String, Setback> {
    let (metadata, spec, status) = (&pod.metadata, pod.spec.as_ref(), pod.status.as_ref());
    let path = selector.field_path.as_str();
    let keyed = |map: &Option<BTreeMap<String, String>>, key: &str| {
        map.as_ref().and_then(|map| map.get(key).cloned()).unwrap_or_default()
    };
    if let Some((map, key)) = path.strip_suffix("']").and_then(|path| path.split_once("['")) {
        match map {
            "metadata.labels" => return Ok(keyed(&metadata.labels, key)),
            "metadata.annotations" => return Ok(keyed(&metadata.annotations, key)),
            _ => return Err(Setback::unsupported("field", path)),
        }
    }
    let value = match path {
        "metadata.name" => metadata.name.clone(),
        "metadata.namespace" => metadata.namespace.clone(),
        "metadata.uid" => metadata.uid.clone(),
        "spec.nodeName" => spec.and_then(|spec| spec.node_name.clone()),
        "spec.serviceAccountName" => spec.and_then(|spec| spec.service_account_name.clone()),
        "status.podIP" | "status.podIPs" => status.and_then(|status| status.pod_ip.clone()),
        "status.hostIP" | "status.hostIPs" => status.and_then(|status| status.host_ip.clone()),
        _ => return Err(Setback::unsupported("field", path)),
    };
    Ok(value.unwrap_or_default())
}

/// Puts values for `$(NAME)`; `$$` stands for one `$`, and a name that is not known stays as it is.
pub(super) fn expand(text: &str, environment: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
            match environment.get(name) {
                Some(value) => out.push_str(value),
                None => out.extend(["$(", name, ")"]),
            }
            rest = after;
        } else {
            out.push('$');
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_is_cut_as_the_real_one_is() {
        let mut pod = Pod::default();
        pod.metadata.name = Some(format!("{}-b", "a".repeat(62)));
        assert_eq!(host_name(&pod), "a".repeat(62));
    }

    #[test]
    fn known_names_are_expanded_once() {
        let environment =
            BTreeMap::from([("A".to_owned(), "$(B)".to_owned()), ("B".to_owned(), "b".to_owned())]);
        let expand = |text| expand(text, &environment);
        assert_eq!(expand("--x=$(A)$(B)"), "--x=$(B)b");
        assert_eq!(expand("$$(B) $(C) $x $"), "$(B) $(C) $x $");
        assert_eq!(expand("$(B"), "$(B");
    }
}
