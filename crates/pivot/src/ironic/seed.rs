//! Leases into a container of dnsmasq that does not run: it reads them once, when it starts.

use std::time::{SystemTime, UNIX_EPOCH};

use pivot_core::lease::{Lease, LeaseFile, Merged, merge};
use serde_json::Value;

use super::IronicError;
use crate::host::{Container, Engine, Host, HostError, LEASE_FILES};

/// Where ironic-image has what its dnsmasq is configured from, today and in 2021.
const TEMPLATES: [&str; 2] = ["/templates/dnsmasq.conf.j2", "/etc/dnsmasq.conf.j2"];
/// The option that names the lease file.
const OPTION: &str = "dhcp-leasefile=";
/// Where the leases are without that option, in the image's system.
const WITHOUT_OPTION: &str = LEASE_FILES[1];
/// Users of a container.
const USERS: &str = "/etc/passwd";

/// Puts standard input into the container `$2` of `$1` as `$3`, with the folders that it does not have; `$4` keeps owners, and what follows tells
/// `tar` whose it is. Folders that are there stay as they are.
const PUT: &str = r#"set -e
engine=$1 name=$2 path=$3 archive=$4; shift 4
folder=$(mktemp -d); trap 'rm -rf -- "$folder"' EXIT
mkdir -p "$folder$(dirname "$path")"; cat >"$folder$path"
chmod -R u=rwX,go=rX "$folder"
has() { [ -n "$("$engine" cp "$name:$1" - 2>/dev/null | head -c 1)" ]; }
entry=$path parent=$(dirname "$path")
while [ "$parent" != / ] && ! has "$parent"; do entry=$parent parent=$(dirname "$parent"); done
tar -C "$folder" "$@" -cf - ".$entry" | "$engine" cp "$archive" - "$name:/""#;

/// Leases that were put into a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seeded {
    /// The files; several where nothing tells which one dnsmasq reads.
    pub paths: Vec<String>,
    /// What stands in them: what was given, and what was there.
    pub merged: Merged,
    /// Lines that were there and are no leases. They are left out.
    pub aside: usize,
}

/// Puts leases to where the dnsmasq of a container that does not run will read them, beside those that are there. Of two that exclude each
/// other the one that ends last stays. One that runs must have them already, as after a start that was cut off.
pub async fn seed(host: &Host, container: &Container, leases: &LeaseFile) -> Result<Seeded, IronicError> {
    let name = container.name.clone();
    let Some((now, entry)) = host.inspected(container.engine, &container.id).await? else {
        return Err(IronicError::Gone { host: host.to_string(), name });
    };
    let paths = places(host, &now, &entry).await?;
    let known: Vec<&str> = paths.iter().map(String::as_str).collect();
    let there =
        host.file_in(&now, &known).await?.map(|file| LeaseFile::parse(&file.content)).unwrap_or_default();
    let merged = merge(leases, &there);
    if now.running {
        if !has_all(&there, &merged.file) {
            return Err(IronicError::ReadsNoMore { host: host.to_string(), name });
        }
        return Ok(Seeded { paths, merged, aside: 0 });
    }
    let text = merged.file.text();
    let owner = owner(host, &now, &entry).await?;
    for path in &known {
        let put = ["sh", "-c", PUT, "put", now.engine.program(), now.id.as_str(), path];
        let command = [&put[..], &owner.iter().map(String::as_str).collect::<Vec<_>>()].concat();
        let ran = host.run(&command, text.as_bytes()).await?;
        let shown = [now.engine.program(), "cp", "-", &format!("{name}:{path}")];
        if ran.code != Some(0) {
            return Err(host.failed(&shown, &ran).into());
        }
        let read = host.file_in(&now, &[path]).await?;
        if read.is_none_or(|read| read.content != text.as_bytes()) {
            let (command, host) = (shown.join(" "), host.to_string());
            let problem = "what was put there is not there".to_owned();
            return Err(HostError::Answer { command, host, problem }.into());
        }
    }
    Ok(Seeded { paths, merged, aside: there.aside().len() })
}

/// True where every lease that holds is among those that a running dnsmasq wrote.
fn has_all(there: &LeaseFile, wanted: &LeaseFile) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_secs()).unwrap_or_default();
    let is_there = |lease: &Lease| {
        let same =
            |other: &Lease| other.address() == lease.address() && other.client().is_same(lease.client());
        there.leases().any(same)
    };
    wanted.leases().all(|lease| lease.expiry().is_over(now) || is_there(lease))
}

