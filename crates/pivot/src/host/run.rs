//! Running one command.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::{Instant, timeout};

use super::quote::quoted;
use super::{Connection, Host, HostError, Ssh};

/// Longest wait of `ssh` for a connection, in seconds.
const CONNECT_TIMEOUT: u64 = 10;
/// After these many seconds without a sign of life, twice, `ssh` gives a connection up.
const ALIVE_INTERVAL: u64 = 5;
/// Words of a command that messages name.
const SHOWN_WORDS: usize = 6;
/// Longest message of a program that is passed on, in characters.
const MESSAGE_LIMIT: usize = 600;
/// Where `ip netns` keeps its namespaces.
const NAMESPACES: &str = "/run/netns";
/// Exit code of `ssh` itself, and of whoever finds no program.
const SSH_FAILED: i32 = 255;
const NOT_FOUND: i32 = 127;

/// What a command printed, whatever its exit code.
#[derive(Clone, PartialEq, Eq)]
pub struct Ran {
    /// Exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error, as text.
    pub stderr: String,
}

/// Standard output of a command that did what it should.
pub type Output = Vec<u8>;

impl std::fmt::Debug for Ran {
    /// Without what it printed, which may be a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ran")
            .field("code", &self.code)
            .field("bytes", &self.stdout.len())
            .finish_non_exhaustive()
    }
}

impl Host {
    /// Runs a command and returns what it printed on standard output; anything but exit code 0 is an error.
    pub async fn read(&self, command: &[&str]) -> Result<Output, HostError> {
        let ran = self.run(command, &[]).await?;
        if ran.code == Some(0) { Ok(ran.stdout) } else { Err(self.failed(command, &ran)) }
    }

    /// Runs a command, with `input` on its standard input. Only what kept it from running is an error: no such machine, namespace or
    /// program, or no end within [`Host::timeout`].
    ///
    /// Secrets belong into `input`: everybody on the machine can read a command line.
    pub async fn run(&self, command: &[&str], input: &[u8]) -> Result<Ran, HostError> {
        let line = self.line(command);
        let (program, arguments) = line.split_first().expect("BUG: a command has a program");
        let mut child = Command::new(program);
        child
            .args(arguments)
            // Messages are looked at for what they say.
            .env("LC_ALL", "C")
            .stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let began = Instant::now();
        let ended = timeout(self.timeout, to_the_end(&mut child, input)).await;
        tracing::debug!(host = %self, command = shown(command), elapsed = ?began.elapsed(), "ran");
        match ended {
            Ok(Ok(ran)) => self.judged(command, ran),
            Ok(Err(source)) => Err(HostError::Start { program: program.clone(), source }),
            Err(_) => Err(HostError::Silent {
                command: shown(command),
                host: self.to_string(),
                limit: self.timeout,
            }),
        }
    }

    /// The error for a command that ran and ended with another exit code than 0.
    pub fn failed(&self, command: &[&str], ran: &Ran) -> HostError {
        let message = message_of(&ran.stderr);
        let (command, host) = (shown(command), self.to_string());
        let denied =
            ["Permission denied", "Operation not permitted", "a password is required", "permission denied"];
        if denied.iter().any(|words| ran.stderr.contains(words)) {
            return HostError::Denied { command, host, message };
        }
        let ending =
            ran.code.map_or_else(|| "ended by a signal".to_owned(), |code| format!("exit code {code}"));
        HostError::Failed { command, host, ending, message }
    }

    /// True where commands are started by nothing but this process.
    pub(super) fn is_direct(&self) -> bool {
        self.ssh.is_none() && self.namespace.is_none() && !self.sudo
    }

    /// The words to start on this machine.
    fn line(&self, command: &[&str]) -> Vec<String> {
        let mut words: Vec<&str> = Vec::new();
        // Not `ip netns exec`, which hides the control groups that containers need.
        let enter = self.namespace.as_ref().map(|name| format!("--net={NAMESPACES}/{name}"));
        if self.sudo {
            words.extend(["sudo", "-n", "--"]);
        }
        if let Some(enter) = &enter {
            words.extend(["nsenter", enter, "--"]);
        }
        words.extend(command);
        let Some(ssh) = &self.ssh else {
            return words.into_iter().map(str::to_owned).collect();
        };
        let socket = self.connection.as_ref().map(Connection::socket);
        // A connection that is kept for others would hold our pipes open. The other side's messages are looked at too.
        ssh.line(&["ControlMaster=no"], socket, &quoted(["env", "LC_ALL=C"].into_iter().chain(words)))
    }

    /// Tells a command that failed from one that never ran.
    fn judged(&self, command: &[&str], ran: Ran) -> Result<Ran, HostError> {
        let machine = || Self { namespace: None, ..self.clone() }.to_string();
        if let Some(name) = &self.namespace
            && ran.code != Some(0)
            && ran.stderr.contains(&format!("cannot open {NAMESPACES}/{name}: No such file"))
        {
            return Err(HostError::NoNamespace { name: name.clone(), machine: machine() });
        }
        if self.ssh.is_some() && ran.code == Some(SSH_FAILED) {
            return Err(HostError::Unreachable { host: machine(), message: message_of(&ran.stderr) });
        }
        let program = command.first().copied().unwrap_or_default();
        // sudo has its own words for it.
        let unknown_to_sudo =
            || self.sudo && ran.stderr.contains(&format!("sudo: {program}: command not found"));
        if (ran.code == Some(NOT_FOUND) && !self.is_direct()) || unknown_to_sudo() {
            return Err(HostError::NoProgram { program: program.to_owned(), host: self.to_string() });
        }
        Ok(ran)
    }

