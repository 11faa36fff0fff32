//! A stand-in for cert-manager.
//!
//! The manifests ask cert-manager for a serving certificate (`Certificate`) and for its authority wherever the API server calls a
//! webhook (the annotation `cert-manager.io/inject-ca-from`). This does both before the objects are applied, with an authority of
//! its own: the webhooks are what is tested, not who signs for them, and three more programs on every plane would cost more than
//! they show. Nothing is renewed.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{Result, plane::Authority};

const INJECT: &str = "cert-manager.io/inject-ca-from";

/// Puts a Secret in the place of every Certificate, and the authority where it is asked for. Issuers go.
pub(super) fn supply(objects: &mut Vec<Value>) -> Result<()> {
    let mut bundles = BTreeMap::new();
    for object in objects.iter_mut().filter(|object| object["kind"] == "Certificate") {
        let authority = Authority::new("standin-for-cert-manager")?;
        let names = object["spec"]["dnsNames"].as_array().into_iter().flatten();
        let names: Vec<&str> = names.filter_map(Value::as_str).collect();
        let identity = authority.server(&names)?;
        let (name, namespace) = (&object["metadata"]["name"], object["metadata"]["namespace"].clone());
        let key = [&namespace, name].map(|part| part.as_str().unwrap_or_default()).join("/");
        bundles.insert(key, BASE64_STANDARD.encode(authority.certificate()));
        *object = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": {"name": object["spec"]["secretName"], "namespace": namespace},
            "stringData": {
                "ca.crt": authority.certificate(),
                "tls.crt": identity.certificate,
                "tls.key": identity.key,
            },
        });
    }
    objects.retain(|object| object["kind"] != "Issuer");
    for object in objects {
        let asked = object["metadata"]["annotations"][INJECT].as_str();
        let Some(bundle) = asked.and_then(|asked| bundles.get(asked)) else { continue };
        for webhook in object["webhooks"].as_array_mut().into_iter().flatten() {
            webhook["clientConfig"]["caBundle"] = json!(bundle);
        }
        if let Some(conversion) = object.pointer_mut("/spec/conversion/webhook/clientConfig") {
            conversion["caBundle"] = json!(bundle);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_becomes_a_secret_and_its_authority_arrives() {
        let mut objects = vec![
            json!({"kind": "Issuer", "metadata": {"name": "i"}}),
            json!({"kind": "Certificate", "metadata": {"name": "c", "namespace": "n"},
                "spec": {"dnsNames": ["w.n.svc"], "secretName": "s"}}),
            json!({"kind": "ValidatingWebhookConfiguration", "metadata": {"name": "v", "annotations": {INJECT: "n/c"}},
                "webhooks": [{"clientConfig": {"service": {"name": "w"}}}]}),
            json!({"kind": "CustomResourceDefinition", "metadata": {"name": "d", "annotations": {INJECT: "n/c"}},
                "spec": {"conversion": {"webhook": {"clientConfig": {}}}}}),
        ];
        supply(&mut objects).unwrap();
        assert_eq!(objects.len(), 3);
        assert_eq!((&objects[0]["kind"], &objects[0]["metadata"]["name"]), (&json!("Secret"), &json!("s")));
        let authority = BASE64_STANDARD.encode(objects[0]["stringData"]["ca.crt"].as_str().unwrap());
        assert_eq!(objects[1]["webhooks"][0]["clientConfig"]["caBundle"], authority);
        assert_eq!(objects[2]["spec"]["conversion"]["webhook"]["clientConfig"]["caBundle"], authority);
    }
}
