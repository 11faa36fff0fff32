//! No value of a Secret in anything that a pivot tells, however it ends.

use pivot_core::machine::{End, Phase};
use pivot_testbed::assets_or_skip;
use pivot_testbed::fixture::{CANARY, CANARY_BASE64, Fixture, FixtureOptions};
use pivot_testbed::kind::Gvk;
use serde_json::json;

use crate::pivot::{Run, begins};
use crate::scene::Scene;

fn assert_silent(run: &Run) {
    let mut told = vec![
        format!("{:?}", run.end),
        serde_json::to_string(&run.end).unwrap(),
        serde_json::to_string(&run.report).unwrap(),
        format!("{:?}", run.report),
    ];
    let findings = run.report.iter().flat_map(|report| &report.findings);
    told.extend(findings.map(|finding| format!("{finding} {}", finding.hint)));
    told.extend(run.events.iter().map(|event| serde_json::to_string(event).unwrap()));
    told.extend(run.events.iter().map(|event| format!("{event:?}")));
    for text in told {
        for canary in [CANARY, CANARY_BASE64] {
            // The text itself would leak it into the log of the test.
            let before = text.find(canary).map(|place| &text[..place]);
            assert!(before.is_none(), "a value of a Secret follows: {}", before.unwrap());
        }
    }
}

async fn loaded(assets: &pivot_testbed::assets::Assets, name: &str) -> Scene<'static> {
    let scene = Scene::new(assets, name).await;
    scene.load(&Fixture::new(FixtureOptions::small().in_namespace(&scene.namespace))).await;
    scene
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_no_value_of_a_secret_is_told() {
    let assets = assets_or_skip!();
    let secret = "test1-node-0-bmc-secret";

    // Done, with a change under way.
    let scene = loaded(&assets, "done").await;
    let change = json!({"stringData": {"password": format!("{CANARY} changed")}});
    let run = scene
        .there()
        .unfenced()
        .run_with(async |notice| {
            if begins(notice, Phase::Stage) && scene.in_target(Gvk::SECRET, secret).await.is_none() {
                scene.patch(Gvk::SECRET, "test1-free-0-bmc-secret", &change).await;
            }
        })
        .await;
    assert_silent(run.done());

    // Kept in the source.
    let scene = loaded(&assets, "kept").await;
    let pivot = scene.there().unfenced();
    let turn = pivot.turn().await;
    let run = pivot
        .run_with_in(&turn, async |notice| {
            if begins(notice, Phase::Activate) {
                scene.patch(Gvk::SECRET, secret, &change).await;
            }
        })
        .await;
    assert!(matches!(run.end, End::CleanupPending { .. }), "{}", run.story());
    assert_silent(&run);
    assert_silent(pivot.finalize(&turn).await.done());
    drop(turn);

    // Refused, then rolled back: a foreign Secret of the same name.
    let scene = loaded(&assets, "foreign").await;
    let foreign = json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": secret, "namespace": scene.namespace},
        "stringData": {"password": format!("{CANARY} of somebody")}});
    let run = scene
        .there()
        .unfenced()
        .run_with(async |notice| {
            if begins(notice, Phase::Quiesce) {
                scene.target.ensure_namespace(&scene.namespace).await.unwrap();
                scene.target.create(&foreign, "kubectl-create").await.unwrap();
            }
        })
        .await;
    run.rolled_back();
    assert_silent(&run);
    let run = scene.there().run().await;
    assert!(matches!(run.end, End::Failed { .. }));
    assert_silent(&run);

    // Changed in the target behind our back: VERIFY tells the path, not the value.
    let scene = loaded(&assets, "altered").await;
    let run = scene
        .there()
        .unfenced()
        .run_with(async |notice| {
            if begins(notice, Phase::Verify) {
                let merge = pivot_testbed::client::Patch::Merge;
                let namespace = Some(scene.namespace.as_str());
                scene.target.patch(Gvk::SECRET, namespace, secret, merge, &change, "test").await.unwrap();
            }
        })
        .await;
    let (phase, cause) = run.rolled_back();
    assert_eq!(phase, Phase::Verify);
    assert!(cause.contains(secret) && cause.contains("/data/password"), "the place is told");
    assert_silent(&run);

    // The API server refuses one, and quotes what it does not like.
    let scene = loaded(&assets, "invalid").await;
    scene.target.ensure_namespace(&scene.namespace).await.unwrap();
    let policy = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
    "metadata": {"name": scene.namespace},
    "spec": {
        "matchConstraints": {
            "resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["secrets"]}],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": scene.namespace}},
        },
        "validations": [{"expression": "!has(object.data) || !('password' in object.data)",
            "messageExpression": "'not this one: ' + string(object.data['password'])"}],
    }});
    let binding = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": scene.namespace},
        "spec": {"policyName": scene.namespace, "validationActions": ["Deny"]}});
    for object in [&policy, &binding] {
        scene.target.create(object, "kubectl-create").await.unwrap();
    }
    await_policy(&scene).await;
    let run = scene.there().run().await;
    assert_eq!(run.rolled_back().0, Phase::PreCopy);
    assert_silent(&run);
}

/// Waits until the API server of the target enforces the policy.
async fn await_policy(scene: &Scene<'_>) {
    use pivot_testbed::client::{Progress, wait_until};
    let probe = json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"generateName": "probe-", "namespace": scene.namespace}, "stringData": {"password": "x"}});
    wait_until("the policy to be enforced", std::time::Duration::from_secs(300), async || {
        Ok(match scene.target.create(&probe, "test").await {
            Ok(_) => Progress::Pending("not yet".to_owned()),
            Err(_) => Progress::Done(()),
        })
    })
    .await
    .unwrap();
}
