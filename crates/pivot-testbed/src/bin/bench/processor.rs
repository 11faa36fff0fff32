//! Processor time, which tells what a run costs also where other programs compete for the processors.

use std::{fs, time::Duration};

/// Unit of the times in `/proc/PID/stat`; fixed by the kernel's interface for programs.
const TICK: Duration = Duration::from_millis(10);

/// What a process has used so far; nothing where it is gone.
pub(crate) fn processor_time(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok();
    TICK * stat.and_then(|stat| ticks(&stat)).unwrap_or(0)
}

/// User and system time of a `/proc/PID/stat`.
fn ticks(stat: &str) -> Option<u32> {
    // The name in parentheses may hold anything; what follows begins with field 3.
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u32>().ok();
    Some(field(14)? + field(15)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_behind_a_strange_name() {
        let stat = "12 (a ) b) S 1 12 12 0 -1 4194560 100 0 0 0 37 5 0 0 20 0 9 0 100 0";
        assert_eq!(ticks(stat), Some(42));
    }
}
