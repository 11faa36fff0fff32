//! The two clusters, what is in them, and running `pivotctl` on them.

use std::collections::BTreeSet;

use pivot_testbed::{
    assets::Assets,
    client::PlaneClient,
    dump::{Dump, Key, dump},
    fixture::{self, Fixture, FixtureOptions, bystanders},
    garbage::await_garbage_collection,
    plane::{Pair, PlaneOptions},
    tool::Tools,
};

use crate::{
    error::{Error, Result},
    words,
};

/// Where the sample cluster is.
pub(crate) const NAMESPACE: &str = "metal3";

/// Both planes, with the sample loaded into the source.
pub(crate) struct Stage {
    pub(crate) pair: Pair,
    source: PlaneClient,
    target: PlaneClient,
    /// What is to move.
    pub(crate) sample: BTreeSet<Key>,
    /// What is to stay.
    pub(crate) bystanders: BTreeSet<Key>,
}

/// Everything in both clusters.
pub(crate) struct Dumps {
    pub(crate) source: Dump,
    pub(crate) target: Dump,
}

impl Stage {
    pub(crate) async fn start(assets: &Assets) -> Result<Self> {
        let pair = Pair::dedicated(assets, &PlaneOptions::default()).await?;
        let (source, target) = tokio::try_join!(pair.source.client(), pair.target.client())?;
        let sample = Fixture::new(FixtureOptions::small().in_namespace(NAMESPACE));
        let bystanders = bystanders(NAMESPACE);
        let keys = (sample.keys().collect(), bystanders.keys().collect());
        fixture::load(&source, &sample.with(bystanders)).await?;
        await_garbage_collection(&source, NAMESPACE).await?;
        Ok(Self { pair, source, target, sample: keys.0, bystanders: keys.1 })
    }

    pub(crate) async fn dumps(&self) -> Result<Dumps> {
        let (source, target) = tokio::try_join!(dump(&self.source), dump(&self.target))?;
        Ok(Dumps { source, target })
    }

    /// Waits until the target's garbage collector has looked at everything that arrived.
    pub(crate) async fn await_garbage_collection(&self) -> Result<()> {
        Ok(await_garbage_collection(&self.target, NAMESPACE).await?)
    }

    /// Runs `pivotctl` from source to target; its output goes where ours goes. Returns what went wrong, if something did.
    pub(crate) async fn pivotctl(&self, tools: &Tools, args: &[&str]) -> Result<Option<String>> {
        let line = args.join(" ");
        words::say(format_args!(
            "$ pivotctl {line} -n {NAMESPACE} --kubeconfig $SOURCE --to-kubeconfig $TARGET\n"
        ));
        let mut command = tools.pivotctl();
        command.args(args).args(["-n", NAMESPACE, "--kubeconfig"]).arg(self.pair.source.kubeconfig());
        command.arg("--to-kubeconfig").arg(self.pair.target.kubeconfig());
        let status = command.status().await.map_err(Error::Start)?;
        Ok((!status.success()).then(|| format!("pivotctl {line}: {status}")))
    }
}
