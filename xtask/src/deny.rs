//! Checking the dependencies with `cargo-deny`, by the rules in `deny.toml`.

use std::ffi::OsString;
use std::fs;
use std::process::Command;

use crate::error::{AtPath, Error};
use crate::progress::{self, Timed};
use crate::{process, workspace};

/// The release that is installed where the user has none.
const VERSION: &str = "0.20.2";

/// Checks bans, licenses and sources; and advisories, where their database can be fetched.
pub(crate) fn run() -> Result<(), Error> {
    let program = program()?;
    let deny = |args: &[&str]| {
        let mut command = Command::new(&program);
        command.current_dir(workspace::root()).args(args);
        command
    };
    process::run(&mut deny(&["check", "bans", "licenses", "sources"]))?;
    if deny(&["fetch", "db"]).output().is_ok_and(|fetched| fetched.status.success()) {
        process::run(&mut deny(&["check", "--disable-fetch", "advisories"]))
    } else {
        progress::line(
            "NOT CHECKED: known vulnerabilities; the advisory database cannot be fetched from here",
        );
        Ok(())
    }
}

/// The `cargo-deny` on PATH, or one in the cache, installed if it is not there yet.
fn program() -> Result<OsString, Error> {
    let on_path = Command::new("cargo-deny").arg("--version").output();
    if on_path.is_ok_and(|output| output.status.success()) {
        return Ok("cargo-deny".into());
    }
    let tools = workspace::cache()?.join("tools");
    let folder = tools.join(format!("cargo-deny-{VERSION}"));
    let program = folder.join("bin").join("cargo-deny");
    if !program.is_file() {
        fs::create_dir_all(&tools).at("create", &tools)?;
        let timed = Timed::begin_line(format_args!("installing cargo-deny {VERSION} in {}", tools.display()));
        // Unoptimized it is built in half the time, and still done with this workspace in seconds.
        let mut install = workspace::cargo();
        install
            .args(["install", "--quiet", "--locked", "--debug", "--version", VERSION, "--root"])
            .arg(&folder)
            .arg("cargo-deny")
            .env("CARGO_PROFILE_DEV_DEBUG", "false");
        process::run_quietly(&mut install)?;
        timed.end_line("done");
    }
    Ok(program.into())
}