/// Where the leases are: as the command says, else the image's configuration, else where they were before, else in each place that ever was.
async fn places(host: &Host, container: &Container, entry: &Value) -> Result<Vec<String>, IronicError> {
    let words =
        ["/Config/Entrypoint", "/Config/Cmd"].into_iter().filter_map(|pointer| entry.pointer(pointer));
    let words: Vec<&str> = words.filter_map(Value::as_array).flatten().filter_map(Value::as_str).collect();
    if let Some(path) = words.iter().find_map(|word| named(word)) {
        return Ok(vec![path]);
    }
    if let Some(template) = host.file_in(container, &TEMPLATES).await? {
        let path = named(&String::from_utf8_lossy(&template.content));
        return Ok(vec![path.unwrap_or_else(|| WITHOUT_OPTION.to_owned())]);
    }
    if let Some(file) = host.file_in(container, &LEASE_FILES).await? {
        return Ok(vec![file.path]);
    }
    Ok(LEASE_FILES[..2].iter().map(|path| (*path).to_owned()).collect())
}

/// The lease file that a configuration or a command names.
fn named(text: &str) -> Option<String> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let path = lines.flat_map(str::split_whitespace).find_map(|word| {
        let path = word.trim_start_matches('-').strip_prefix(OPTION)?;
        Some(path.trim_matches(['"', '\'']))
    })?;
    // What a template or a shell would fill in is not known here.
    let is_plain = path.starts_with('/') && !path.ends_with('/') && !path.contains(['{', '$', '`']);
    is_plain.then(|| path.to_owned())
}

/// How the engine is told whose file it is: that of the user as whom the container runs.
async fn owner(host: &Host, container: &Container, entry: &Value) -> Result<Vec<String>, IronicError> {
    if container.engine == Engine::Podman {
        // It gives what it copies to that user by itself.
        return Ok(vec!["--archive=true".to_owned()]);
    }
    let user = entry.pointer("/Config/User").and_then(Value::as_str).unwrap_or_default();
    let (name, group) = user.split_once(':').unwrap_or((user, ""));
    let users = match name.parse::<u32>() {
        Err(_) if !name.is_empty() => host.file_in(container, &[USERS]).await?,
        _ => None,
    };
    let users = users.map(|file| String::from_utf8_lossy(&file.content).into_owned()).unwrap_or_default();
    let (uid, gid) = numbers(name, group, &users);
    let tar = ["--numeric-owner".to_owned(), format!("--owner={uid}"), format!("--group={gid}")];
    Ok([vec!["--archive".to_owned()], tar.to_vec()].concat())
}

/// A user and its group as numbers; those of root where nothing tells them.
fn numbers(name: &str, group: &str, users: &str) -> (u32, u32) {
    let known = users.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|words| words[0] == name);
    let of = |place: usize| known.as_ref()?.get(place)?.parse().ok();
    let uid = name.parse().ok().or_else(|| of(2)).unwrap_or_default();
    (uid, group.parse().ok().or_else(|| of(3)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_file_is_named_in_many_ways() {
        let some = |path: &str| Some(path.to_owned());
        assert_eq!(
            named("interface={{ env.X }}\ndhcp-leasefile=/data/dnsmasq/l\nport=0"),
            some("/data/dnsmasq/l")
        );
        assert_eq!(named("exec dnsmasq -d --dhcp-leasefile=/a/b --port=0"), some("/a/b"));
        assert_eq!(named("dhcp-leasefile={{ env.DIR }}/l"), None);
        assert_eq!(named("dhcp-leasefile=l"), None);
        assert_eq!(named("#dhcp-leasefile=/a/b\nlog-dhcp"), None);
    }

    #[test]
    fn users_are_known_by_number_or_name() {
        let users = "root:x:0:0:root:/root:/bin/sh\nironic:x:997:994::/:/bin/sh\n";
        let all = [("", ""), ("997", ""), ("997", "994"), ("ironic", ""), ("ironic", "5"), ("nobody", "")];
        let read = all.map(|(name, group)| numbers(name, group, users));
        assert_eq!(read, [(0, 0), (997, 0), (997, 994), (997, 994), (997, 5), (0, 0)]);
    }
}
