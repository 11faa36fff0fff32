//! Fake objects of a management cluster, linked as the Cluster API controllers leave them.
//!
//! A uid is derived from kind, namespace and name, so that owners can be named before they are built. An object that is built
//! twice (a template that two clusters share) is merged: it keeps the owners of both.

use pivot_core::kind::{GroupKind, MOVE_LABEL};
use serde_json::{Value, json};

/// Short kinds of the expectations, and what they stand for.
const SHORT_KINDS: [(&str, &str); 9] = [
    ("IC", "GenericInfrastructureCluster"),
    ("IMT", "GenericInfrastructureMachineTemplate"),
    ("IM", "GenericInfrastructureMachine"),
    ("ICT", "GenericInfrastructureClusterTemplate"),
    ("BC", "GenericBootstrapConfig"),
    ("BCT", "GenericBootstrapConfigTemplate"),
    ("CP", "GenericControlPlane"),
    ("CPT", "GenericControlPlaneTemplate"),
    ("Identity", "GenericClusterInfrastructureIdentity"),
];

const CLUSTER_NAME_LABEL: &str = "cluster.x-k8s.io/cluster-name";

fn long_kind(kind: &str) -> &str {
    SHORT_KINDS.iter().find(|(short, _)| *short == kind).map_or(kind, |(_, long)| long)
}

pub(crate) fn short_kind(kind: &str) -> &str {
    SHORT_KINDS.iter().find(|(_, long)| *long == kind).map_or(kind, |(short, _)| short)
}

fn api_version(kind: &str) -> &'static str {
    match long_kind(kind) {
        "Secret" | "ConfigMap" => "v1",
        kind if kind.starts_with("ClusterResourceSet") => "addons.cluster.x-k8s.io/v1beta2",
        kind if kind.starts_with("GenericBootstrap") => "bootstrap.cluster.x-k8s.io/v1beta2",
        kind if kind.starts_with("GenericControlPlane") => "controlplane.cluster.x-k8s.io/v1beta2",
        kind if kind.ends_with("ExternalObject") => "external.cluster.x-k8s.io/v1beta2",
        kind if kind.starts_with("Generic") => "infrastructure.cluster.x-k8s.io/v1beta2",
        "Cluster" | "ClusterClass" | "Machine" | "MachineSet" | "MachineDeployment" | "MachinePool" => {
            "cluster.x-k8s.io/v1beta2"
        }
        _ => "example.org/v1",
    }
}

pub(crate) fn group_kind(kind: &str) -> GroupKind {
    GroupKind::from_api_version(api_version(kind), long_kind(kind))
}

/// One fake object.
#[derive(Clone, Debug)]
pub(crate) struct Fake(Value);

impl Fake {
    /// `kind` may be one of the short ones; an empty namespace makes it cluster-scoped.
    pub(crate) fn new(kind: &str, namespace: &str, name: &str) -> Self {
        let kind = long_kind(kind);
        let mut metadata = json!({"name": name, "uid": format!("uid-{kind}-{namespace}-{name}"),
            "creationTimestamp": "2024-05-01T10:00:00Z"});
        if !namespace.is_empty() {
            metadata["namespace"] = json!(namespace);
        }
        Self(json!({"apiVersion": api_version(kind), "kind": kind, "metadata": metadata}))
    }

    /// An object that no builder makes.
    pub(crate) fn raw(value: Value) -> Self {
        Self(value)
    }

    pub(crate) fn into_value(self) -> Value {
        self.0
    }

    pub(crate) fn owned_by(mut self, owner: &Self) -> Self {
        let reference = json!({"apiVersion": owner.0["apiVersion"], "kind": owner.0["kind"],
            "name": owner.0["metadata"]["name"], "uid": owner.0["metadata"]["uid"]});
        self.push_owner(reference);
        self
    }

    pub(crate) fn label(mut self, key: &str, value: &str) -> Self {
        self.0["metadata"]["labels"][key] = json!(value);
        self
    }

