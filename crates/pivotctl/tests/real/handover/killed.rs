//! The program is killed at every command that changes something on a machine, before and after it is done; whoever takes the pivot up
//! ends with one Ironic, one DHCP server, one owner of the address, and the leases.

use std::fs::File;
use std::process::Stdio;

use pivot_testbed::assets_or_skip;

use super::yard::{Place, Yard};

/// Which part of the hand-over is disturbed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Four containers are stopped.
    Stop,
    /// The leases are put in, and four containers started.
    Start,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_every_command_of_the_stop() {
    let assets = assets_or_skip!();
    machines_or_skip!();
    let yard = Yard::new(&assets).await;
    assert!(at_every_command(&yard, Part::Stop) >= 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_every_command_of_the_start() {
    let assets = assets_or_skip!();
    machines_or_skip!();
    let yard = Yard::new(&assets).await;
    assert!(at_every_command(&yard, Part::Start) >= 5);
}

/// Returns how many commands there were. Every other one is done although nobody waits for it any more, every other pair is rolled back: until the
/// decision, behind which nothing is started.
fn at_every_command(yard: &Yard, part: Part) -> usize {
    let address = yard.address(1);
    assert!(address.is_some());
    let (mut active, mut switches) = (Place::Here, vec![Place::Here]);
    for number in 1.. {
        let site = yard.site(if part == Part::Stop { active } else { active.other() });
        site.turnstile.hold(number).unwrap();
        let log = yard.folder("killed").join("stderr");
        let mut run = yard.going(active, &["move", "--yes"]);
        let mut run = run.stdout(Stdio::null()).stderr(File::create(&log).unwrap()).spawn().unwrap();
        let said = || std::fs::read_to_string(&log).unwrap_or_default();
        let held = site.turnstile.is_held(|| run.try_wait().unwrap().is_some());
        if !held.unwrap_or_else(|error| panic!("command {number}: {error}: {}", said())) {
            assert!(run.wait().unwrap().success(), "command {number}: {}", said());
            switches.push(active.other());
            yard.owns(active.other());
            assert_eq!(yard.owners(), switches, "never two at a time");
            return number - 1;
        }
        run.kill().unwrap();
        run.wait().unwrap();
        let (verb, is_done) = (["resume", "rollback"][number / 2 % 2], number % 2 == 0);
        if is_done { site.turnstile.pass() } else { site.turnstile.lose() }.unwrap();
        let what = format!("command {number}, {verb}, done {is_done}");
        let mut taken = yard.on_clusters(active, &[verb]);
        if verb == "rollback" && part == Part::Start {
            assert_ne!(taken.code, Some(0), "it was decided: {what}: {taken:#?}");
            taken = yard.on_clusters(active, &["resume"]);
        }
        assert_eq!(taken.code, Some(0), "{what}: {taken:#?}");
        if verb == "resume" || part == Part::Start {
            active = active.other();
            switches.push(active);
        }
        yard.owns(active);
        assert_eq!(yard.address(1), address, "{what}");
    }
    unreachable!("every pivot has an end")
}
