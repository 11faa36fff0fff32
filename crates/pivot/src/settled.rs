//! Whether a target has settled, read from both clusters without a write.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pivot_core::fence::{Controller, provider_kinds};
use pivot_core::inventory::Inventory;
use pivot_core::link::LinkRules;
use pivot_core::machine::{Extent, Side};
use pivot_core::marks;
use pivot_core::object::{ObjectKey, Uid};
use pivot_core::plan::{Origin, Permission};
use pivot_core::record::{FenceMode, Part, PivotRecord};
use pivot_core::select::is_copyable;
use pivot_core::settled::{Actors, Scene, Settlement, brought_kinds, judge, suspects};

use crate::cluster::discovery::Discovery;
use crate::cluster::{Cluster, Failure};
use crate::memory::LastPivot;
use crate::survey::{SurveyError, controllers, discover, list_extent, may_hold, read_error};

/// Looks again and again at what a pivot brought; what the clusters serve is asked once.
#[derive(Debug)]
pub struct Observer {
    concurrency: usize,
    here: Option<Arc<Discovery>>,
    there: Option<Arc<Discovery>>,
}

impl Observer {
    /// With at most so many requests at once.
    pub fn new(concurrency: usize) -> Self {
        Self { concurrency, here: None, there: None }
    }

    /// Judges what a pivot brought to `to`. With `acts` the target acts by now, and much more is expected of it.
    pub async fn look(
        &mut self,
        from: Option<&Cluster>,
        to: &Cluster,
        pivot: &LastPivot,
        acts: bool,
    ) -> Result<Settlement, SurveyError> {
        let terms = &pivot.record().terms;
        let rules = || LinkRules::builtin().with_readable(&terms.links);
        let there = match &self.there {
            Some(there) => Arc::clone(there),
            None => Arc::clone(self.there.insert(discover(Side::Target, to, &rules()).await?)),
        };
        let reach = pivot.record_of(Side::Target).and_then(|record| record.reach.clone());
        let extent = reach.filter(|reach| !reach.kinds.is_empty()).unwrap_or_else(|| Extent {
            kinds: there.catalog.iter().map(|info| info.kind.clone()).collect(),
            namespaces: terms.namespaces.clone(),
        });
        let listed = list_extent(to, &there, &BTreeMap::new(), &extent, self.concurrency).await;
        let inventory = listed.map_err(|error| SurveyError::Inventory {
            side: Side::Target,
            name: to.name().to_owned(),
            error,
        })?;
        let here = match (&self.here, from.filter(|_| acts)) {
            (_, None) => None,
            (Some(here), Some(_)) => Some(Arc::clone(here)),
            (None, Some(from)) => {
                Some(Arc::clone(self.here.insert(discover(Side::Source, from, &rules()).await?)))
            }
        };
        let view = View {
            from: from.zip(here.as_deref()),
            to,
            there: &inventory,
            last: Some(pivot),
            only: Some(pivot.id()),
            acts,
        };
        view.settlement().await
    }
}

/// What there is to judge.
pub(crate) struct View<'a> {
    /// The source, and what it serves; `None` where it does not answer, or there is none.
    pub(crate) from: Option<(&'a Cluster, &'a Discovery)>,
    pub(crate) to: &'a Cluster,
    /// What the target holds.
    pub(crate) there: &'a Inventory,
    /// The pivot that the records know.
    pub(crate) last: Option<&'a LastPivot>,
    /// Only what this pivot brought counts.
    pub(crate) only: Option<&'a str>,
    /// Whether the target acts.
    pub(crate) acts: bool,
}

