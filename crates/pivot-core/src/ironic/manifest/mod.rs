//! Manifests of an Ironic that takes over from another one: the pivoting study's wish for generated provider components.
//!
//! Two forms: the Deployment of metal3's kustomizations, and the resource of the Ironic Standalone Operator. What they say of containers, users,
//! probes and keys follows baremetal-operator's `ironic-deployment`; the leases are ours. They come from ConfigMaps, which a cluster can hold
//! before there is any pod, and are copied into a writable volume: dnsmasq ends where it cannot write its file.

mod deployment;
mod inherited;
mod leases;
mod provisioning;
mod range;
mod remark;
mod resource;
mod settings;

use serde_json::{Value, json};

pub use inherited::{CONFIG_MAP_NAME, Inherited, InheritedError};
pub use provisioning::{Provisioning, Unfit};
pub use range::{DhcpRange, RangeError};
pub use remark::Remark;
pub use settings::{Carried, DOWNLOADER_IMAGE, Form, IMAGE, KEEPALIVED_IMAGE, Secrets, Settings, is_name};

use crate::lease::{CONFIG_MAP, parts_to_apply};

/// One manifest, with what is to be said above it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Lines for whoever reviews it.
    pub comments: Vec<String>,
    /// The object.
    pub object: Value,
}

/// The manifests in the order in which they are to be applied: what is read stands before who reads it.
pub fn documents(settings: &Settings) -> Vec<Document> {
    let namespace = json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": settings.namespace},
    });
    let mut documents = vec![Document { comments: Vec::new(), object: namespace }];
    if let Carried::Leases(file) = &settings.leases {
        let objects = parts_to_apply(file, &settings.namespace, CONFIG_MAP);
        let comments = vec!["Who has which address. Ironic's dnsmasq begins with it.".to_owned()];
        documents.extend(objects.into_iter().map(|object| Document { comments: comments.clone(), object }));
    }
    match settings.form {
        Form::Deployment => documents.extend([settings.config_map(), deployment::document(settings)]),
        Form::Irso => documents.push(resource::document(settings)),
    }
    documents
}

