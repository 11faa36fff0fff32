//! How many requests went out.

use std::sync::atomic::{AtomicU64, Ordering};

use http::Method;

/// Requests of one cluster by HTTP method, counted as they are sent, whatever becomes of them.
#[derive(Debug, Default)]
pub struct Counters {
    get: AtomicU64,
    post: AtomicU64,
    put: AtomicU64,
    patch: AtomicU64,
    delete: AtomicU64,
    other: AtomicU64,
}

impl Counters {
    fn of(&self, method: &Method) -> &AtomicU64 {
        match *method {
            Method::GET => &self.get,
            Method::POST => &self.post,
            Method::PUT => &self.put,
            Method::PATCH => &self.patch,
            Method::DELETE => &self.delete,
            _ => &self.other,
        }
    }

    pub(super) fn count(&self, method: &Method) {
        self.of(method).fetch_add(1, Ordering::Relaxed);
    }

    /// Requests with this method; lists and watches are GET.
    pub fn sent(&self, method: &Method) -> u64 {
        self.of(method).load(Ordering::Relaxed)
    }

    /// All requests.
    pub fn total(&self) -> u64 {
        [&self.get, &self.post, &self.put, &self.patch, &self.delete, &self.other]
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .sum()
    }
}