impl View<'_> {
    /// Reads who acts, where anybody may, and judges.
    pub(crate) async fn settlement(&self) -> Result<Settlement, SurveyError> {
        let Self { there, only, .. } = *self;
        if !self.acts || brought_kinds(there, only).is_empty() {
            let actors = self.acts.then(Actors::default);
            return Ok(judge(&Scene { there, pivot: only, actors }));
        }
        let (target, source) = futures::try_join!(
            async { controllers(self.to).await.map_err(read_error(Side::Target, self.to, "who acts there")) },
            self.suspects(),
        )?;
        let (found, denied) = target;
        let can_tell = !denied.iter().any(|permission| permission.resource == "deployments");
        let record = self.last.and_then(|last| last.record_of(Side::Target));
        let suspects: Vec<&Controller> = source.suspects.iter().collect();
        let actors = Actors {
            target: can_tell.then_some(found.as_slice()),
            source: &suspects,
            fence: record.filter(|record| record.fenced).map(|record| record.id.as_str()),
        };
        let mut settlement = judge(&Scene { there, pivot: only, actors: Some(actors) });
        settlement.unjudged.extend(denied.iter().map(|permission| not_seen(Side::Target, permission)));
        settlement.unjudged.extend(source.unjudged);
        Ok(settlement)
    }

    /// Controllers that still act in the source, and have nothing left to do there.
    async fn suspects(&self) -> Result<InSource, SurveyError> {
        let Some(last) = self.last.filter(|last| last.record().origin == Origin::Cluster) else {
            return Ok(InSource::default());
        };
        if last.record().terms.fence == FenceMode::Pause {
            return Ok(InSource::not_judged("the pause was the only fence: the source's controllers run on"));
        }
        let Some((from, here)) = self.from else {
            let name = &last.record().source.name;
            return Ok(InSource::not_judged(format!(
                "{name} is not asked whether its controllers stand still"
            )));
        };
        let fails = || read_error(Side::Source, from, "who acts there");
        let (found, denied) = controllers(from).await.map_err(fails())?;
        let kinds = brought_kinds(self.there, self.only);
        let record = last.record_of(Side::Source);
        let dismissed: BTreeSet<&ObjectKey> = record.into_iter().flat_map(dismissed).collect();
        let mut suspected = Vec::new();
        let mut others = Others { from, here, moved: self.moved(), known: BTreeMap::new() };
        for controller in suspects(&here.catalog, &found, &kinds, &dismissed) {
            if !others.of(controller).await.map_err(fails())? {
                suspected.push(controller.clone());
            }
        }
        let unjudged = denied.iter().map(|permission| not_seen(Side::Source, permission)).collect();
        Ok(InSource { suspects: suspected, unjudged })
    }

    /// What the objects that arrived are in the source, where it keeps them.
    fn moved(&self) -> BTreeSet<Uid> {
        let uids = self.there.iter().filter_map(|(_, object)| object.manifest.annotation(marks::SOURCE_UID));
        uids.map(|uid| Uid(uid.to_owned())).collect()
    }
}

/// What was found out about the source.
#[derive(Default)]
struct InSource {
    suspects: Vec<Controller>,
    unjudged: Vec<String>,
}

impl InSource {
    fn not_judged(why: impl Into<String>) -> Self {
        Self { suspects: Vec::new(), unjudged: vec![why.into()] }
    }
}

/// Managers of the source that the pivot keeps from leading while they serve webhooks.
fn dismissed(record: &PivotRecord) -> impl Iterator<Item = &ObjectKey> {
    let captured = record.captured.iter().filter(|_| record.fenced);
    captured.filter(|c| matches!(c.part, Part::Dismissed { .. })).map(|c| &c.key)
}

/// What is not known without a permission to look at controllers.
fn not_seen(side: Side, permission: &Permission) -> String {
    let what = match (permission.resource.as_str(), side) {
        ("deployments", Side::Source) => "who still acts there",
        ("deployments", Side::Target) => "who acts there, and what they have taken up,",
        _ => "who leads there",
    };
    format!("you may not {permission} on the {side}: {what} is not known")
}

/// What is left for controllers of the source.
struct Others<'a> {
    from: &'a Cluster,
    here: &'a Discovery,
    moved: BTreeSet<Uid>,
    /// Whether there are others, by provider.
    known: BTreeMap<String, bool>,
}

impl Others<'_> {
    /// True where a controller has other objects to act on, or may have.
    async fn of(&mut self, controller: &Controller) -> Result<bool, Failure> {
        let provider = &controller.provider;
        if let Some(known) = self.known.get(provider) {
            return Ok(*known);
        }
        let mut found = false;
        for info in provider_kinds(&self.here.catalog, provider).filter(|info| !is_copyable(&info.kind)) {
            found = may_hold(self.from, info, |item| !self.moved.contains(&item.uid)).await?;
            if found {
                break;
            }
        }
        self.known.insert(provider.clone(), found);
        Ok(found)
    }
}