    pub(crate) fn created(mut self, timestamp: &str) -> Self {
        self.0["metadata"]["creationTimestamp"] = json!(timestamp);
        self
    }

    pub(crate) fn without_owners(mut self) -> Self {
        self.0["metadata"].as_object_mut().unwrap().remove("ownerReferences");
        self
    }

    pub(crate) fn set(mut self, field: &str, value: Value) -> Self {
        self.0[field] = value;
        self
    }

    pub(crate) fn owner_references(&self) -> Vec<Value> {
        self.0["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default()
    }

    fn spec(self, spec: Value) -> Self {
        self.set("spec", spec)
    }

    pub(crate) fn push_owner(&mut self, reference: Value) {
        let owners = &mut self.0["metadata"]["ownerReferences"];
        if owners.is_null() {
            *owners = json!([]);
        }
        let owners = owners.as_array_mut().unwrap();
        if !owners.contains(&reference) {
            owners.push(reference);
        }
    }

    pub(crate) fn text(&self, field: &str) -> &str {
        self.0["metadata"][field].as_str().unwrap_or_default()
    }

    /// As contract v1beta2 refers to it.
    fn reference(&self) -> Value {
        let kind = GroupKind::from_api_version(self.0["apiVersion"].as_str().unwrap(), "");
        json!({"apiGroup": kind.group, "kind": self.0["kind"], "name": self.text("name")})
    }
}

/// A Cluster with its infrastructure, its CA Secret (which nothing owns) and its kubeconfig.
pub(crate) struct FakeCluster {
    pub(crate) cluster: Fake,
    infrastructure: Fake,
    control_plane: Option<Fake>,
    rest: Vec<Fake>,
}

impl FakeCluster {
    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        let cluster = Fake::new("Cluster", namespace, name);
        let infrastructure =
            Fake::new("IC", namespace, name).owned_by(&cluster).label(CLUSTER_NAME_LABEL, name);
        let cluster = cluster.spec(json!({"infrastructureRef": infrastructure.reference()}));
        Self { cluster, infrastructure, control_plane: None, rest: Vec::new() }
    }

    fn namespace(&self) -> &str {
        self.cluster.text("namespace")
    }

    fn object(&self, kind: &str, name: &str) -> Fake {
        Fake::new(kind, self.namespace(), name)
    }

    fn secret(&self, suffix: &str) -> Fake {
        self.object("Secret", &format!("{}-{suffix}", self.cluster.text("name")))
    }

    /// Labelled with the name of the Cluster, as controllers label what they create for it.
    fn labelled(&self, kind: &str, name: &str) -> Fake {
        self.object(kind, name).label(CLUSTER_NAME_LABEL, self.cluster.text("name"))
    }

    pub(crate) fn paused(mut self) -> Self {
        self.cluster.0["spec"]["paused"] = json!(true);
        self
    }

    pub(crate) fn class(mut self, name: &str) -> Self {
        self.cluster.0["spec"]["topology"] = json!({"classRef": {"name": name}});
        self
    }

    pub(crate) fn class_in(mut self, namespace: &str, name: &str) -> Self {
        self.cluster.0["spec"]["topology"] = json!({"classRef": {"name": name, "namespace": namespace}});
        self
    }

    pub(crate) fn cloud_config_secret(mut self) -> Self {
        self.rest.push(self.secret("cloud-config").label(MOVE_LABEL, ""));
        self
    }

    pub(crate) fn credential_secret(mut self) -> Self {
        self.rest.push(self.secret("credentials").owned_by(&self.cluster));
        self
    }

    /// Machines that the Cluster itself owns; the first one's bootstrap makes the certificates.
    pub(crate) fn machines(mut self, names: &[&str]) -> Self {
        let owner = self.cluster.clone();
        self.add_machines(&owner, names, true);
        let first = self.object("BC", names[0]);
        self.rest.push(self.secret("sa").owned_by(&first));
        self
    }

