//! `--silence`.

use std::time::Duration;

use super::WaitLimit;

/// The flag.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct SilenceArgs {
    /// How long a cluster may be silent before it counts as unreachable
    #[arg(long = "silence", value_name = "DURATION", default_value_t = WaitLimit(Duration::from_secs(10)))]
    limit: WaitLimit,
}

impl SilenceArgs {
    /// The limit.
    pub(crate) fn limit(self) -> Duration {
        self.limit.0
    }
}
