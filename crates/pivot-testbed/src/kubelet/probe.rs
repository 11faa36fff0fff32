//! Asking a container whether it is well.

use std::{
    net::{IpAddr, Ipv4Addr},
    process::Stdio,
    time::Duration,
};

use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use k8s_openapi::{
    api::core::v1::{Container, HTTPGetAction, Probe},
    apimachinery::pkg::util::intstr::IntOrString,
};
use tokio::{
    net::TcpStream,
    process::Command,
    time::{Instant, Interval, MissedTickBehavior, interval_at, timeout},
};

use super::process;

/// A container that is asked.
pub(super) struct Patient<'a> {
    pub(super) container: &'a Container,
    pub(super) address: Ipv4Addr,
    pub(super) pid: u32,
}

/// The looks at one container that one of its probes asks for.
pub(super) struct Rounds<'a> {
    probe: &'a Probe,
    patient: &'a Patient<'a>,
    looks: Interval,
    well: u32,
    ill: u32,
}

/// What some answers in a row amount to.
pub(super) enum Finding {
    Well,
    /// It is not well, for this reason.
    Ill(String),
}

impl<'a> Rounds<'a> {
    /// The first look comes after the probe's delay from now.
    pub(super) fn begin(probe: &'a Probe, patient: &'a Patient<'a>) -> Self {
        let first = Instant::now() + seconds(probe.initial_delay_seconds, 0);
        let period = seconds(probe.period_seconds, 10).max(Duration::from_secs(1));
        let mut looks = interval_at(first, period);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { probe, patient, looks, well: 0, ill: 0 }
    }

    /// Looks until as many answers in a row agree as the probe asks for.
    pub(super) async fn next(&mut self) -> Finding {
        let patience = seconds(self.probe.timeout_seconds, 1).max(Duration::from_secs(1));
        loop {
            self.looks.tick().await;
            let answer = timeout(patience, ask(self.probe, self.patient)).await;
            match answer.unwrap_or_else(|_| Err(format!("no answer within {} s", patience.as_secs()))) {
                Ok(()) => {
                    (self.well, self.ill) = (self.well.saturating_add(1), 0);
                    if self.well == count(self.probe.success_threshold, 1) {
                        return Finding::Well;
                    }
                }
                Err(why) => {
                    (self.well, self.ill) = (0, self.ill.saturating_add(1));
                    if self.ill == count(self.probe.failure_threshold, 3) {
                        return Finding::Ill(why);
                    }
                }
            }
        }
    }
}

fn seconds(value: Option<i32>, otherwise: u64) -> Duration {
    Duration::from_secs(value.and_then(|value| u64::try_from(value).ok()).unwrap_or(otherwise))
}

fn count(value: Option<i32>, otherwise: u32) -> u32 {
    value.and_then(|value| u32::try_from(value).ok()).unwrap_or(otherwise).max(1)
}

async fn ask(probe: &Probe, patient: &Patient<'_>) -> Result<(), String> {
    if let Some(get) = &probe.http_get {
        ask_http(get, patient).await
    } else if let Some(socket) = &probe.tcp_socket {
        let address = (IpAddr::from(patient.address), port(&socket.port, patient.container)?);
        TcpStream::connect(address).await.map(drop).map_err(|error| error.to_string())
    } else if let Some(exec) = &probe.exec {
        ask_program(exec.command.as_deref().unwrap_or_default(), patient.pid).await
    } else {
        Err("a kind of probe that this kubelet does not know".to_owned())
    }
}

async fn ask_http(get: &HTTPGetAction, patient: &Patient<'_>) -> Result<(), String> {
    if get.scheme.as_deref().is_some_and(|scheme| scheme != "HTTP") {
        return Err("a scheme that this kubelet does not know".to_owned());
    }
    let host = get.host.clone().unwrap_or_else(|| patient.address.to_string());
    let port = port(&get.port, patient.container)?;
    let path = get.path.as_deref().unwrap_or("/").trim_start_matches('/');
    let request = Request::get(format!("http://{host}:{port}/{path}"))
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let answer = Client::builder(TokioExecutor::new())
        .build_http()
        .request(request)
        .await
        .map_err(|error| error.to_string())?;
    match answer.status() {
        status if status.is_success() || status.is_redirection() => Ok(()),
        status => Err(format!("HTTP status {status}")),
    }
}

async fn ask_program(words: &[String], pid: u32) -> Result<(), String> {
    let (program, args) = process::beside(pid, words);
    let status = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .status()
        .await;
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(status.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

fn port(port: &IntOrString, container: &Container) -> Result<u16, String> {
    let number = match port {
        IntOrString::Int(number) => Some(*number),
        IntOrString::String(name) => {
            let ports = container.ports.iter().flatten();
            let named = ports.filter(|port| port.name.as_ref() == Some(name));
            named.map(|port| port.container_port).next().or_else(|| name.parse().ok())
        }
    };
    number.and_then(|number| u16::try_from(number).ok()).ok_or_else(|| format!("no port {port:?}"))
}
