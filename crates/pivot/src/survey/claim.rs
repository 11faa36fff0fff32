//! Whether a cluster takes part in another pivot already.

use pivot_core::machine::Side;
use pivot_core::plan::Claim;

use super::{Options, SurveyError, read_error};
use crate::cluster::Cluster;
use crate::records::records;
use crate::run::open_pivot;

/// What keeps a cluster from a pivot; the one that is taken up again does not.
pub(super) async fn claim(
    side: Side,
    cluster: &Cluster,
    options: &Options,
) -> Result<Option<Claim>, SurveyError> {
    let found = match records(cluster).await {
        Ok(found) => found,
        // Whether the records may be read and written is a check of its own.
        Err(failure) if failure.is_forbidden() => return Ok(None),
        Err(failure) => return Err(read_error(side, cluster, "the records of pivots")(failure)),
    };
    if let Some(error) = found.unreadable.first() {
        return Ok(Some(Claim::Unreadable(error.to_string())));
    }
    let open = open_pivot(&found).filter(|&id| options.pivot.as_deref() != Some(id));
    Ok(open.map(|id| Claim::OpenPivot(id.to_owned())))
}
