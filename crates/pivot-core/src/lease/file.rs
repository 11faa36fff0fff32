//! The whole file.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::entry::{Expiry, Lease, LineProblem, is_hex};

/// Bytes of a server's DUID that dnsmasq reads.
const LONGEST_DUID: usize = 130;

/// The leases of one dnsmasq.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaseFile {
    v4: Vec<Lease>,
    v6: Vec<Lease>,
    duid: Option<String>,
    aside: Vec<Aside>,
}

/// A line that is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aside {
    /// Its number, from 1.
    pub line: usize,
    /// What stands there.
    pub text: String,
    /// Why it is not used.
    pub problem: LineProblem,
}

/// As messages tell it.
impl std::fmt::Display for Aside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.line, self.problem)
    }
}

/// What a text that holds no lease seems to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// A manifest of Kubernetes.
    Manifest,
    /// The lease file of ISC dhcpd.
    IscDhcpd,
    /// The lease file of Kea, a table.
    Kea,
    /// Nothing that is known.
    Unknown,
}

impl LeaseFile {
    /// Reads a file. What is malformed is set aside; nothing is lost.
    ///
    /// Leases may stand in any order and their words apart by any blanks, as dnsmasq reads them.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut file = Self::default();
        let mut leases: Vec<(usize, Lease)> = Vec::new();
        // Where the lease of an address is.
        let mut places = BTreeMap::<IpAddr, usize>::new();
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            // Editors of another world put a mark before the first line.
            let line = line.strip_prefix(b"\xef\xbb\xbf").filter(|_| index == 0).unwrap_or(line);
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let number = index + 1;
            let read = match file.read(line) {
                Ok(Some(read)) => read,
                Ok(None) => continue,
                Err(problem) => {
                    file.set_aside(number, String::from_utf8_lossy(line).trim(), problem);
                    continue;
                }
            };
            let Some(&place) = places.get(&read.address()) else {
                places.insert(read.address(), leases.len());
                leases.push((number, read));
                continue;
            };
            // dnsmasq would hold the address twice: the lease that ends last counts.
            let earlier = &mut leases[place];
            let (number, loser) = if read.expiry() > earlier.1.expiry() {
                std::mem::replace(earlier, (number, read))
            } else {
                (number, read)
            };
            let (address, to) = (loser.address(), leases[place].1.client().to_string());
            file.set_aside(number, &loser.to_string(), LineProblem::Twice { address, to });
        }
        file.aside.sort_by_key(|aside| aside.line);
        (file.v6, file.v4) = leases.into_iter().map(|(_, lease)| lease).partition(Lease::is_v6);
        file
    }

    fn set_aside(&mut self, line: usize, text: &str, problem: LineProblem) {
        self.aside.push(Aside { line, text: text.to_owned(), problem });
    }

    /// Reads a line that is not empty; `None` where it tells the server's DUID.
    fn read(&mut self, line: &[u8]) -> Result<Option<Lease>, LineProblem> {
        let text = str::from_utf8(line).map_err(|_| LineProblem::NotText)?;
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let Some((&"duid", rest)) = words.split_first() else { return Lease::read(&words).map(Some) };
        let duid = rest.join(" ");
        if !is_hex(&duid, LONGEST_DUID) {
            return Err(LineProblem::Duid(duid));
        }
        if self.duid.as_ref().is_some_and(|known| *known != duid) {
            return Err(LineProblem::SecondDuid);
        }
        self.duid = Some(duid);
        Ok(None)
    }

    /// A file of these leases.
    pub(super) fn of(leases: impl IntoIterator<Item = Lease>, duid: Option<String>) -> Self {
        let (v6, v4) = leases.into_iter().partition(Lease::is_v6);
        Self { v4, v6, duid, aside: Vec::new() }
    }

    /// All leases, IPv4 first.
    pub fn leases(&self) -> impl Iterator<Item = &Lease> {
        self.v4.iter().chain(&self.v6)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// True where there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// DUID of the server, by which clients of IPv6 know it again.
    pub fn duid(&self) -> Option<&str> {
        self.duid.as_deref()
    }

    /// What was set aside.
    pub fn aside(&self) -> &[Aside] {
        &self.aside
    }

    /// How many are over at that moment, in seconds since 1970: dnsmasq will not take them up.
    pub fn expired(&self, now: u64) -> usize {
        self.leases().filter(|lease| lease.expiry().is_over(now)).count()
    }

    /// How many hold for ever.
    pub fn infinite(&self) -> usize {
        self.leases().filter(|lease| lease.expiry() == Expiry::Never).count()
    }

    /// The lines of the file in dnsmasq's own order: IPv4, the server's DUID, IPv6.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.v4.iter().map(ToString::to_string).collect();
        lines.extend(self.duid.iter().map(|duid| format!("duid {duid}")));
        lines.extend(self.v6.iter().map(ToString::to_string));
        lines
    }

    /// The file as dnsmasq writes it. What was set aside is not in it.
    pub fn text(&self) -> String {
        self.lines().into_iter().map(|line| line + "\n").collect()
    }

    /// What a text seems to be in which no line is a lease; `None` where one is, or nothing stands in it.
    pub fn likeness(&self) -> Option<Likeness> {
        if self.aside.is_empty() || !self.is_empty() || self.duid.is_some() {
            return None;
        }
        let has = |test: &dyn Fn(&str) -> bool| self.aside.iter().any(|line| test(&line.text));
        Some(if has(&|line| line.starts_with("apiVersion:") || line.starts_with("{\"apiVersion\"")) {
            Likeness::Manifest
        } else if has(&|line| line.starts_with("lease ") && line.ends_with('{')) {
            Likeness::IscDhcpd
        } else if has(&|line| line.starts_with("address,")) {
            Likeness::Kea
        } else {
            Likeness::Unknown
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Client;
    use super::*;

    const FILE: &str = "\
1763800000 52:54:00:00:00:01 172.22.0.10 node-0 01:52:54:00:00:00:01
0 52:54:00:00:00:02 172.22.0.11 * *
1763800100 20-a0:00:02:20:fe:80 172.22.0.12 * ff:00
1763800000 00- 172.22.0.13 * 01:02
duid 00:01:00:01:2c:aa:bb:cc:52:54:00:00:00:09
1763800000 7340033 fd2e::10 node-0 00:03:00:01:52:54:00:00:00:01
1763800000 T7340033 fd2e::11 * 00:03:00:01:52:54:00:00:00:01
";

    #[test]
    fn a_file_of_dnsmasq_is_read_and_written_alike() {
        let file = LeaseFile::parse(FILE.as_bytes());
        assert_eq!(file.aside(), []);
        assert_eq!((file.len(), file.infinite(), file.expired(1_763_800_001)), (6, 1, 4));
        assert_eq!(file.duid(), Some("00:01:00:01:2c:aa:bb:cc:52:54:00:00:00:09"));
        assert_eq!(file.text(), FILE);
        let leases: Vec<&Lease> = file.leases().collect();
        assert_eq!(leases[0].hostname(), Some("node-0"));
        assert_eq!(leases[1].hostname(), None);
        assert_eq!(leases[1].expiry(), Expiry::Never);
        let temporary = Client::V6 {
            iaid: 7_340_033,
            temporary: true,
            duid: Some("00:03:00:01:52:54:00:00:00:01".to_owned()),
        };
        assert_eq!(leases[5].client(), &temporary);
    }

    #[test]
    fn what_is_malformed_is_set_aside_and_costs_nothing_else() {
        let lines = [
            "1763800000 52:54:00:00:00:01 172.22.0.10 *",
            "soon 52:54:00:00:00:01 172.22.0.10 * *",
            "-1 52:54:00:00:00:01 172.22.0.10 * *",
            "1763800000 52:54:00:00:00:01 172.22.0.300 * *",
            "1763800000 52:54:00:00:00:0g 172.22.0.10 * *",
            "1763800000 52:54:00:00:00:01 172.22.0.10 a name *",
            "1763800000 52:54:00:00:00:01 172.22.0.10 * client",
            "1763800000 T fd2e::10 * *",
            "1763800000 52:54:00:00:00:01 fd2e::10 * *",
            "duid",
            "duid zz",
            "duid 00:02",
        ];
        for bad in lines {
            let text = format!("{FILE}{bad}\n1763800000 52:54:00:00:00:07 172.22.0.70 * *\n");
            let file = LeaseFile::parse(text.as_bytes());
            assert_eq!(file.len(), 7, "{bad}");
            let [aside] = file.aside() else { panic!("{bad}: {:?}", file.aside()) };
            assert_eq!((aside.line, aside.text.as_str()), (8, bad), "{}", aside.problem);
        }
        let mut bytes = FILE.as_bytes().to_vec();
        bytes.extend(b"1 52:54:00:00:00:01 172.22.0.10 \xff *\n");
        assert_eq!(LeaseFile::parse(&bytes).aside()[0].problem, LineProblem::NotText);
        let long = format!("1 52:54:00:00:00:01 172.22.0.99 {} *", "a".repeat(256));
        assert_eq!(LeaseFile::parse(long.as_bytes()).aside()[0].problem, LineProblem::Long(255));
    }

    #[test]
    fn what_editors_and_terminals_leave_does_no_harm() {
        let text = format!("\u{feff}{}", FILE.replace('\n', "\r\n\r\n").replace(' ', "  "));
        let file = LeaseFile::parse(text.as_bytes());
        assert_eq!(file.aside(), []);
        assert_eq!(file.text(), FILE);
        assert!(LeaseFile::parse(b"").is_empty());
        assert_eq!(LeaseFile::parse(FILE.trim_end().as_bytes()).text(), FILE);
    }

    #[test]
    fn an_address_is_leased_once() {
        let text = "5 52:54:00:00:00:01 172.22.0.10 * *\n9 52:54:00:00:00:02 172.22.0.10 * *\n\
                    9 52:54:00:00:00:03 172.22.0.10 * *\n";
        let file = LeaseFile::parse(text.as_bytes());
        assert_eq!(file.text(), "9 52:54:00:00:00:02 172.22.0.10 * *\n");
        let told: Vec<String> =
            file.aside().iter().map(|aside| format!("{}: {}", aside.line, aside.problem)).collect();
        assert_eq!(
            told,
            [
                "1: another line gives 172.22.0.10 to 52:54:00:00:00:02, for as long or longer",
                "3: another line gives 172.22.0.10 to 52:54:00:00:00:02, for as long or longer"
            ]
        );
    }

    #[test]
    fn other_texts_are_known() {
        let like = |text: &str| LeaseFile::parse(text.as_bytes()).likeness();
        assert_eq!(like("apiVersion: v1\nkind: ConfigMap\n"), Some(Likeness::Manifest));
        assert_eq!(like("lease 10.0.0.1 {\n  starts 1;\n}\n"), Some(Likeness::IscDhcpd));
        assert_eq!(like("address,hwaddr,client_id\n"), Some(Likeness::Kea));
        assert_eq!(like("hello\n"), Some(Likeness::Unknown));
        assert_eq!(like(""), None);
        assert_eq!(like(FILE), None);
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
    }

    /// A line as dnsmasq writes one.
    fn line() -> impl Strategy<Value = String> {
        let id = prop_oneof![
            Just("*".to_owned()),
            prop::collection::vec(any::<u8>(), 1..20).prop_map(|id| hex(&id))
        ];
        let name = prop_oneof![Just("*".to_owned()), "[a-z][a-z0-9-]{0,20}"];
        let v4 = (any::<[u8; 6]>(), any::<[u8; 4]>())
            .prop_map(|(mac, ip)| format!("{} {}", hex(&mac), std::net::Ipv4Addr::from(ip)));
        let v6 = (any::<u32>(), any::<bool>(), any::<[u8; 16]>()).prop_map(|(iaid, temporary, ip)| {
            format!("{}{iaid} {}", if temporary { "T" } else { "" }, std::net::Ipv6Addr::from(ip))
        });
        (any::<u32>(), prop_oneof![v4, v6], name, id)
            .prop_map(|(expiry, who, name, id)| format!("{expiry} {who} {name} {id}"))
    }

    proptest! {
        #[test]
        fn whatever_is_well_formed_comes_back(lines in prop::collection::vec(line(), 0..30)) {
            let file = LeaseFile::parse(lines.join("\n").as_bytes());
            prop_assert_eq!(file.aside(), []);
            let mut written: Vec<String> = file.text().lines().map(str::to_owned).collect();
            let mut expected = lines;
            expected.sort();
            prop_assert_eq!(LeaseFile::parse(file.text().as_bytes()), file);
            written.sort();
            prop_assert_eq!(written, expected);
        }

        #[test]
        fn nothing_is_lost_whatever_it_is(bytes in prop::collection::vec(any::<u8>(), 0..300), lines in prop::collection::vec(line(), 0..5)) {
            let mut text = lines.join("\n").into_bytes();
            text.push(b'\n');
            text.extend(&bytes);
            let file = LeaseFile::parse(&text);
            let kept = file.lines().len() + file.aside().len();
            let there = text
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.iter().all(u8::is_ascii_whitespace))
                .count();
            prop_assert_eq!(kept, there);
        }
    }
}
