//! The program is killed while it stops Ironic, before the decision, and while it starts it.

use pivot_testbed::operators::standin_irso;
use pivot_testbed::proxy::{Gate, Proxy, Stage};
use pivot_testbed::traffic::{Call, Target};
use pivot_testbed::{assets_or_skip, pods_or_skip};

use super::MOVE;
use super::site::{SERVICE, Site, prepared, stopped};
use crate::scene::{Halted, RECORDS};

fn deployment(name: &str) -> Target {
    Target::writes().kind("Deployment").name(name)
}

fn record() -> Target {
    Target::writes().kind("ConfigMap").namespace(RECORDS).name("pivot-*")
}

fn is_prepared(call: &Call) -> bool {
    let text = call.body.as_ref().and_then(|body| body["data"]["record.json"].as_str());
    text.is_some_and(|text| text.contains(r#""state": "prepared""#))
}

/// Begins a pivot from east to west and kills it at a request, right after that was carried out.
async fn kill(site: &Site, proxy: &Proxy, requests: fn() -> Target, is_there: fn(&Call) -> bool) {
    let gate = |proxy: &Proxy| -> Gate { proxy.halt(Stage::Applied, requests(), 1) };
    let first = gate(proxy);
    let mut halted = Halted::begin(site.between(&MOVE, &site.east, &site.west));
    halted.stand_where(proxy, first, gate, is_there).await;
    halted.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_it_is_killed_one_side_has_ironic() {
    let assets = assets_or_skip!();
    pods_or_skip!();
    let site = Box::pin(Site::new(&assets)).await;
    let (east, west) = (&site.east, &site.west);
    site.apply(west).await;
    west.install(0).await;

    kill(&site, &east.proxy, || deployment(SERVICE), |_| true).await;
    site.run(&["rollback"], east, west).exits(0);
    site.runs_in(east, west, &prepared()).await;

    kill(&site, &east.proxy, record, is_prepared).await;
    site.run(&["rollback"], east, west).exits(0);
    site.runs_in(east, west, &prepared()).await;

    kill(&site, &west.proxy, || deployment(standin_irso::DEPLOYMENT), |_| true).await;
    site.run(&["resume"], east, west).exits(0);
    site.runs_in(west, east, &stopped()).await;
}
