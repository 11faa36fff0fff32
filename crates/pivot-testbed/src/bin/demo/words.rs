//! What the demo says, on standard output.
#![expect(clippy::print_stdout, reason = "the demo is a program for people")]

use std::{
    fmt,
    io::{self, Write},
    thread,
};

use tokio::{signal, sync::oneshot};

/// Says something.
pub(crate) fn say(text: impl fmt::Display) {
    println!("{text}");
    // What programs print in between goes to the same terminal by another way.
    io::stdout().flush().ok();
}

/// Begins a part.
pub(crate) fn heading(text: &str) {
    say(format_args!("\n== {text}\n"));
}

/// Waits for Enter, Ctrl-C, or the end of the input.
pub(crate) async fn await_enter() {
    let (pressed, enter) = oneshot::channel();
    // Not a task: a blocking read would keep the runtime from ending after Ctrl-C.
    thread::spawn(move || {
        io::stdin().read_line(&mut String::new()).ok();
        pressed.send(()).ok();
    });
    tokio::select! {
        _ = enter => {}
        _ = signal::ctrl_c() => {}
    }
}
