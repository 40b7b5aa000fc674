//! `${NAME}` and `${NAME:-default}` in values.
//!
//! A name is a letter or `_`, then letters, digits and `_` (ASCII). `:-` gives its default where the variable is not set
//! or empty, as in a shell; the default reaches to the next `}`. `$${` is a literal `${`. Everything else stays as it
//! is: a lone `$`, `$NAME`, `$$`, and a `${` that starts no such form (`${1}`, `${a b}`), of which the last is reported
//! so that a warning can be given. What a variable holds is never looked at again: no nesting.

/// A text after substitution.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Expanded {
    pub(crate) text: String,
    /// Whether the environment was asked.
    pub(crate) from_env: bool,
    /// Variables that are not set and have no default, as `${NAME}`'s name, in order.
    pub(crate) unset: Vec<String>,
    /// Forms that start with `${` and are no variable, as written.
    pub(crate) odd: Vec<String>,
}

enum Form<'a> {
    Variable { name: &'a str, default: Option<&'a str> },
    Odd(&'a str),
}

/// Replaces every variable of a text.
pub(crate) fn expand(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Expanded {
    let mut expanded = Expanded::default();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        expanded.text.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix("$${") {
            expanded.text.push_str("${");
            rest = after;
        } else if let Some(inside) = rest.strip_prefix("${") {
            match form(inside) {
                Form::Variable { name, default } => {
                    expanded.from_env = true;
                    let value = env(name).filter(|value| default.is_none() || !value.is_empty());
                    match value.or_else(|| default.map(str::to_owned)) {
                        Some(value) => expanded.text.push_str(&value),
                        None => expanded.unset.push(name.to_owned()),
                    }
                    let written = name.len() + default.map_or(0, |default| ":-".len() + default.len());
                    rest = &inside[written + "}".len()..];
                }
                Form::Odd(written) => {
                    expanded.odd.push(format!("${{{written}"));
                    expanded.text.push_str("${");
                    rest = inside;
                }
            }
        } else {
            expanded.text.push('$');
            rest = &rest[1..];
        }
    }
    expanded.text.push_str(rest);
    expanded
}

/// Writes a literal text so that [`expand`] gives it back.
pub(crate) fn escape(text: &str) -> String {
    text.replace("${", "$${")
}

/// What stands after a `${`.
fn form(inside: &str) -> Form<'_> {
    let Some(end) = inside.find('}') else {
        return Form::Odd("");
    };
    let (name, default) = match inside[..end].split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (&inside[..end], None),
    };
    let letter = |b: u8| b.is_ascii_alphabetic() || b == b'_';
    let is_name =
        name.bytes().next().is_some_and(letter) && name.bytes().all(|b| letter(b) || b.is_ascii_digit());
    if is_name {
        Form::Variable { name, default }
    } else {
        let before_next = inside.find('$').unwrap_or(usize::MAX);
        Form::Odd(&inside[..=end][..before_next.min(end + 1)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "HOST" => Some("example.org".to_owned()),
            "EMPTY" => Some(String::new()),
            "TRICKY" => Some("${HOST} $${X}".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn variables_are_replaced_and_nothing_else_is() {
        let table = [
            ("", ""),
            ("${HOST}", "example.org"),
            ("http://${HOST}:${PORT:-80}/", "http://example.org:80/"),
            ("${HOST}${HOST}", "example.orgexample.org"),
            ("${EMPTY}", ""),
            ("${EMPTY:-full}", "full"),
            ("${UNSET:-}", ""),
            ("${UNSET:-a:-b $x {}", "a:-b $x {"),
            ("${UNSET:-ü}", "ü"),
            ("${TRICKY}", "${HOST} $${X}"),
            ("$${HOST}", "${HOST}"),
            ("$$${HOST}", "$${HOST}"),
            ("$HOST $ $$ $$$ a$", "$HOST $ $$ $$$ a$"),
            ("{HOST}", "{HOST}"),
            (
                "${1} ${} ${a b} ${HOST-x} ${HOST:x}",
                "${1} ${} ${a b} ${HOST-x} ${HOST:x}",
            ),
            ("${ ${HOST} ${", "${ example.org ${"),
            ("${über}", "${über}"),
        ];
        for (text, expected) in table {
            let expanded = expand(text, &env);
            assert_eq!(expanded.text, expected, "{text}");
            assert!(expanded.unset.is_empty(), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_replaced_is_told() {
        assert_eq!(expand("${A} ${HOST} ${B_2}", &env).unset, ["A", "B_2"]);
        assert_eq!(
            expand("${1} ${x y} ${ ${", &env).odd,
            ["${1}", "${x y}", "${", "${"]
        );
        assert_eq!(expand("${ ${HOST}", &env).odd, ["${ "]);
        assert!(expand("$${HOST}", &env).odd.is_empty());
    }

    #[test]
    fn only_a_variable_asks_the_environment() {
        assert!(expand("a${UNSET:-b}", &env).from_env);
        assert!(!expand("$${HOST} ${1} $x", &env).from_env);
    }

    proptest! {
        #[test]
        fn an_escaped_text_comes_back(text in "[$ {}a:\\-ü]{0,24}") {
            prop_assert_eq!(expand(&escape(&text), &env).text, text);
        }
    }
}
