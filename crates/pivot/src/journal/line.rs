//! One line: the JSON of an entry, with a checksum as its first member.

use std::fmt::Write;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::entry::Entry;

/// Bytes of SHA-256 that are kept.
const LENGTH: usize = 8;
const OPENING: &[u8] = b"{\"sum\":\"";
const BEHIND: &[u8] = b"\",";

/// Checksum of a line and of all lines before it, in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sum([u8; 2 * LENGTH]);

impl Sum {
    /// Before the first line.
    pub(super) fn start() -> Self {
        Self([b'0'; 2 * LENGTH])
    }

    fn after(&self, rest: &[u8]) -> Self {
        let hash = Sha256::new().chain_update(self.0).chain_update(rest).finalize();
        let mut text = String::with_capacity(2 * LENGTH);
        for byte in &hash[..LENGTH] {
            write!(text, "{byte:02x}").expect("BUG: writing to a string fails");
        }
        Self(text.into_bytes().try_into().expect("BUG: two digits a byte"))
    }
}

/// Appends the line of an entry to `out`, and returns its checksum.
pub(super) fn encode(entry: &Entry, before: &Sum, out: &mut Vec<u8>) -> Sum {
    let json = serde_json::to_vec(entry).expect("BUG: an entry is no JSON");
    let rest = &json[1..];
    let sum = before.after(rest);
    for part in [OPENING, sum.0.as_slice(), BEHIND, rest, b"\n"] {
        out.extend_from_slice(part);
    }
    sum
}

/// What a line turned out to be.
pub(super) enum Decoded {
    Entry(Box<Entry>, Sum),
    /// Whole, and of a format that is not known here.
    Newer(u64),
    /// Its checksum does not fit, or it has none.
    Altered,
    /// Whole, and yet no entry.
    Odd,
}

/// Reads a line without its end.
pub(super) fn decode(line: &[u8], before: &Sum, newest: u32) -> Decoded {
    let checked = line.strip_prefix(OPENING).and_then(|line| {
        let (sum, line) = line.split_at_checked(2 * LENGTH)?;
        Some((sum, line.strip_prefix(BEHIND)?))
    });
    let Some((sum, rest)) = checked else { return Decoded::Altered };
    let expected = before.after(rest);
    if sum != expected.0 {
        return Decoded::Altered;
    }
    let json = [b"{", rest].concat();
    let Ok(value) = serde_json::from_slice::<Value>(&json) else { return Decoded::Odd };
    if let Some(format) = format_of(&value).filter(|format| *format > u64::from(newest)) {
        return Decoded::Newer(format);
    }
    match serde_json::from_value(value) {
        Ok(entry) => Decoded::Entry(Box::new(entry), expected),
        Err(_) => Decoded::Odd,
    }
}

/// The format that a first line names, whatever else it says and however it is summed up.
pub(super) fn claimed_format(line: &[u8]) -> Option<u64> {
    format_of(&serde_json::from_slice(line).ok()?)
}

fn format_of(value: &Value) -> Option<u64> {
    if value["kind"] == "begin" { value["format"].as_u64() } else { None }
}