    pub(crate) fn control_plane(mut self, name: &str, machines: &[&str]) -> Self {
        let template = self.object("IMT", name).owned_by(&self.cluster);
        let control_plane = self
            .labelled("CP", name)
            .owned_by(&self.cluster)
            .spec(json!({"machineTemplate": {"infrastructureRef": template.reference()}}));
        self.cluster.0["spec"]["controlPlaneRef"] = control_plane.reference();
        self.add_machines(&control_plane, machines, true);
        self.rest.extend([self.secret("sa").owned_by(&control_plane), template, control_plane.clone()]);
        self.control_plane = Some(control_plane);
        self
    }

    pub(crate) fn machine_set(self, name: &str, machines: &[&str]) -> Self {
        self.machine_set_from(name, name, machines)
    }

    /// A MachineSet whose infrastructure template has a name of its own, and may be shared.
    pub(crate) fn machine_set_from(mut self, name: &str, template: &str, machines: &[&str]) -> Self {
        let spec = self.add_templates(name, template, true);
        let set = self.labelled("MachineSet", name).owned_by(&self.cluster).spec(spec);
        self.add_machines(&set, machines, true);
        self.rest.push(set);
        self
    }

    pub(crate) fn machine_deployment(self, name: &str, set: &str, machines: &[&str]) -> Self {
        self.add_deployment(name, set, machines, true)
    }

    /// The bootstrap data is a Secret of that name that somebody else provides.
    pub(crate) fn static_machine_deployment(self, name: &str, set: &str, machines: &[&str]) -> Self {
        self.add_deployment(name, set, machines, false)
    }

    pub(crate) fn machine_pool(mut self, name: &str) -> Self {
        let spec = self.add_templates(name, name, true);
        self.rest.push(self.labelled("MachinePool", name).owned_by(&self.cluster).spec(spec));
        self
    }

    fn add_deployment(mut self, name: &str, set: &str, machines: &[&str], bootstrap: bool) -> Self {
        let spec = self.add_templates(name, name, bootstrap);
        let deployment = self.labelled("MachineDeployment", name).owned_by(&self.cluster).spec(spec.clone());
        let set = self.labelled("MachineSet", set).owned_by(&deployment).spec(spec);
        self.add_machines(&set, machines, bootstrap);
        self.rest.extend([deployment, set]);
        self
    }

    fn add_templates(&mut self, name: &str, infrastructure: &str, bootstrap: bool) -> Value {
        let infrastructure = self.object("IMT", infrastructure).owned_by(&self.cluster);
        let mut spec = json!({"clusterName": self.cluster.text("name"),
            "template": {"spec": {"infrastructureRef": infrastructure.reference()}}});
        self.rest.push(infrastructure);
        spec["template"]["spec"]["bootstrap"] = if bootstrap {
            let template = self.object("BCT", name).owned_by(&self.cluster);
            let reference = template.reference();
            self.rest.push(template);
            json!({"configRef": reference})
        } else {
            json!({"dataSecretName": name})
        };
        spec
    }

    fn add_machines(&mut self, owner: &Fake, names: &[&str], bootstrap: bool) {
        for name in names {
            let machine = self.labelled("Machine", name).owned_by(owner);
            let infrastructure = self.labelled("IM", name).owned_by(&machine);
            let mut spec = json!({"clusterName": self.cluster.text("name"),
                "infrastructureRef": infrastructure.reference(), "bootstrap": {"dataSecretName": name}});
            if bootstrap {
                let config = self
                    .labelled("BC", name)
                    .owned_by(&machine)
                    .set("status", json!({"dataSecretName": name}));
                spec["bootstrap"]["configRef"] = config.reference();
                self.rest.push(self.labelled("Secret", name).owned_by(&config));
                self.rest.push(config);
            }
            self.rest.extend([machine.spec(spec), infrastructure]);
        }
    }

