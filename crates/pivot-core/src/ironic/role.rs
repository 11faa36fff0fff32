//! Which containers belong to Ironic, by the names that the scripts of Metal3 gave them over the years.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a container does. They are stopped in this order: first who hands out addresses, last who holds the one that the others are
/// reached by. They are started the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The DHCP server.
    Dnsmasq,
    /// Follows the logs of ramdisks.
    LogWatch,
    /// Inspected hosts, until agents did.
    Inspector,
    /// Works on hosts, where it is apart from the API.
    Conductor,
    /// The API, today with all else of Ironic.
    Ironic,
    /// Serves images.
    Httpd,
    /// The database, until there was none.
    Database,
    /// Fetches the ramdisk once.
    Downloader,
    /// Holds the endpoint address.
    Keepalived,
}

impl Role {
    /// The role of a container of that name, and whether the name alone tells that it belongs to Ironic.
    fn of(name: &str) -> Option<(Self, bool)> {
        Some(match name {
            "dnsmasq" => (Self::Dnsmasq, false),
            "ironic-dnsmasq" => (Self::Dnsmasq, true),
            "ironic-log-watch" | "ironic-inspector-log-watch" => (Self::LogWatch, true),
            "ironic-inspector" => (Self::Inspector, true),
            "ironic-conductor" => (Self::Conductor, true),
            "ironic" | "ironic-api" => (Self::Ironic, true),
            "httpd" => (Self::Httpd, false),
            "ironic-httpd" | "httpd-reverse-proxy" => (Self::Httpd, true),
            "mariadb" => (Self::Database, false),
            "ironic-mariadb" => (Self::Database, true),
            "ipa-downloader" | "ironic-ipa-downloader" => (Self::Downloader, true),
            "keepalived" => (Self::Keepalived, false),
            "ironic-endpoint-keepalived" | "ironic-keepalived" => (Self::Keepalived, true),
            _ => return None,
        })
    }

    /// Every name that is looked for.
    pub const NAMES: [&'static str; 18] = [
        "dnsmasq",
        "ironic-dnsmasq",
        "ironic-log-watch",
        "ironic-inspector-log-watch",
        "ironic-inspector",
        "ironic-conductor",
        "ironic",
        "ironic-api",
        "httpd",
        "ironic-httpd",
        "httpd-reverse-proxy",
        "mariadb",
        "ironic-mariadb",
        "ipa-downloader",
        "ironic-ipa-downloader",
        "keepalived",
        "ironic-endpoint-keepalived",
        "ironic-keepalived",
    ];
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dnsmasq => "DHCP",
            Self::LogWatch => "logs",
            Self::Inspector => "inspector",
            Self::Conductor => "conductor",
            Self::Ironic => "API",
            Self::Httpd => "images",
            Self::Database => "database",
            Self::Downloader => "ramdisk",
            Self::Keepalived => "endpoint",
        })
    }
}

/// Which of these containers, by name and image, belong to Ironic, and what each does.
///
/// A name that others use too, such as `httpd`, counts only beside a container that is Ironic's beyond doubt, or with an image of
/// Metal3's: a machine may run somebody else's web server.
pub fn belongs(containers: &[(&str, &str)]) -> Vec<Option<Role>> {
    let roles: Vec<Option<(Role, bool)>> = containers.iter().map(|(name, _)| Role::of(name)).collect();
    let beyond_doubt = roles.iter().flatten().any(|(_, sure)| *sure);
    let image_tells = |image: &str| image.contains("ironic") || image.contains("metal3");
    containers
        .iter()
        .zip(roles)
        .map(|((_, image), role)| {
            let (role, sure) = role?;
            (sure || image_tells(image) || (beyond_doubt && role == Role::Dnsmasq)).then_some(role)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_role() {
        for name in Role::NAMES {
            assert!(Role::of(name).is_some(), "{name}");
        }
    }

    #[test]
    fn the_containers_of_both_generations_are_known() {
        let image = "quay.io/metal3-io/ironic";
        let of = |names: &[&str]| {
            let named: Vec<(&str, &str)> = names.iter().map(|name| (*name, image)).collect();
            belongs(&named).into_iter().flatten().count()
        };
        assert_eq!(of(&["ironic", "dnsmasq", "httpd", "ironic-endpoint-keepalived", "ironic-log-watch"]), 5);
        let old = ["ironic-api", "ironic-conductor", "ironic-inspector", "dnsmasq", "httpd", "mariadb"];
        assert_eq!(of(&old), 6);
        assert_eq!(of(&["registry", "vbmc", "sushy-tools"]), 0);
    }

    #[test]
    fn what_others_run_is_left_alone() {
        let shop = [("httpd", "docker.io/library/httpd"), ("mariadb", "docker.io/library/mariadb")];
        assert_eq!(belongs(&shop), [None, None]);
        let beside = [
            ("ironic", "localhost/mine"),
            ("mariadb", "docker.io/library/mariadb"),
            ("dnsmasq", "localhost/mine"),
        ];
        assert_eq!(belongs(&beside), [Some(Role::Ironic), None, Some(Role::Dnsmasq)]);
        assert_eq!(belongs(&[("dnsmasq", "docker.io/some/dnsmasq")]), [None]);
    }

    #[test]
    fn addresses_stop_first_and_the_endpoint_goes_last() {
        let mut roles = [Role::Keepalived, Role::Ironic, Role::Dnsmasq, Role::Httpd];
        roles.sort();
        assert_eq!(roles, [Role::Dnsmasq, Role::Ironic, Role::Httpd, Role::Keepalived]);
    }
}
