//! How leases come from ConfigMaps to where dnsmasq keeps them.

use serde_json::{Value, json};

use super::settings::{Carried, GROUP, Settings, USER};
use crate::lease::{CONFIG_MAP, KEY, part_key, part_name, parts_to_apply};

/// The volume that dnsmasq writes to.
const VOLUME: &str = "dnsmasq-leases";
/// The volume of the ConfigMaps.
const SAVED: &str = "dnsmasq-leases-saved";
/// Where the ConfigMaps are in the init container.
const SAVED_FOLDER: &str = "/saved";
/// Where ironic-image's dnsmasq keeps its file: today, and until February of 2025.
const FOLDERS: [&str; 2] = ["/data/dnsmasq", "/var/lib/dnsmasq"];

/// Copies the leases from the folder `$1` to the folder `$2`.
///
/// A volume of the pod outlives its containers, and also the machine's restart, after which init containers run once more: a file that is there is newer
/// than what was saved. It comes to be in one step, so that it is whole.
fn script() -> String {
    format!(
        "set -eu\n\
         if [ -e \"$2/{KEY}\" ]; then\n\
         \x20 echo \"$2/{KEY} is newer and stays\"\n\
         \x20 exit 0\n\
         fi\n\
         cat \"$1/{KEY}\"* > \"$2/{KEY}.new\"\n\
         mv \"$2/{KEY}.new\" \"$2/{KEY}\"\n"
    )
}

impl Settings {
    /// How many ConfigMaps the pod reads.
    fn lease_parts(&self) -> Option<usize> {
        match &self.leases {
            Carried::Nothing => None,
            // More than one holds are more than dnsmasq starts with.
            Carried::Awaited => Some(1),
            Carried::Leases(file) => Some(parts_to_apply(file, &self.namespace, CONFIG_MAP).len()),
        }
    }

    /// The init container, where leases are carried.
    pub(super) fn lease_container(&self) -> Option<Value> {
        self.lease_parts().map(|_| {
            json!({
                "name": VOLUME,
                "image": self.image,
                "command": ["sh", "-c", script(), "copy-leases", SAVED_FOLDER, FOLDERS[0]],
                "securityContext": {
                    "allowPrivilegeEscalation": false,
                    "capabilities": {"drop": ["ALL"]},
                    "privileged": false,
                    "runAsUser": USER,
                    "runAsGroup": GROUP,
                },
                "volumeMounts": [
                    {"name": SAVED, "mountPath": SAVED_FOLDER, "readOnly": true},
                    {"name": VOLUME, "mountPath": FOLDERS[0]},
                ],
            })
        })
    }

    /// What dnsmasq's container mounts.
    pub(super) fn lease_mounts(&self) -> Vec<Value> {
        let mounts = FOLDERS.map(|folder| json!({"name": VOLUME, "mountPath": folder}));
        self.lease_parts().map(|_| mounts.to_vec()).unwrap_or_default()
    }

    /// The volumes. A ConfigMap that is not there holds the pod up: better than a dnsmasq that knows no lease.
    pub(super) fn lease_volumes(&self) -> Vec<Value> {
        let Some(count) = self.lease_parts() else { return Vec::new() };
        let source = |index: usize| {
            let key = part_key(index);
            json!({"configMap": {"name": part_name(CONFIG_MAP, index), "items": [{"key": key, "path": key}]}})
        };
        let sources: Vec<Value> = (0..count).map(source).collect();
        vec![
            json!({"name": VOLUME, "emptyDir": {}}),
            json!({"name": SAVED, "projected": {"sources": sources}}),
        ]
    }
}
