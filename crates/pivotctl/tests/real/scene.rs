//! Two planes, a proxy in front of the target, and the program.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::Duration;

use pivot_testbed::assets::Assets;
use pivot_testbed::client::{Progress, wait_until};
use pivot_testbed::dump::{Dump, Key, dump};
use pivot_testbed::fixture::{self, Fixture, FixtureOptions};
use pivot_testbed::kind::Gvk;
use pivot_testbed::plane::{Pair, PlaneOptions};
use pivot_testbed::proxy::{Gate, Halt, Proxy, Stage};
use pivot_testbed::traffic::{Call, Target};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::timeout;

/// Longest wait for a pivot to come to the place where it is killed.
const DEADLINE: Duration = Duration::from_secs(120);
/// Where the fixture is.
pub(crate) const NAMESPACE: &str = "metal3";
/// The namespace of the records.
pub(crate) const RECORDS: &str = "pivotctl-system";

/// What a test has. A cluster takes part in one pivot at a time: every test has planes of its own.
pub(crate) struct Scene {
    pub(crate) pair: Pair,
    pub(crate) proxy: Proxy,
    home: TempDir,
}

/// What the program printed.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A run that stands at a gate, and is ended by its id, also after a panic.
pub(crate) struct Halted {
    child: Child,
    stderr: BufReader<ChildStderr>,
    halt: Option<Halt>,
}

impl Scene {
    /// With the small fixture in the source.
    pub(crate) async fn new(assets: &Assets) -> Self {
        let pair = Pair::dedicated(assets, &PlaneOptions::default()).await.unwrap();
        let source = pair.source.client().await.unwrap();
        source.ensure_namespace(NAMESPACE).await.unwrap();
        fixture::load(&source, &Fixture::new(FixtureOptions::small().in_namespace(NAMESPACE))).await.unwrap();
        let proxy = Proxy::start(&pair.target).await.unwrap();
        Self { pair, proxy, home: tempfile::tempdir().unwrap() }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pivotctl"));
        command.args(args).env_clear().env("HOME", self.home.path()).current_dir(self.home.path());
        command
    }

