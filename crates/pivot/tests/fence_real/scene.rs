//! A fence in a namespace of its own.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use http::Method;
use pivot::cluster::{CanaryOutcome, Cluster, ClusterConfig, Failure, MERGE_PATCH, RawRequest, Reply};
use pivot::survey::Options;
use pivot_core::fence::{self, FenceRule, FenceScope, Identity};
use pivot_core::link::LinkRules;
use pivot_core::plan::Permission;
use pivot_core::record::{FenceMode, NAMESPACE};
use pivot_core::select::Request;
use pivot_testbed::assets::Assets;
use pivot_testbed::client::{PlaneClient, Progress, wait_until};
use pivot_testbed::kind::Gvk;
use pivot_testbed::plane::{Pair, Plane};
use pivot_testbed::unique_name;
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(300);
/// Canaries in a row that must agree.
const CANARIES: usize = 3;

pub(crate) const HOSTS: &str = "/apis/metal3.io/v1alpha1";

/// What a test has.
pub(crate) struct Scene<'a> {
    pub(crate) plane: &'a Plane,
    pub(crate) admin: PlaneClient,
    /// As an ordinary administrator.
    pub(crate) others: Cluster,
    pub(crate) namespace: String,
    /// The pivot.
    pub(crate) id: String,
}

impl Scene<'static> {
    /// On the plane that tests share.
    pub(crate) async fn new(assets: &Assets, name: &str) -> Self {
        Self::on(&Pair::shared(assets).await.unwrap().source, name).await
    }
}

impl<'a> Scene<'a> {
    pub(crate) async fn on(plane: &'a Plane, name: &str) -> Self {
        let admin = plane.client().await.unwrap();
        let namespace = unique_name(name);
        admin.ensure_namespace(&namespace).await.unwrap();
        admin.ensure_namespace(NAMESPACE).await.unwrap();
        let others = connect(plane.kubeconfig()).await;
        Self { plane, admin, others, namespace, id: unique_name("pivot") }
    }

    /// The tool, as the administrator with this token.
    pub(crate) async fn tool(&self, token: &str) -> Cluster {
        tool(&self.others, &self.id, token).await
    }

    /// The whole of the hosts in the namespace, and two Secrets by name.
    pub(crate) fn scope(&self) -> FenceScope {
        let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
        FenceScope {
            rules: vec![
                FenceRule {
                    group: String::new(),
                    plural: "secrets".to_owned(),
                    names: Some(set(&["a", "b"])),
                },
                FenceRule { group: "metal3.io".to_owned(), plural: "baremetalhosts".to_owned(), names: None },
            ],
            namespaces: Some(set(&[&self.namespace])),
            held: set(&[&self.namespace]),
            ..FenceScope::default()
        }
    }

    /// Raises the fence, or renews it, and waits until it holds for everybody but the tool with this token.
    pub(crate) async fn raise(&self, scope: &FenceScope, token: &str) {
        for object in [fence::policy(scope, &self.id, token), fence::binding(scope, &self.id)] {
            self.admin.apply(&object, "pivotctl").await.unwrap();
        }
        self.await_canary("the fence to hold", &self.others, false).await;
        self.await_canary("the fence to let the tool through", &self.tool(token).await, true).await;
    }

    /// Takes the fence away and waits until that is effective.
    pub(crate) async fn lower(&self) {
        for (kind, key) in
            [(fence::BINDING, fence::binding_key(&self.id)), (fence::POLICY, fence::policy_key(&self.id))]
        {
            let gvk = Gvk {
                group: key.kind.group.clone().into(),
                version: "v1".into(),
                kind: kind.to_owned().into(),
            };
            self.admin.delete(&gvk, None, &key.name).await.unwrap();
        }
        self.await_canary("the fence to be gone", &self.others, true).await;
    }

    pub(crate) async fn await_canary(&self, what: &str, who: &Cluster, admitted: bool) {
        let mut agree = 0;
        wait_until(what, LIMIT, async || {
            let outcome = who.canary(&self.id).await;
            let is_so = match &outcome {
                CanaryOutcome::Admitted => admitted,
                CanaryOutcome::Denied { pivot_id } => {
                    assert_eq!(*pivot_id, self.id);
                    !admitted
                }
                CanaryOutcome::Failed(failure) => panic!("{failure}"),
            };
            agree = if is_so { agree + 1 } else { 0 };
            Ok(if agree == CANARIES { Progress::Done(()) } else { Progress::Pending(format!("{outcome:?}")) })
        })
        .await
        .unwrap();
    }

