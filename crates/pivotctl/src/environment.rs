//! What the process environment says. It is read here, once; only what colors obey (`NO_COLOR`) is
//! read by the crates that write them.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use pivot::cluster::Proxy;

/// The environment, as far as it matters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    kubeconfig: Option<OsString>,
    home: Option<PathBuf>,
    state: Option<PathBuf>,
    /// True where the terminal cannot redraw a line (`TERM=dumb`).
    pub(crate) dumb_terminal: bool,
    /// Proxy for clusters whose kubeconfig names none.
    pub(crate) proxy: Option<Proxy>,
}

impl Environment {
    /// Reads `KUBECONFIG`, `HOME`, `XDG_STATE_HOME`, `TERM`, `HTTPS_PROXY` and `NO_PROXY`.
    pub(crate) fn read() -> Self {
        let text =
            |names: [&str; 2]| names.into_iter().find_map(|n| env::var(n).ok().filter(|v| !v.is_empty()));
        let proxy = text(["HTTPS_PROXY", "https_proxy"])
            .map(|url| Proxy { url, bypass: text(["NO_PROXY", "no_proxy"]).unwrap_or_default() });
        Self {
            kubeconfig: env::var_os("KUBECONFIG"),
            home: env::home_dir(),
            state: env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute()),
            dumb_terminal: env::var_os("TERM").is_some_and(|term| term == "dumb"),
            proxy,
        }
    }

    /// Where journals are: `$XDG_STATE_HOME/pivotctl`, else `~/.local/state/pivotctl` (XDG base directories).
    pub(crate) fn state_directory(&self) -> Option<PathBuf> {
        let state = self.state.clone().or_else(|| Some(self.home.as_ref()?.join(".local").join("state")));
        state.map(|state| state.join("pivotctl"))
    }

    /// Kubeconfig files where none was named: those of `KUBECONFIG`, else `~/.kube/config`.
    pub(crate) fn default_kubeconfig(&self) -> Vec<PathBuf> {
        let named = self.kubeconfig.iter().flat_map(|list| env::split_paths(list).collect::<Vec<_>>());
        let named: Vec<_> = named.filter(|path| !path.as_os_str().is_empty()).collect();
        if !named.is_empty() {
            return named;
        }
        self.home.iter().map(|home| home.join(".kube").join("config")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubeconfig_is_a_list_of_files() {
        let home = Some(PathBuf::from("/home/a"));
        let with = |kubeconfig: &str| {
            let kubeconfig = Some(OsString::from(kubeconfig));
            Environment { kubeconfig, home: home.clone(), ..Environment::default() }.default_kubeconfig()
        };
        let joined = env::join_paths(["/a", "/b"]).unwrap();
        assert_eq!(with(joined.to_str().unwrap()), ["/a", "/b"].map(PathBuf::from));
        assert_eq!(with(""), [PathBuf::from("/home/a/.kube/config")]);
        assert!(Environment::default().default_kubeconfig().is_empty());
    }
}
