//! One run of a program: how long it took and how much memory it held at most.

use std::{
    fs,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{
    process::{Child, Command},
    time::{Instant, MissedTickBehavior, interval, timeout},
};

use crate::{
    error::{Error, Result},
    processor::processor_time,
};

/// A program that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(1800);
/// How often memory and processor time are looked at. The kernel keeps the highest value, so only what is added in the last moments is missed.
const SAMPLE: Duration = Duration::from_millis(10);
/// How much of a failed program's output an error shows.
const TAIL_LINES: usize = 15;

/// What a run cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// From the start of the process to its end.
    pub(crate) wall: Duration,
    /// Peak resident memory in bytes; 0 where the kernel does not tell.
    pub(crate) peak_memory: u64,
    /// Processor time, up to the last look.
    pub(crate) processor: Duration,
    /// What `pivotctl` says of the time in which neither side acted.
    pub(crate) gap: Option<Gap>,
}

/// The management gap of a pivot, as the last line of its event stream tells it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Gap {
    /// From the begin of FENCE(S) to the end of ACTIVATE.
    #[serde(rename(deserialize = "managementGapSeconds"))]
    pub(crate) seconds: f64,
    /// What of it was waiting for proof of the fence.
    #[serde(rename(deserialize = "fenceWaitSeconds"))]
    pub(crate) waited_seconds: f64,
    /// What of it was ACTIVATE.
    #[serde(rename(deserialize = "activateSeconds"))]
    pub(crate) activate_seconds: f64,
}

/// Runs a program to its end; an error if it fails.
pub(crate) async fn run(name: &'static str, mut command: Command) -> Result<Cost> {
    let output = tempfile::NamedTempFile::new().map_err(|source| Error::Start { name, source })?;
    let stream = || output.reopen().map(Stdio::from).map_err(|source| Error::Start { name, source });
    command.stdout(stream()?).stderr(stream()?);
    let started = Instant::now();
    let mut child = command.spawn().map_err(|source| Error::Start { name, source })?;
    let (status, peak_memory, processor) = timeout(LIMIT, watch(&mut child))
        .await
        .map_err(|_| Error::Hangs { name, minutes: LIMIT.as_secs() / 60 })?;
    let wall = started.elapsed();
    let status = status.map_err(|source| Error::Start { name, source })?;
    let text = fs::read_to_string(output.path()).unwrap_or_default();
    if status.success() {
        Ok(Cost { wall, peak_memory, processor, gap: gap(&text) })
    } else {
        Err(Error::Failed { name, status, output: tail(&text) })
    }
}

async fn watch(child: &mut Child) -> (std::io::Result<ExitStatus>, u64, Duration) {
    let pid = child.id().unwrap_or_default();
    let file = format!("/proc/{pid}/status");
    let mut ticks = interval(SAMPLE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut peak, mut processor) = (0, Duration::ZERO);
    loop {
        tokio::select! {
            status = child.wait() => return (status, peak, processor),
            _ = ticks.tick() => {
                let seen = fs::read_to_string(&file).ok().and_then(|status| high_water_mark(&status));
                peak = peak.max(seen.unwrap_or(0));
                processor = processor.max(processor_time(pid));
            }
        }
    }
}

/// `VmHWM` of a `/proc/PID/status`, in bytes.
fn high_water_mark(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

fn gap(text: &str) -> Option<Gap> {
    text.lines().rev().find_map(|line| serde_json::from_str(line).ok())
}

fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_counts_in_kibibytes() {
        assert_eq!(high_water_mark("Name:\tx\nVmHWM:\t   2048 kB\nVmRSS:\t 1 kB\n"), Some(2 * 1024 * 1024));
        assert_eq!(high_water_mark("Name:\tx\n"), None);
    }

    #[test]
    fn the_gap_is_in_the_last_line_of_a_stream() {
        let end = r#"{"type": "end", "managementGapSeconds": 1.5, "fenceWaitSeconds": 0.5, "activateSeconds": 0.25}"#;
        let found = gap(&format!("{{\"type\": \"event\"}}\n{end}\n"));
        assert_eq!(found, Some(Gap { seconds: 1.5, waited_seconds: 0.5, activate_seconds: 0.25 }));
        assert_eq!(gap("moved\n{}\n"), None);
    }

    #[test]
    fn only_the_end_of_an_output_is_shown() {
        let lines: Vec<_> = (0..40).map(|line| line.to_string()).collect();
        assert!(tail(&lines.join("\n")).starts_with("25\n"));
        assert_eq!(tail("one\n"), "one");
    }
}