    pub(crate) fn objects(self) -> Vec<Fake> {
        let kubeconfig_owner = self.control_plane.as_ref().unwrap_or(&self.cluster);
        let kubeconfig = self.secret("kubeconfig").owned_by(kubeconfig_owner);
        let mut objects = vec![self.secret("ca"), kubeconfig];
        objects.extend(self.rest);
        objects.extend([self.cluster, self.infrastructure]);
        objects
    }
}

/// A ClusterClass with templates for the cluster's infrastructure and control plane, of its own name.
pub(crate) struct FakeClusterClass {
    class: Fake,
    templates: Vec<Fake>,
}

impl FakeClusterClass {
    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        Self::with_templates(namespace, name, name)
    }

    /// The templates have a name of their own, and may be shared.
    pub(crate) fn with_templates(namespace: &str, name: &str, templates: &str) -> Self {
        let mut class = Self {
            class: Fake::new("ClusterClass", namespace, name)
                .spec(json!({"workers": {"machineDeployments": []}})),
            templates: Vec::new(),
        };
        let infrastructure = class.template("ICT", templates);
        let control_plane = class.template("CPT", templates);
        class.class.0["spec"]["infrastructure"] = json!({"templateRef": infrastructure});
        class.class.0["spec"]["controlPlane"] = json!({"templateRef": control_plane});
        class
    }

    fn template(&mut self, kind: &str, name: &str) -> Value {
        let template = Fake::new(kind, self.class.text("namespace"), name).owned_by(&self.class);
        let reference = template.reference();
        self.templates.push(template);
        reference
    }

    pub(crate) fn paused(mut self) -> Self {
        self.class.0["metadata"]["annotations"] = json!({"cluster.x-k8s.io/paused": ""});
        self
    }

    pub(crate) fn control_plane_machines(mut self, template: &str) -> Self {
        let reference = self.template("IMT", template);
        self.class.0["spec"]["controlPlane"]["machineInfrastructure"] = json!({"templateRef": reference});
        self
    }

    pub(crate) fn worker(mut self, class: &str, infrastructure: &str, bootstrap: &str) -> Self {
        let infrastructure = self.template("IMT", infrastructure);
        let bootstrap = self.template("BCT", bootstrap);
        let workers = self.class.0["spec"]["workers"]["machineDeployments"].as_array_mut().unwrap();
        workers.push(json!({"class": class, "infrastructure": {"templateRef": infrastructure},
            "bootstrap": {"templateRef": bootstrap}}));
        self
    }

    pub(crate) fn objects(self) -> Vec<Fake> {
        let mut objects = self.templates;
        objects.push(self.class);
        objects
    }
}

/// A ClusterResourceSet with one Secret and one ConfigMap, which it owns, applied to clusters.
pub(crate) fn resource_set(namespace: &str, name: &str, clusters: &[&str]) -> Vec<Fake> {
    let set = Fake::new("ClusterResourceSet", namespace, name).spec(json!({"resources":
        [{"kind": "Secret", "name": "resource-s1"}, {"kind": "ConfigMap", "name": "resource-c1"}]}));
    let mut objects = vec![
        Fake::new("Secret", namespace, "resource-s1").owned_by(&set),
        Fake::new("ConfigMap", namespace, "resource-c1").owned_by(&set),
    ];
    for cluster in clusters {
        let binding = Fake::new("ClusterResourceSetBinding", namespace, cluster).owned_by(&set);
        objects.push(binding.spec(json!({"clusterName": cluster})));
    }
    objects.push(set);
    objects
}

/// An identity for all clusters of an infrastructure provider, with its credentials beside the provider.
pub(crate) fn infrastructure_identity(name: &str, namespace: &str) -> Vec<Fake> {
    let identity = Fake::new("Identity", "", name);
    let credentials = Fake::new("Secret", namespace, &format!("{name}-credentials")).owned_by(&identity);
    vec![credentials, identity]
}

/// All objects of several builders.
pub(crate) fn all(parts: impl IntoIterator<Item = Vec<Fake>>) -> Vec<Fake> {
    parts.into_iter().flatten().collect()
}
