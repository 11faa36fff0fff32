//! The engine: performs the machine's effects, many at a time, and feeds the outcomes back.
//!
//! One loop owns the machine and the listener; effects run beside it as futures that it polls, so that nothing outlives it.

mod perform;
mod watches;

use futures::stream::{FuturesUnordered, StreamExt};
use pivot_core::machine::{End, Machine};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::perform::Performer;
pub(crate) use self::perform::{Sides, Source};
use self::watches::Sighting;
use crate::event::{Event, Listener};

/// Runs a machine to its end. `interrupt` asks it to stop; it then goes back, or on where there is no way back.
pub(crate) async fn drive(
    mut machine: Machine,
    sides: Sides,
    concurrency: usize,
    interrupt: CancellationToken,
    listener: Listener<'_>,
) -> End {
    let started = Instant::now();
    let (performer, mut sightings) = Performer::new(sides);
    let mut running = FuturesUnordered::new();
    let mut interrupted = false;
    loop {
        for notice in machine.notices() {
            listener(Event { elapsed: started.elapsed(), notice });
        }
        if let Some(end) = machine.end() {
            let end = end.clone();
            drop(running);
            performer.stop().await;
            return end;
        }
        for effect in machine.next(concurrency.max(1).saturating_sub(running.len())) {
            running.push(performer.perform(effect));
        }
        tokio::select! {
            // What the watches saw before an outcome arrived counts before it: it may forbid the step that would follow.
            biased;
            Some(sighting) = sightings.recv() => match sighting {
                Sighting::Changed(seen) => machine.changed(&seen),
                Sighting::Lost(reason) => machine.watch_lost(&reason),
            },
            () = interrupt.cancelled(), if !interrupted => {
                interrupted = true;
                machine.interrupt();
            }
            Some((id, outcome)) = running.next() => machine.apply(id, outcome),
        }
    }
}