    /// The same machine with another limit for each command.
    #[must_use]
    pub fn within(&self, timeout: Duration) -> Self {
        Self { timeout, ..self.clone() }
    }
}

impl Ssh {
    /// The words to start for a line of the other side's shell.
    pub(super) fn line(&self, options: &[&str], socket: Option<&Path>, command: &str) -> Vec<String> {
        let mut line: Vec<String> = vec!["ssh".to_owned()];
        if let Some(config) = &self.config {
            line.extend(["-F".to_owned(), config.to_string_lossy().into_owned()]);
        }
        let own = [
            "BatchMode=yes".to_owned(),
            format!("ConnectTimeout={CONNECT_TIMEOUT}"),
            format!("ServerAliveInterval={ALIVE_INTERVAL}"),
            "ServerAliveCountMax=2".to_owned(),
        ];
        let options = own.into_iter().chain(options.iter().map(|option| (*option).to_owned()));
        line.extend(options.flat_map(|option| ["-o".to_owned(), option]));
        if let Some(socket) = socket {
            line.extend(["-S".to_owned(), socket.to_string_lossy().into_owned()]);
        }
        // Behind the dashes nothing is taken for an option.
        line.extend(["-T".to_owned(), "--".to_owned(), self.destination.clone(), command.to_owned()]);
        line
    }
}

async fn to_the_end(command: &mut Command, input: &[u8]) -> std::io::Result<Ran> {
    let mut child = command.spawn()?;
    let stdin = child.stdin.take();
    let feed = async {
        if let Some(mut stdin) = stdin {
            // Who does not read what it is given says so by its exit code.
            stdin.write_all(input).await.ok();
        }
    };
    let ((), output) = tokio::join!(feed, child.wait_with_output());
    let output = output?;
    Ok(Ran {
        code: ExitStatus::code(&output.status),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// The first words of a command.
fn shown(command: &[&str]) -> String {
    let mut text = command.iter().take(SHOWN_WORDS).copied().collect::<Vec<_>>().join(" ");
    if command.len() > SHOWN_WORDS {
        text.push_str(" …");
    }
    text
}

/// What a program said, in one line; the end says most.
fn message_of(stderr: &str) -> String {
    let lines: Vec<&str> = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.is_empty() {
        return "it said nothing".to_owned();
    }
    let text = lines.join("; ");
    let length = text.chars().count();
    text.chars().skip(length.saturating_sub(MESSAGE_LIMIT)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote() -> Host {
        let ssh = Ssh { destination: "-oProxyCommand=x".to_owned(), config: Some("my config".into()) };
        Host { ssh: Some(ssh), namespace: Some("prov".to_owned()), sudo: true, ..Host::default() }
    }

    #[test]
    fn ssh_gets_one_line_and_takes_no_word_for_an_option() {
        let line = remote().line(&["cat", "a b"]);
        let dashes = line.iter().position(|word| word == "--").unwrap();
        assert_eq!(line[dashes + 1], "-oProxyCommand=x");
        assert_eq!(
            line[dashes + 2..],
            ["env LC_ALL=C sudo -n -- nsenter --net=/run/netns/prov -- cat 'a b'"]
        );
        assert!(line.contains(&"BatchMode=yes".to_owned()));
        assert_eq!(Host::default().line(&["ip", "addr"]), ["ip", "addr"]);
    }

    #[tokio::test]
    async fn what_did_not_run_is_told_from_what_failed() {
        let host = Host::default();
        let ran = host.run(&["sh", "-c", "echo out; echo err >&2; exit 3"], &[]).await.unwrap();
        assert_eq!(
            (ran.code, ran.stdout.as_slice(), ran.stderr.as_str()),
            (Some(3), b"out\n".as_slice(), "err\n")
        );
        let error = host.read(&["sh", "-c", "echo no >&2; exit 3"]).await.unwrap_err();
        assert_eq!(error.to_string(), "`sh -c echo no >&2; exit 3` on this machine failed (exit code 3): no");
        let missing = host.read(&["no-such-program-at-all"]).await.unwrap_err();
        assert!(matches!(missing, HostError::Start { .. }), "{missing}");
        let denied = host.read(&["sh", "-c", "echo 'x: Permission denied' >&2; exit 1"]).await.unwrap_err();
        assert!(matches!(denied, HostError::Denied { .. }), "{denied}");
    }

    #[tokio::test]
    async fn input_reaches_the_command_whether_it_reads_or_not() {
        let host = Host::default();
        let large = vec![b'a'; 1 << 20];
        assert_eq!(host.run(&["cat"], &large).await.unwrap().stdout, large);
        assert_eq!(host.run(&["true"], &large).await.unwrap().code, Some(0));
    }

    #[tokio::test]
    async fn what_does_not_end_is_given_up() {
        let host = Host::default().within(Duration::from_millis(200));
        let error = host.read(&["sleep", "600"]).await.unwrap_err();
        assert!(matches!(error, HostError::Silent { .. }), "{error}");
    }
}
