//! The program is killed at the borders of its phases while operators are alive.

use pivot_testbed::proxy::{Gate, Proxy, Stage};
use pivot_testbed::traffic::{Call, Target, Verb};
use pivot_testbed::{assets_or_skip, pods_or_skip};

use super::bank::{OPERATOR, River};
use super::timeline::{States, acts, now};
use super::{MOVE, arrived};
use crate::scene::{Halted, RECORDS};

/// Where the request goes that it is killed at.
#[derive(Clone, Copy, Debug)]
enum Role {
    Source,
    Target,
}

/// A place to be killed at, right after the request was carried out, and how the operator goes on.
struct Kill {
    phase: &'static str,
    role: Role,
    requests: fn() -> Target,
    is_there: fn(&Call) -> bool,
    verb: &'static str,
}

fn record() -> Target {
    Target::writes().kind("ConfigMap").namespace(RECORDS).name("pivot-*")
}

/// By which the operator elects its leader.
fn leader() -> Target {
    Target::writes().kind("Lease").namespace(OPERATOR.namespace())
}

fn says(call: &Call, state: &str) -> bool {
    let text = call.body.as_ref().and_then(|body| body["data"]["record.json"].as_str());
    text.is_some_and(|text| text.contains(&format!(r#""state": "{state}""#)))
}

const fn any(_: &Call) -> bool {
    true
}

/// In the order of the phases.
const KILLS: [Kill; 9] = [
    Kill { phase: "LOCK", role: Role::Target, requests: record, is_there: any, verb: "rollback" },
    Kill {
        phase: "QUIESCE",
        role: Role::Source,
        requests: || Target::new(Verb::Patch, "BareMetalHost"),
        is_there: any,
        verb: "resume",
    },
    Kill { phase: "FENCE", role: Role::Source, requests: leader, is_there: any, verb: "rollback" },
    Kill {
        phase: "STAGE",
        role: Role::Target,
        requests: || Target::new(Verb::Create, "BareMetalHost"),
        is_there: any,
        verb: "rollback",
    },
    Kill {
        phase: "PREPARE",
        role: Role::Source,
        requests: record,
        is_there: |call| says(call, "prepared"),
        verb: "resume",
    },
    Kill {
        phase: "COMMIT",
        role: Role::Target,
        requests: record,
        is_there: |call| says(call, "committed"),
        verb: "resume",
    },
    Kill { phase: "ACTIVATE", role: Role::Target, requests: leader, is_there: any, verb: "resume" },
    Kill {
        phase: "RETIRE",
        role: Role::Source,
        requests: || Target::new(Verb::Delete, "BareMetalHost"),
        is_there: any,
        verb: "resume",
    },
    // Managers that elect a leader are put to sleep at the end.
    Kill {
        phase: "RETIRE, at its end",
        role: Role::Source,
        requests: || Target::writes().kind("Deployment"),
        is_there: any,
        verb: "resume",
    },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_phase_is_killed_hosts_and_operators_stay_right() {
    let assets = assets_or_skip!();
    pods_or_skip!();
    let river = River::new(&assets).await;
    let (mut from, mut to) = (&river.east, &river.west);
    let states = States::watch(river.clients());
    for Kill { phase, role, requests, is_there, verb } in KILLS {
        eprintln!("killed in {phase}, then {verb}, {} to {}", from.name, to.name);
        let since = now();
        let proxy = match role {
            Role::Source => &from.proxy,
            Role::Target => &to.proxy,
        };
        let gate = |proxy: &Proxy| -> Gate { proxy.halt(Stage::Applied, requests(), 1) };
        let first = gate(proxy);
        let mut halted = Halted::begin(river.command(&MOVE, from, to));
        halted.stand_where(proxy, first, gate, is_there).await;
        halted.kill();
        river.run(&[verb], from, to);
        if verb == "rollback" {
            river.hosts_are_in(from, to).await;
            from.is_active().await;
            assert_eq!(acts(to, since), [], "the target's operator acted after {phase}");
        } else {
            arrived(&river, from, to, since).await;
            (from, to) = (to, from);
        }
    }
    states.never_changed(&river.before).await;
}
