//! Who answers DHCP, as a table or for machines.

use std::net::IpAddr;

use pivot_core::dhcp::{Answer, Family};
use serde::Serialize;

use super::table::table;

/// A network that was asked.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DhcpReport {
    /// The interface that it was asked from.
    interface: String,
    answers: Vec<AnswerReport>,
    /// The protocol that could not be asked for, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_asked: Option<String>,
}

/// A server.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AnswerReport {
    /// `v4` or `v6`.
    family: &'static str,
    server: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    duid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mac: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offered: Option<IpAddr>,
}

impl From<&Answer> for AnswerReport {
    fn from(answer: &Answer) -> Self {
        let family = match answer.family {
            Family::V4 => "v4",
            Family::V6 => "v6",
        };
        let Answer { server, duid, mac, offered, .. } = answer.clone();
        Self { family, server, duid, mac, offered }
    }
}

impl DhcpReport {
    /// As it was heard.
    pub(crate) fn of(interface: &str, answers: &[Answer], not_asked: Option<String>) -> Self {
        let answers = answers.iter().map(AnswerReport::from).collect();
        Self { interface: interface.to_owned(), answers, not_asked }
    }

    /// A row a server.
    pub(crate) fn text(&self) -> String {
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "<none>".to_owned());
        let row = |answer: &AnswerReport| {
            let protocol = if answer.family == "v4" { Family::V4 } else { Family::V6 };
            [
                answer.server.to_string(),
                protocol.to_string(),
                or_none(answer.offered.map(|address| address.to_string())),
                or_none(answer.mac.clone()),
            ]
        };
        table(["SERVER", "PROTOCOL", "OFFERS", "MAC"], &self.answers.iter().map(row).collect::<Vec<_>>())
    }
}
