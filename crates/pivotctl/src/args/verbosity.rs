//! `-v` in all the forms that users of `clusterctl` and of other tools type: `-v`, `-vvv`, `-v 5`, `-v5`, `-v=5`, `--v=5`.

use std::ffi::OsString;

/// Rewrites every form of `-v` to `-v=N`, the one that clap tells apart from a verb that follows.
pub(super) fn normalize(argv: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut normalized = Vec::new();
    let mut argv = argv.into_iter().peekable();
    while let Some(arg) = argv.next() {
        if arg == "--" {
            normalized.push(arg);
            normalized.extend(argv);
            break;
        }
        let level = match arg.to_str().and_then(form) {
            None => {
                normalized.push(arg);
                continue;
            }
            Some(Form::Level(level)) => level,
            Some(Form::Flag) => {
                match argv.peek().and_then(|next| next.to_str()).filter(|next| is_number(next)) {
                    None => "1".to_owned(),
                    Some(level) => {
                        let level = level.to_owned();
                        argv.next();
                        level
                    }
                }
            }
        };
        normalized.push(format!("-v={level}").into());
    }
    normalized
}

enum Form {
    /// `-v` or `--v`: a number may follow.
    Flag,
    /// The level stands in the argument itself.
    Level(String),
}

fn form(arg: &str) -> Option<Form> {
    if arg == "-v" || arg == "--v" {
        return Some(Form::Flag);
    }
    let rest =
        arg.strip_prefix("--v=").or_else(|| arg.strip_prefix("-v=")).or_else(|| arg.strip_prefix("-v"))?;
    if is_number(rest) {
        return Some(Form::Level(rest.to_owned()));
    }
    rest.bytes().all(|b| b == b'v').then(|| Form::Level((rest.len() + 1).to_string()))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalized(line: &str) -> String {
        let argv = normalize(line.split(' ').map(OsString::from));
        argv.iter().map(|arg| arg.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_form_reads_the_same() {
        for line in ["-v 10 plan", "-v10 plan", "-v=10 plan", "--v=10 plan", "--v 10 plan"] {
            assert_eq!(normalized(line), "-v=10 plan");
        }
        assert_eq!(normalized("-v plan -vvv"), "-v=1 plan -v=3");
        assert_eq!(normalized("plan -v"), "plan -v=1");
    }

    #[test]
    fn what_is_no_level_is_left_to_clap() {
        for line in ["-vx plan", "-v=x plan", "--verbose plan", "plan -- -v 10", "--version"] {
            assert_eq!(normalized(line), line);
        }
    }
}