    /// Runs the program without flags of its own accord.
    pub(crate) fn run(&self, args: &[&str]) -> Outcome {
        let Output { status, stdout, stderr } = self.command(args).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Outcome { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    /// Runs a verb from source to target.
    pub(crate) fn pivotctl(&self, args: &[&str]) -> Outcome {
        self.run(&[args, &self.sides()].concat())
    }

    /// The flags that name both sides.
    pub(crate) fn sides(&self) -> [&str; 4] {
        ["--kubeconfig", self.source(), "--to-kubeconfig", self.target()]
    }

    pub(crate) fn source(&self) -> &str {
        self.pair.source.kubeconfig().to_str().unwrap()
    }

    /// Through the proxy.
    pub(crate) fn target(&self) -> &str {
        self.proxy.kubeconfig().to_str().unwrap()
    }

    /// Begins a verb from source to target, which stands still when the request to the target comes to the stage.
    pub(crate) async fn halted(&self, args: &[&str], stage: Stage, at: Target) -> Halted {
        self.halted_whole(&[args, &self.sides()].concat(), stage, at).await
    }

    /// The same with a whole command line.
    pub(crate) async fn halted_whole(&self, args: &[&str], stage: Stage, at: Target) -> Halted {
        let gate = self.proxy.halt(stage, at, 1);
        let mut halted = Halted::begin(self.command(args));
        halted.stand_at(gate).await;
        halted
    }

    /// Begins a verb from source to target that nothing holds.
    pub(crate) fn begun(&self, args: &[&str]) -> Halted {
        Halted::begin(self.command(&[args, &self.sides()].concat()))
    }

    /// Begins a pivot that stands still with its source prepared, before the decision reaches the target.
    pub(crate) async fn halted_in_doubt(&self, args: &[&str]) -> Halted {
        let records = || Target::writes().kind("ConfigMap").namespace(RECORDS).name("pivot-*");
        let mut halted = self.halted(args, Stage::Before, records()).await;
        let source = self.pair.source.client().await.unwrap();
        loop {
            let found = source.list(Gvk::CONFIG_MAP, Some(RECORDS)).await.unwrap();
            let is_prepared = |record: &Value| {
                record["data"]["record.json"]
                    .as_str()
                    .is_some_and(|text| text.contains("\"state\": \"prepared\""))
            };
            if found.iter().any(is_prepared) {
                return halted;
            }
            let gate = self.proxy.halt(Stage::Before, records(), 1);
            halted.halt.take().unwrap().go_on();
            halted.stand_at(gate).await;
        }
    }

    /// Waits until the target has finished to delete the namespace of the records.
    pub(crate) async fn await_no_records(&self) {
        let target = self.pair.target.client().await.unwrap();
        wait_until("the namespace of the records to go", DEADLINE, async || {
            let found = target.get(Gvk::NAMESPACE, None, RECORDS).await?;
            Ok(match found {
                None => Progress::Done(()),
                Some(namespace) => Progress::Pending(namespace["metadata"].to_string()),
            })
        })
        .await
        .unwrap();
    }

    /// Everything in both clusters.
    pub(crate) async fn dumps(&self) -> (Dump, Dump) {
        let (source, target) =
            tokio::try_join!(self.pair.source.client(), self.pair.target.client()).unwrap();
        tokio::try_join!(dump(&source), dump(&target)).unwrap()
    }
}

impl Halted {
    /// Begins the program, which nothing holds.
    pub(crate) fn begin(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stderr, halt: None }
    }

    /// Waits until it stands at the first of the requests to a proxy that satisfies the condition.
    pub(crate) async fn stand_where(
        &mut self,
        proxy: &Proxy,
        mut gate: Gate,
        again: impl Fn(&Proxy) -> Gate,
        is_there: impl Fn(&Call) -> bool,
    ) {
        loop {
            self.stand_at(gate).await;
            let halt = self.halt.take().expect("BUG: it stands at a gate");
            if is_there(halt.call()) {
                self.halt = Some(halt);
                return;
            }
            gate = again(proxy);
            halt.go_on();
        }
    }

    async fn stand_at(&mut self, gate: Gate) {
        let reached = timeout(DEADLINE, gate.reached()).await;
        if let Ok(reached) = reached {
            self.halt = Some(reached.expect("the request ended before the gate"));
            return;
        }
        self.child.kill().ok();
        let mut said = String::new();
        self.stderr.read_to_string(&mut said).ok();
        panic!("it never came to the gate: {said}");
    }

    /// Waits for a line with these words, and returns it.
    pub(crate) fn says(&mut self, words: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.stderr.read_line(&mut line).unwrap(), 0, "it never said `{words}`");
            if line.contains(words) {
                return line;
            }
        }
    }

    /// SIGKILL. What it had sent and was not passed on is lost.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.halt.take();
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Lets the request pass, and waits for the end.
    pub(crate) fn go_on(mut self) -> Outcome {
        self.halt.take().expect("it stands at the gate").go_on();
        self.end()
    }

    /// Waits for the end while the request stays where it is.
    pub(crate) fn end(mut self) -> Outcome {
        let mut stderr = String::new();
        self.stderr.read_to_string(&mut stderr).unwrap();
        let code = self.child.wait().unwrap().code();
        Outcome { code, stdout: String::new(), stderr }
    }
}

impl Drop for Halted {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Outcome {
    /// The last line on standard error.
    pub(crate) fn last_line(&self) -> &str {
        self.stderr.lines().last().unwrap_or_default()
    }

    /// The arguments of the one next command.
    pub(crate) fn next(&self) -> Vec<String> {
        let (_, command) = self.last_line().split_once("next: pivotctl ").expect("a next command");
        command.split(' ').map(str::to_owned).collect()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// Asserts an error of that id.
    #[track_caller]
    pub(crate) fn is(self, id: &str) -> Self {
        assert!(self.stderr.contains(&format!("error[{id}]: ")), "{self:#?}");
        self
    }

    /// Asserts an exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }
}

/// Objects that came, went, are another instance or say something else. Only names are told: some are Secrets.
pub(crate) fn changes(before: &Dump, after: &Dump, concerns: impl Fn(&Key) -> bool) -> Vec<String> {
    let (before, after) = (content(before, &concerns), content(after, &concerns));
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    keys.into_iter().filter(|key| before.get(key) != after.get(key)).map(ToString::to_string).collect()
}

fn content(dump: &Dump, concerns: impl Fn(&Key) -> bool) -> BTreeMap<Key, Value> {
    let concerned = dump.iter().filter(|(key, _)| concerns(key));
    concerned
        .map(|(key, object)| {
            let metadata = &object["metadata"];
            let said = json!({
                "uid": metadata["uid"], "labels": metadata["labels"], "annotations": metadata["annotations"],
                "finalizers": metadata["finalizers"], "owners": metadata["ownerReferences"],
                "spec": object["spec"], "status": object["status"], "data": object["data"],
            });
            (key.clone(), said)
        })
        .collect()
}
