//! `move --to-directory` and `move --from-directory`.

use std::path::Path;

use pivot::cluster::Cluster;
use pivot::directory;
use pivot::event::Event;
use pivot_core::record::FenceMode;

use super::r#move::{MoveArgs, dry_run};
use super::{Session, Verb, carry_out, ending, pivot_id, refuse};
use crate::driver::driver;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::report::amount::Amount;
use crate::ui::last_line;

/// Writes the objects of the source into a directory.
pub(super) async fn export(
    session: &Session,
    args: &MoveArgs,
    source: &Cluster,
    path: &Path,
) -> Result<Exit, CommandError> {
    let options = session.options(source.namespace(), &args.selection, args.wait.0, FenceMode::Pause)?;
    let id = pivot_id::fresh();
    let mut reporter = carry_out::reporter(session, args.output, Some(&id), &[]);
    let mut tell = |event: Event| reporter.event(&event);
    let export = Box::pin(directory::export(source, &options, &id, path, &mut tell));
    let exported =
        session.interruptible(export).await.and_then(|exported| exported.map_err(CommandError::from));
    let active = last_line::untouched(source.name());
    match exported {
        Ok(exported) => {
            reporter.exported(exported.objects);
            drop(reporter);
            let objects = Amount(exported.objects, "object");
            session.printer.note(format_args!("{objects} written to {}\n{active}", path.display()));
            Ok(Exit::Done)
        }
        Err(error) => {
            reporter.error(&error);
            drop(reporter);
            error.print(session.printer);
            session.printer.note(active);
            Ok(error.exit)
        }
    }
}

/// Takes the objects of a directory into the target.
pub(super) async fn import(session: &Session, args: &MoveArgs, path: &Path) -> Result<Exit, CommandError> {
    let target = session.target_or_default().await?;
    let options = session.options(target.namespace(), &args.selection, args.wait.0, args.fence.into())?;
    let import = session.busy(Box::pin(directory::read(path, &target, &options))).await??;
    let repeat = session.next(Verb::Move).with_path("--from-directory", path);
    let untouched = refuse::advised(last_line::NOTHING_CHANGED, import.report(), repeat.line());
    if args.dry_run {
        return dry_run(session, args, import.report(), &untouched);
    }
    if let Some(exit) = refuse::refused(session, args.output, import.report(), &untouched) {
        return Ok(exit);
    }
    let id = pivot_id::fresh();
    let mut reporter = carry_out::reporter(session, args.output, Some(&id), &import.report().findings);
    let resume = session.on_target(Verb::Resume);
    let interrupt = carry_out::listen(session, &reporter, &resume);
    let name = target.name().to_owned();
    let mut tell = |event: Event| reporter.event(&event);
    let end = Box::pin(import.run(target, &id, driver(&session.environment), interrupt, &mut tell)).await;
    let exit = Exit::Pivot(end.exit_code());
    reporter.end(&end, exit);
    let timeline = reporter.timeline().clone();
    drop(reporter);
    if let Some(error) = ending::explained(&end, &timeline) {
        error.print(session.printer);
    }
    session.printer.note(last_line::after_import(&end, &name, Some(repeat.line()), resume.line()));
    Ok(exit)
}
