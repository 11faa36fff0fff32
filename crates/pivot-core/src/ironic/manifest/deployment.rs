//! The Deployment of metal3's kustomizations.

use serde_json::{Value, json};

use super::inherited::CONFIG_MAP_NAME;
use super::settings::{GROUP, Settings, USER};
use super::{Document, managed};
use crate::ironic::STOPPED;

/// Its name where the kustomization's prefix is the usual one.
const NAME: &str = "baremetal-operator-ironic";
/// The user and group of keepalived's image.
const KEEPALIVED_USER: u32 = 65_532;
/// What the containers share: images and logs.
const DATA: &str = "ironic-data-volume";
/// The volume of the API's certificate, and of its authority.
const CERTIFICATE: &str = "cert-ironic";
const AUTHORITY: &str = "cert-ironic-ca";

pub(super) fn document(settings: &Settings) -> Document {
    let mut metadata = json!({
        "name": NAME,
        "namespace": settings.namespace,
        "labels": managed(),
    });
    let (replicas, comments) = if settings.run {
        (1, Vec::new())
    } else {
        metadata["annotations"] = json!({STOPPED: "1"});
        let comments = [
            "It stands until `pivotctl ironic start --form cluster` starts it, when the source's Ironic has stopped: two at once",
            "fight for the endpoint address and hand out addresses twice. Whoever applies this again stops it again.",
        ];
        (0, comments.map(str::to_owned).to_vec())
    };
    let object = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "minReadySeconds": 10,
            "replicas": replicas,
            "selector": {"matchLabels": {"name": "ironic"}},
            // Never two at once, not even for a moment.
            "strategy": {"type": "Recreate"},
            "template": {
                "metadata": {"labels": {"name": "ironic"}},
                "spec": pod(settings),
            },
        },
    });
    Document { comments, object }
}

