//! Words for a shell: `ssh` hands one line to the login shell of the other side.

/// Words as a shell takes them, each for one.
pub fn quoted<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let mut line = String::new();
    for word in words {
        if !line.is_empty() {
            line.push(' ');
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@%+=,".contains(&byte);
        if !word.is_empty() && word.bytes().all(plain) {
            line.push_str(word);
        } else {
            line.push('\'');
            line.push_str(&word.replace('\'', r"'\''"));
            line.push('\'');
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_words_stay_readable() {
        assert_eq!(quoted(["ip", "-j", "addr"]), "ip -j addr");
        assert_eq!(quoted(["a b", "", "it's", "$(id)"]), r"'a b' '' 'it'\''s' '$(id)'");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_shell_gives_back_every_word(words in prop::collection::vec("[^\0]{0,12}", 1..5)) {
            let line = quoted(words.iter().map(String::as_str));
            let script = format!("printf '%s\\0' {line}");
            let printed = Command::new("sh").args(["-c", &script]).output().unwrap().stdout;
            let expected: Vec<u8> = words.iter().flat_map(|word| [word.as_bytes(), b"\0"].concat()).collect();
            prop_assert_eq!(printed, expected);
        }
    }
}
