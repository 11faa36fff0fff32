//! The program is killed at every command that changes something on a machine, before and after it is done; whoever takes the pivot up
//! ends with one Ironic, one DHCP server, one owner of the address, and the leases.

use std::process::Stdio;

use pivot_testbed::{assets_or_skip, programs_or_skip};

use super::yard::{Place, Yard};

/// What the whole hand-over takes: four containers stopped and four started, and the leases put in between.
const LEAST: usize = 9;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_every_command() {
    let assets = assets_or_skip!();
    programs_or_skip!(
        "podman",
        "runc",
        "busybox",
        "dnsmasq",
        "keepalived",
        "arping",
        "stdbuf",
        "sshd",
        "ssh",
        "python3"
    );
    let yard = Yard::new(&assets).await;
    let address = yard.address(1);
    assert!(address.is_some());
    let (mut active, mut switches, mut number) = (Place::Here, vec!["here"], 0);
    loop {
        number += 1;
        // Stops are commands of one machine, starts of the other: the count goes through both.
        let stops = count(&yard, active);
        let site = yard.site(if number <= stops { active } else { active.other() });
        site.turnstile.hold(if number <= stops { number } else { number - stops }).unwrap();
        let mut run = yard.going(active, &["move", "--yes"]);
        let mut run = run.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let held = site.turnstile.is_held(|| run.try_wait().unwrap().is_some()).unwrap();
        if !held {
            let ended = run.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&ended.stderr);
            assert!(ended.status.success(), "command {number} of {:?}: {said}", site.turnstile.commands());
            active = active.other();
            switches.push(name(active));
            break;
        }
        run.kill().unwrap();
        run.wait().unwrap();
        let (verb, is_done) = (["resume", "rollback"][number % 2], number % 4 < 2);
        if is_done { site.turnstile.pass() } else { site.turnstile.lose() }.unwrap();
        let what = format!("command {number}, {verb}, done {is_done}");
        let mut taken = yard.on_clusters(active, &[verb]);
        if verb == "rollback" && number > stops {
            // It was decided before anything was started.
            assert_ne!(taken.code, Some(0), "{what}: {taken:#?}");
            taken = yard.on_clusters(active, &["resume"]);
        }
        assert_eq!(taken.code, Some(0), "{what}: {taken:#?}");
        if verb == "resume" || number > stops {
            active = active.other();
            switches.push(name(active));
        }
        yard.owns(active);
        assert_eq!(yard.address(1), address, "{what}");
    }
    assert!(number > LEAST, "only {number} commands");
    yard.owns(active);
    assert_eq!(yard.owners(), switches, "never two at a time");
}

/// Commands that a stop takes.
fn count(yard: &Yard, place: Place) -> usize {
    yard.running(place).len()
}

fn name(place: Place) -> &'static str {
    match place {
        Place::Here => "here",
        Place::There => "there",
    }
}