fn pod(settings: &Settings) -> Value {
    let mut init: Vec<Value> = settings.lease_container().into_iter().collect();
    init.push(container(
        "ironic-ipa-downloader",
        &settings.downloader_image,
        "/usr/local/bin/get-resource.sh",
    ));
    let mut containers: Vec<Value> = dnsmasq(settings).into_iter().collect();
    containers.extend([ironic(settings), log_watch(settings), httpd(settings), keepalived(settings)]);
    let mut volumes = vec![json!({"name": DATA, "emptyDir": {}})];
    volumes.extend(settings.lease_volumes());
    for (name, secret) in
        [(CERTIFICATE, settings.secrets.certificate.as_ref()), (AUTHORITY, authority(settings))]
    {
        volumes.extend(secret.map(|secret| json!({"name": name, "secret": {"secretName": secret}})));
    }
    json!({
        "hostNetwork": true,
        "initContainers": init,
        "containers": containers,
        "securityContext": {
            "fsGroup": GROUP,
            "runAsNonRoot": true,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumes": volumes,
    })
}

/// Without a certificate there is nobody to vouch for it.
fn authority(settings: &Settings) -> Option<&String> {
    settings.secrets.authority.as_ref().filter(|_| settings.secrets.certificate.is_some())
}

fn container(name: &str, image: &str, command: &str) -> Value {
    json!({
        "name": name,
        "image": image,
        "command": [command],
        "envFrom": [{"configMapRef": {"name": CONFIG_MAP_NAME}}],
        "securityContext": security(USER, GROUP, &[]),
        "volumeMounts": [{"name": DATA, "mountPath": "/shared"}],
    })
}

/// What a container may do. Capabilities come to a program by its file, which needs the escalation to be allowed.
fn security(user: u32, group: u32, capabilities: &[&str]) -> Value {
    let mut allowed = json!({"drop": ["ALL"]});
    if !capabilities.is_empty() {
        allowed["add"] = json!(capabilities);
    }
    json!({
        "allowPrivilegeEscalation": !capabilities.is_empty(),
        "capabilities": allowed,
        "privileged": false,
        "runAsUser": user,
        "runAsGroup": group,
    })
}

/// Asks the container itself whether it serves.
fn probed(container: &mut Value, command: &[&str]) {
    for probe in ["livenessProbe", "readinessProbe"] {
        container[probe] = json!({
            "exec": {"command": command},
            "initialDelaySeconds": 30,
            "periodSeconds": 30,
            "timeoutSeconds": 10,
            "successThreshold": 1,
            "failureThreshold": 10,
        });
    }
}

fn push(container: &mut Value, list: &str, value: Value) {
    match container[list].as_array_mut() {
        Some(there) => there.push(value),
        None => container[list] = json!([value]),
    }
}

/// The DHCP server, where there is DHCP.
fn dnsmasq(settings: &Settings) -> Option<Value> {
    let ranges = settings.provisioning.ranges();
    if ranges.is_empty() {
        return None;
    }
    let mut container = container("ironic-dnsmasq", &settings.image, "/bin/rundnsmasq");
    container["securityContext"] = security(USER, GROUP, &["NET_ADMIN", "NET_BIND_SERVICE", "NET_RAW"]);
    for mount in settings.lease_mounts() {
        push(&mut container, "volumeMounts", mount);
    }
    let families = [(true, ":67"), (false, ":547")];
    let served =
        families.iter().filter(|(is_v4, _)| ranges.iter().any(|range| range.begin().is_ipv4() == *is_v4));
    let listens: Vec<String> =
        served.map(|(_, port)| *port).chain([":69"]).map(|port| format!("ss -lun | grep {port}")).collect();
    probed(&mut container, &["sh", "-c", &listens.join(" && ")]);
    Some(container)
}

fn ironic(settings: &Settings) -> Value {
    let mut container = container("ironic", &settings.image, "/bin/runironic");
    users(settings, &mut container);
    if settings.secrets.certificate.is_some() {
        container["env"] = behind_httpd();
    }
    mounted(&mut container, AUTHORITY, authority(settings), "/certs/ca/ironic");
    probed(&mut container, &["/bin/ironic-liveness"]);
    container["readinessProbe"]["exec"]["command"] = json!(["/bin/ironic-readiness"]);
    container
}

/// With TLS it is httpd that answers, for the API too.
fn behind_httpd() -> Value {
    json!([{"name": "IRONIC_REVERSE_PROXY_SETUP", "value": "true"}])
}

/// Tells a container who may use the API.
fn users(settings: &Settings, container: &mut Value) {
    if let Some(secret) = &settings.secrets.auth {
        push(container, "envFrom", json!({"secretRef": {"name": secret}}));
    }
}

fn mounted(container: &mut Value, volume: &str, secret: Option<&String>, path: &str) {
    if secret.is_some() {
        push(container, "volumeMounts", json!({"name": volume, "mountPath": path, "readOnly": true}));
    }
}

fn log_watch(settings: &Settings) -> Value {
    container("ironic-log-watch", &settings.image, "/bin/runlogwatch.sh")
}

fn httpd(settings: &Settings) -> Value {
    let mut container = container("ironic-httpd", &settings.image, "/bin/runhttpd");
    let mut url = format!("http://127.0.0.1:{}/images", settings.http_port());
    if settings.secrets.certificate.is_some() {
        users(settings, &mut container);
        container["env"] = behind_httpd();
        mounted(&mut container, CERTIFICATE, settings.secrets.certificate.as_ref(), "/certs/ironic");
        mounted(&mut container, AUTHORITY, authority(settings), "/certs/ca/ironic");
        "https://127.0.0.1:6385".clone_into(&mut url);
    }
    probed(&mut container, &["sh", "-c", &format!("curl -sSfk {url}")]);
    container
}

fn keepalived(settings: &Settings) -> Value {
    json!({
        "name": "ironic-endpoint-keepalived",
        "image": settings.keepalived_image,
        "envFrom": [{"configMapRef": {"name": CONFIG_MAP_NAME}}],
        "securityContext": security(KEEPALIVED_USER, KEEPALIVED_USER, &["NET_ADMIN", "NET_BROADCAST", "NET_RAW"]),
    })
}