    /// Lets a user do what these RBAC rules say, everywhere, by a role of this name.
    pub(crate) async fn grant(&self, role: &str, user: &str, rules: &Value) {
        let api = "rbac.authorization.k8s.io";
        let cluster_role = json!({"apiVersion": format!("{api}/v1"), "kind": "ClusterRole", "metadata": {"name": role},
            "rules": rules});
        let binding = json!({"apiVersion": format!("{api}/v1"), "kind": "ClusterRoleBinding",
            "metadata": {"name": role}, "roleRef": {"apiGroup": api, "kind": "ClusterRole", "name": role},
            "subjects": [{"apiGroup": api, "kind": "User", "name": user}]});
        for object in [cluster_role, binding] {
            self.admin.create(&object, "test").await.unwrap();
        }
    }

    /// A survey of this namespace, as whoever looks at it.
    pub(crate) fn options(&self, fence: FenceMode) -> Options {
        Options {
            request: Request {
                namespaces: Some(BTreeSet::from([self.namespace.clone()])),
                ..Request::default()
            },
            rules: LinkRules::builtin(),
            wait: Duration::from_secs(60),
            concurrency: 16,
            fence,
            pivot: None,
            ironic: pivot::survey::IronicWish::default(),
        }
    }

    /// Path of a host of this namespace, or of all of them.
    pub(crate) fn hosts(&self, rest: &str) -> String {
        format!("{HOSTS}/namespaces/{}/baremetalhosts{rest}", self.namespace)
    }

    /// Path of a Secret of this namespace, or of all of them.
    pub(crate) fn secrets(&self, rest: &str) -> String {
        format!("/api/v1/namespaces/{}/secrets{rest}", self.namespace)
    }

    pub(crate) async fn create_host(&self, who: &Cluster, name: &str) -> Result<Reply, Failure> {
        post(who, &self.hosts(""), &host(name)).await
    }

    pub(crate) async fn create_secret(&self, who: &Cluster, name: &str) -> Result<Reply, Failure> {
        post(who, &self.secrets(""), &secret(name)).await
    }
}

/// Waits until the server knows what was granted.
pub(crate) async fn await_grants(user: &Cluster, granted: &[Permission]) {
    wait_until("the grants to reach the authorizer", LIMIT, async || {
        let denied = user.denied(granted.to_vec()).await.unwrap();
        Ok(if denied.is_empty() { Progress::Done(()) } else { Progress::Pending(format!("{denied:?}")) })
    })
    .await
    .unwrap();
}

pub(crate) async fn connect(kubeconfig: &Path) -> Cluster {
    Cluster::connect(ClusterConfig::new(kubeconfig)).await.unwrap()
}

/// The user of a cluster, as the tool.
pub(crate) async fn tool(cluster: &Cluster, id: &str, token: &str) -> Cluster {
    let me = cluster.whoami().await.unwrap();
    cluster.with_identity(&Identity::new(&me.user, &me.groups, id, token)).unwrap()
}

pub(crate) fn host(name: &str) -> Value {
    json!({"apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost", "metadata": {"name": name},
        "spec": {"online": false}})
}

pub(crate) fn secret(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"key": "confidential"}})
}

pub(crate) async fn post(who: &Cluster, path: &str, object: &Value) -> Result<Reply, Failure> {
    who.request(RawRequest::new(Method::POST, path, object.to_string())).await
}

pub(crate) async fn merge(who: &Cluster, path: &str, patch: &Value) -> Result<Reply, Failure> {
    who.request(RawRequest::new(Method::PATCH, path, patch.to_string()).content_type(MERGE_PATCH)).await
}

pub(crate) async fn put(who: &Cluster, path: &str, object: &Value) -> Result<Reply, Failure> {
    who.request(RawRequest::new(Method::PUT, path, object.to_string())).await
}

pub(crate) async fn delete(who: &Cluster, path: &str) -> Result<Reply, Failure> {
    who.request(RawRequest::new(Method::DELETE, path, "")).await
}

pub(crate) async fn get(who: &Cluster, path: &str) -> Value {
    who.request(RawRequest::get(path)).await.unwrap().json().unwrap()
}