fn managed() -> Value {
    json!({"app.kubernetes.io/managed-by": "pivotctl"})
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::ironic::{IronicPart, ironic_deployments};
    use crate::lease::{LeaseFile, part_name};
    use crate::object::Manifest;

    fn settings(form: Form, leases: Carried, ranges: &[&str]) -> Settings {
        let ranges = ranges.iter().map(|range| range.parse().unwrap()).collect();
        let secret = |name: &str| Some(name.to_owned());
        Settings {
            form,
            namespace: "metal3".to_owned(),
            provisioning: Provisioning::new("eth2", "172.22.0.2/24".parse().unwrap(), &[], ranges).unwrap(),
            leases,
            secrets: Secrets { auth: secret("users"), certificate: secret("cert"), authority: secret("ca") },
            image: "ironic:1".to_owned(),
            keepalived_image: "keepalived:1".to_owned(),
            downloader_image: "downloader:1".to_owned(),
            run: false,
            inherited: Inherited::default(),
        }
    }

    const RANGE: &str = "172.22.0.10,172.22.0.100";

    fn many() -> LeaseFile {
        let line = |n: u32| {
            format!("0 52:54:00:00:{:02x}:{:02x} 10.1.{}.{} * *\n", n / 256, n % 256, n / 256, n % 256)
        };
        LeaseFile::parse((0..12_000).map(line).collect::<String>().as_bytes())
    }

    /// The Deployment of these settings, and its pod.
    fn deployment(settings: &Settings) -> (Manifest, Value) {
        let object = documents(settings).pop().unwrap().object;
        let pod = object["spec"]["template"]["spec"].clone();
        (Manifest::new(object), pod)
    }

    fn names(list: &Value) -> BTreeSet<String> {
        let name = |entry: &Value| entry["name"].as_str().unwrap().to_owned();
        list.as_array().into_iter().flatten().map(name).collect()
    }

    #[test]
    fn what_is_applied_stands_and_is_found_by_the_verb_that_starts_it() {
        let (object, _) = deployment(&settings(Form::Deployment, Carried::Nothing, &[RANGE]));
        let mut live = object.value().clone();
        live["metadata"]["uid"] = json!("u");
        live["metadata"]["resourceVersion"] = json!("7");
        let found = ironic_deployments(&[Manifest::new(live)], &[]);
        let [found] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((found.replicas, found.stopped), (0, Some(1)));
        assert_eq!(
            found.part,
            IronicPart::Ironic { dhcp: Some("ironic-dnsmasq".to_owned()), resource: None }
        );
        assert_eq!(found.start().unwrap()["spec"]["replicas"], 1);
        let run = Settings { run: true, ..settings(Form::Deployment, Carried::Nothing, &[RANGE]) };
        let (object, _) = deployment(&run);
        assert_eq!(object.value()["spec"]["replicas"], 1);
        assert_eq!(object.value()["metadata"]["annotations"], Value::Null, "nothing waits to be started");
    }

    #[test]
    fn every_volume_is_there_and_used() {
        let leases = LeaseFile::parse(b"0 52:54:00:00:00:01 172.22.0.10 * *\n");
        for leases in [Carried::Nothing, Carried::Awaited, Carried::Leases(leases)] {
            for secret in [None, Some("s".to_owned())] {
                let secrets =
                    Secrets { auth: secret.clone(), certificate: secret.clone(), authority: secret };
                let settings = Settings { secrets, ..settings(Form::Deployment, leases.clone(), &[RANGE]) };
                let (_, pod) = deployment(&settings);
                let containers = pod["containers"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .chain(pod["initContainers"].as_array().unwrap());
                let mounted: BTreeSet<String> =
                    containers.flat_map(|container| names(&container["volumeMounts"])).collect();
                assert_eq!(names(&pod["volumes"]), mounted);
            }
        }
    }

    #[test]
    fn leases_stand_before_what_reads_them_and_fit_what_kubectl_keeps() {
        for form in [Form::Deployment, Form::Irso] {
            let settings = settings(form, Carried::Leases(many()), &[RANGE]);
            let documents = documents(&settings);
            let count = documents
                .iter()
                .filter(|document| {
                    document.object["data"].get("HTTP_PORT").is_none()
                        && document.object["kind"] == "ConfigMap"
                })
                .count();
            assert!(count > 1, "{count}");
            for (index, document) in documents[1..=count].iter().enumerate() {
                assert_eq!(document.object["metadata"]["name"], part_name(CONFIG_MAP, index));
                assert!(document.object.to_string().len() < 262_144);
            }
            let last = documents.last().unwrap().object.to_string();
            for index in 0..count {
                assert!(last.contains(&format!("\"{}\"", part_name(CONFIG_MAP, index))), "{index}");
            }
        }
    }

    #[test]
    fn leases_that_are_to_come_hold_the_pod_up() {
        let (_, pod) = deployment(&settings(Form::Deployment, Carried::Awaited, &[RANGE]));
        let volumes = pod["volumes"].to_string();
        assert!(volumes.contains(CONFIG_MAP) && !volumes.contains("optional"), "{volumes}");
        let (_, pod) = deployment(&settings(Form::Deployment, Carried::Nothing, &[RANGE]));
        assert!(!pod.to_string().contains("leases"), "{pod}");
    }

    #[test]
    fn without_dhcp_there_is_no_server() {
        let (_, pod) = deployment(&settings(Form::Deployment, Carried::Nothing, &[]));
        assert!(!names(&pod["containers"]).contains("ironic-dnsmasq"));
        let irso = documents(&settings(Form::Irso, Carried::Nothing, &[])).pop().unwrap().object;
        assert_eq!(irso["spec"]["networking"].get("dhcp"), None);
        assert_eq!(irso["spec"].get("overrides"), None);
    }

    #[test]
    fn what_the_source_was_told_the_target_is_told() {
        let inherited = |data: Value| {
            Inherited::read(&Manifest::new(json!({"metadata": {"name": "a"}, "data": data}))).unwrap()
        };
        let told = json!({
            "PROVISIONING_IP": "172.22.0.9",
            "IRONIC_FAST_TRACK": "true",
            "CACHEURL": "http://172.22.0.9/images",
            "HTTP_PORT": "6181",
        });
        let settings =
            Settings { inherited: inherited(told), ..settings(Form::Deployment, Carried::Nothing, &[RANGE]) };
        let environment = settings.environment();
        assert_eq!(environment["IRONIC_FAST_TRACK"], "true");
        assert_eq!(
            environment["DEPLOY_KERNEL_URL"],
            "http://172.22.0.2:6181/images/ironic-python-agent.kernel"
        );
        assert_eq!(settings.remarks(), [Remark::OldEndpoint(vec!["CACHEURL".to_owned()])]);
        assert!(
            deployment(&Settings {
                secrets: Secrets { auth: None, certificate: None, authority: None },
                ..settings.clone()
            })
            .1
            .to_string()
            .contains("http://127.0.0.1:6181/images")
        );
        let irso = Settings { form: Form::Irso, ..settings };
        assert!(matches!(irso.remarks().as_slice(), [Remark::LeftOut(keys)] if keys.len() == 3));
        let iso = json!({"DEPLOY_ISO_URL": "http://images.example/ipa.iso"});
        let settings = Settings { inherited: inherited(iso), ..irso };
        assert!(!settings.environment().contains_key("DEPLOY_KERNEL_URL"));
    }
}
