//! `--fence`.

use clap::ValueEnum;
use pivot_core::record::FenceMode;

/// How others are kept from acting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fence {
    /// Controllers are stopped, and the API servers refuse the writes of others
    #[default]
    Full,
    /// Controllers obey the pause; writes are watched for
    Pause,
}

/// The flag.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct FenceArgs {
    /// How others are kept from acting during the pivot
    #[arg(long, value_enum, value_name = "HOW", default_value_t)]
    pub(crate) fence: Fence,
}

impl From<FenceArgs> for FenceMode {
    fn from(args: FenceArgs) -> Self {
        match args.fence {
            Fence::Full => Self::Full,
            Fence::Pause => Self::Pause,
        }
    }
}
