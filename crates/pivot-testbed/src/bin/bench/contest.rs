//! All runs about fixtures of one size.

use pivot_testbed::{
    assets::Assets,
    audit::Detail,
    fixture::{Fixture, FixtureOptions},
    tool::Tools,
};
use serde::Serialize;
use tokio::process::Command;

use crate::{
    error::Result,
    progress,
    recording::{Known, Recording},
    replay::replay,
    run::{Gap, run},
    scene::Scene,
    tally::Tally,
};

/// Who moves the objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Runner {
    /// The real `clusterctl move`.
    Clusterctl,
    /// The real `pivotctl move`.
    Pivotctl,
    /// The requests of `pivotctl` alone.
    BareLoop,
}

impl Runner {
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Clusterctl => "clusterctl move",
            Self::Pivotctl => "pivotctl move",
            Self::BareLoop => "bare loop",
        }
    }

    /// Each has a namespace of its own. The loop sends what was recorded, names included.
    const fn namespace(self) -> &'static str {
        match self {
            Self::Clusterctl => "by-clusterctl",
            Self::Pivotctl => "by-pivotctl",
            Self::BareLoop => "by-loop",
        }
    }
}

/// One measurement.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Measurement {
    pub(crate) runner: Runner,
    pub(crate) seconds: f64,
    /// Processor time of the program; the loop runs inside the benchmark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) program_processor_seconds: Option<f64>,
    /// Processor time of the programs of both planes meanwhile.
    pub(crate) planes_processor_seconds: f64,
    /// Of the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) peak_memory_bytes: Option<u64>,
    /// The time in which neither side acted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gap: Option<Gap>,
    pub(crate) requests: Tally,
    /// Objects in the target afterwards.
    pub(crate) arrived: usize,
    /// Objects that are still in the source.
    pub(crate) left: usize,
}

/// What was measured about one size.
#[derive(Debug, Serialize)]
pub(crate) struct Contest {
    /// Objects of the fixture.
    pub(crate) objects: usize,
    /// How pivotctl kept others from acting.
    pub(crate) fence: Fence,
    /// The measurements of each round, in the order in which they were made.
    pub(crate) rounds: Vec<Vec<Measurement>>,
}

/// What to run.
pub(crate) struct Plan<'a> {
    pub(crate) assets: &'a Assets,
    pub(crate) tools: &'a Tools,
    pub(crate) runners: Vec<Runner>,
    pub(crate) fence: Fence,
}

/// The value of `pivotctl move --fence`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Fence {
    /// The same protection on both sides of the comparison.
    Pause,
    /// With records, policies, and everything staged before the source is stopped.
    Full,
}

impl Fence {
    pub(crate) const BOTH: [Self; 2] = [Self::Pause, Self::Full];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Full => "full",
        }
    }
}

