//! The engine: performs the machine's effects, many at a time, and feeds the outcomes back.
//!
//! One loop owns the machine and the listener; effects run beside it as futures that it polls, so that nothing outlives it.

mod perform;
mod story;
mod watches;

use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use pivot_core::machine::{End, Machine, Notice};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use self::perform::Performer;
pub(crate) use self::perform::{Guise, Sides, Source, Target};
pub(crate) use self::story::Story;
use self::watches::Sighting;
use crate::coordinator::Seat;
use crate::event::{Event, Listener};

/// Limit of the question whether the seat is still ours.
const RECLAIM: Duration = Duration::from_secs(5);

/// Runs a machine to its end. `interrupt` asks it to stop; it then stands still, or goes back where nothing could take it up again.
pub(crate) async fn drive(
    mut machine: Machine,
    sides: Sides,
    seat: &Seat,
    concurrency: usize,
    interrupt: CancellationToken,
    listener: Listener<'_>,
) -> End {
    let started = Instant::now();
    let (performer, mut sightings) = Performer::new(sides);
    let mut running = FuturesUnordered::new();
    let mut interrupted = false;
    let mut deposed = false;
    let mut keep = std::pin::pin!(seat.keep());
    loop {
        let trouble = performer.story().trouble().map(|message| Notice::Warning { object: None, message });
        for notice in machine.notices().into_iter().chain(trouble) {
            performer.story().heard(&notice);
            listener(Event { elapsed: started.elapsed(), notice });
        }
        if let Some(end) = machine.end() {
            let end = end.clone();
            performer.story().end(&end).await;
            drop(running);
            performer.stop().await;
            return end;
        }
        // A process that was stopped for a while must not write before it knows that nobody took its place. A server that does not
        // answer takes no writes either.
        if !deposed && !seat.is_held() {
            let reclaimed = tokio::select! {
                // A renewal that was under way holds what `reclaim` waits for.
                lost = &mut keep => Err(lost),
                reclaimed = timeout(RECLAIM, seat.reclaim()) => reclaimed.unwrap_or(Ok(false)),
            };
            if let Err(lost) = reclaimed {
                deposed = true;
                machine.depose(lost.to_string());
                continue;
            }
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
            lost = &mut keep, if !deposed => {
                deposed = true;
                machine.depose(lost.to_string());
            }
            Some((id, outcome)) = running.next() => machine.apply(id, outcome),
        }
    }
}

/// Words for what nobody but the seat knows.
pub(crate) fn waiting(waiting: &crate::coordinator::Waiting) -> Notice {
    Notice::Waiting { what: waiting.to_string(), objects: Vec::new() }
}
