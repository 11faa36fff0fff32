//! Lists, in pages of one consistent snapshot.

use std::sync::Arc;

use serde_json::json;

use super::{
    Call,
    answer::{Answer, present_list},
    failure::Failure,
    resource::Resource,
    selector::Selector,
    store::{Page, World},
};

/// The beginning of every continue token.
const TOKEN: &str = "page-";

impl World {
    pub(super) fn list(&mut self, call: &Call, resource: &Resource) -> Result<Answer, Failure> {
        let selector = selector_of(call)?;
        let limit = match call.query("limit") {
            "" => 0,
            text => text.parse::<usize>().map_err(|error| Failure::bad_request(&error.to_string()))?,
        };
        let page = match call.query("continue") {
            "" => {
                let found = self.select(resource, &call.namespace, &selector);
                let objects = found.into_iter().map(|(_, object)| object).collect();
                Page { revision: self.revision, objects: Arc::new(objects), from: 0 }
            }
            token => self.pages.get(token).cloned().ok_or_else(|| {
                if token.starts_with(TOKEN) {
                    Failure::expired(
                        "The provided continue parameter is too old to display a consistent list result.",
                    )
                } else {
                    Failure::bad_request("invalid continue token: continue key is not valid")
                }
            })?,
        };
        let total = page.objects.len();
        let end = if limit == 0 { total } else { total.min(page.from.saturating_add(limit)) };
        let mut metadata = json!({"resourceVersion": page.revision.to_string()});
        if end < total {
            let token = format!("{TOKEN}{}-{}", page.revision, self.pages.len());
            metadata["continue"] = token.clone().into();
            if selector.is_empty() {
                metadata["remainingItemCount"] = (total - end).into();
            }
            self.pages.insert(token, Page { from: end, ..page.clone() });
        }
        Ok(Answer::ok(present_list(call, resource, &metadata, &page.objects[page.from..end])))
    }
}

pub(super) fn selector_of(call: &Call) -> Result<Selector, Failure> {
    Selector::parse(call.query("labelSelector"), call.query("fieldSelector"))
        .map_err(|message| Failure::bad_request(&message))
}