impl Plan<'_> {
    /// Runs everything about one size, on planes of its own.
    pub(crate) async fn contest(&self, size: usize, rounds: usize) -> Result<Contest> {
        let options = FixtureOptions::of_about(size);
        let objects = Fixture::new(options.clone()).objects().len();
        let recording = if self.runners.contains(&Runner::BareLoop) {
            progress::line(format_args!("{objects} objects: recording the requests of pivotctl"));
            Some(Box::pin(self.record(&options)).await?)
        } else {
            None
        };
        let scene = Scene::start(self.assets, Detail::Requests).await?;
        let mut runners = self.runners.clone();
        self.warm_up(&scene, &runners).await?;
        let mut contest = Contest { objects, fence: self.fence, rounds: Vec::new() };
        for round in 0..rounds {
            let mut measurements = Vec::new();
            for &runner in &runners {
                let measurement = self.measure(&scene, runner, &options, recording.as_ref()).await?;
                progress::line(format_args!(
                    "{objects} objects, round {} of {rounds}: {} {:.2} s",
                    round + 1,
                    runner.title(),
                    measurement.seconds
                ));
                measurements.push(measurement);
            }
            contest.rounds.push(measurements);
            runners.reverse();
        }
        Ok(contest)
    }

    /// One pivot whose requests are logged with their bodies.
    async fn record(&self, options: &FixtureOptions) -> Result<Recording> {
        let scene = Scene::start(self.assets, Detail::Bodies).await?;
        let namespace = Runner::BareLoop.namespace();
        scene.load(&fixture(options, Runner::BareLoop)).await?;
        let known = Known::of(&scene.source.client, &scene.source.objects(namespace).await?).await?;
        run(Runner::Pivotctl.title(), self.command(Runner::Pivotctl, &scene, namespace)).await?;
        scene.settle().await?;
        Ok(Recording::new(scene.source.audit.read(0)?, scene.target.audit.read(0)?, known))
    }

    /// Lets both programs move something small first: an API server answers its first requests slowly.
    async fn warm_up(&self, scene: &Scene, runners: &[Runner]) -> Result<()> {
        for &runner in runners.iter().filter(|runner| **runner != Runner::BareLoop) {
            scene.load(&fixture(&FixtureOptions::of_about(0), runner)).await?;
            run(runner.title(), self.command(runner, scene, runner.namespace())).await?;
            scene.clear(runner.namespace()).await?;
        }
        Ok(())
    }

    async fn measure(
        &self,
        scene: &Scene,
        runner: Runner,
        options: &FixtureOptions,
        recording: Option<&Recording>,
    ) -> Result<Measurement> {
        let namespace = runner.namespace();
        scene.load(&fixture(options, runner)).await?;
        let marks = (scene.source.audit.end(), scene.target.audit.end());
        // Prepared before the clock starts.
        let script = match recording.filter(|_| runner == Runner::BareLoop) {
            Some(recording) => {
                let objects = scene.source.objects(namespace).await?;
                Some(recording.script(&Known::of(&scene.source.client, &objects).await?))
            }
            None => None,
        };
        let busy = scene.busy();
        let (wall, cost) = if let Some(script) = script {
            (replay(scene, &script).await?, None)
        } else {
            let cost = run(runner.title(), self.command(runner, scene, namespace)).await?;
            (cost.wall, Some(cost))
        };
        let planes = scene.busy().saturating_sub(busy);
        // The last requests are logged by then.
        scene.settle().await?;
        let mut requests = scene.source.audit.read(marks.0)?;
        requests.extend(scene.target.audit.read(marks.1)?);
        let measurement = Measurement {
            runner,
            seconds: wall.as_secs_f64(),
            program_processor_seconds: cost.map(|cost| cost.processor.as_secs_f64()),
            planes_processor_seconds: planes.as_secs_f64(),
            peak_memory_bytes: cost.map(|cost| cost.peak_memory),
            gap: cost.and_then(|cost| cost.gap),
            requests: Tally::of(&requests),
            arrived: scene.target.objects(namespace).await?.len(),
            left: scene.source.objects(namespace).await?.len(),
        };
        scene.clear(namespace).await?;
        Ok(measurement)
    }

    fn command(&self, runner: Runner, scene: &Scene, namespace: &str) -> Command {
        let mut command = match runner {
            Runner::Clusterctl => self.tools.clusterctl(),
            Runner::Pivotctl | Runner::BareLoop => self.tools.pivotctl(),
        };
        command.args(["move", "--namespace", namespace, "--kubeconfig"]).arg(&scene.source.kubeconfig);
        command.arg("--to-kubeconfig").arg(&scene.target.kubeconfig);
        if runner != Runner::Clusterctl {
            command.args(["--yes", "--output", "json", "--fence", self.fence.name()]);
        }
        command
    }
}

fn fixture(options: &FixtureOptions, runner: Runner) -> Fixture {
    Fixture::new(options.clone().in_namespace(runner.namespace()))
}
