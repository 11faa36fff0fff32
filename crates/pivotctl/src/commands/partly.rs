//! Verbs that may fail half way.

use super::Session;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::ui::last_line;

/// Waits for something that changes what it finds, unless the user does not want to wait any more. A failure of which `harmless` says that
/// nothing was changed is an error like any other; of any other the user is told, and its exit code is the inner error.
pub(super) async fn changing<T, E: Into<CommandError>>(
    session: &Session,
    work: impl Future<Output = Result<T, E>>,
    harmless: impl Fn(&E) -> bool,
) -> Result<Result<T, Exit>, CommandError> {
    match session.interrupt.unless(work).await {
        Some(Ok(done)) => Ok(Ok(done)),
        Some(Err(error)) if harmless(&error) => Err(error.into()),
        Some(Err(error)) => Ok(Err(told(session, &error.into()))),
        None => Ok(Err(told(session, &CommandError::left_half_way()))),
    }
}

/// Tells a failure after which not everything is as it was.
pub(super) fn told(session: &Session, error: &CommandError) -> Exit {
    error.print(session.printer);
    session.printer.note(last_line::LEFT);
    error.exit
}
