//! Whether and how output is coloured: one decision per stream, from the environment's conventions.

use crate::world::{Output, World};
use clap::builder::Styles;
use clap::builder::styling::{AnsiColor, Style};

/// The columns of help and reports where nobody says how many there are.
pub(crate) const DEFAULT_COLUMNS: u16 = 80;

/// The widest that prose is set: longer lines are hard to read.
pub(crate) const MAX_HELP_COLUMNS: u16 = 100;

/// Whether a stream gets colours: `NO_COLOR` forbids them, `CLICOLOR_FORCE` asks for them, else a terminal gets
/// them unless it is dumb or `CLICOLOR=0` (<https://no-color.org>, <https://bixense.com/clicolors>).
pub(crate) fn wants_color(world: &World, stream: &Output) -> bool {
    if world.set_var("NO_COLOR").is_some() {
        return false;
    }
    if world.set_var("CLICOLOR_FORCE").is_some_and(|value| value != "0") {
        return true;
    }
    let forbidden = world.set_var("CLICOLOR") == Some("0") || world.set_var("TERM") == Some("dumb");
    stream.is_terminal() && !forbidden
}

/// Whether standard error is a terminal that can be drawn on.
pub(crate) fn can_draw(world: &World) -> bool {
    world.stderr.is_terminal() && world.set_var("TERM") != Some("dumb")
}

/// Whether the terminal shows more than ASCII: so it is taken to do, unless the locale names another encoding than UTF-8.
pub(crate) fn shows_unicode(world: &World) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| world.set_var(name));
    let encoding = locale
        .and_then(|locale| locale.split_once('.'))
        .map(|(_, encoding)| encoding);
    encoding.is_none_or(|encoding| encoding.to_ascii_lowercase().replace('-', "").starts_with("utf8"))
}

/// The colours of `--help` and of usage errors.
pub(crate) const HELP_STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default())
    .error(ERROR)
    .invalid(AnsiColor::Yellow.on_default())
    .valid(AnsiColor::Cyan.on_default());

/// The word `error` before a message.
pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();

/// The word `hint` before a hint.
pub(crate) const HINT: Style = AnsiColor::Cyan.on_default().bold();

/// The word `warning` before a message.
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// A word in its style, or plain.
pub(crate) fn paint(word: &str, style: Style, color: bool) -> String {
    if color {
        format!("{style}{word}{style:#}")
    } else {
        word.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_taken_to_show_what_its_locale_can() {
        for (env, unicode) in [
            (&[][..], true),
            (&[("LANG", "C")], true),
            (&[("LANG", "de_DE.UTF-8")], true),
            (&[("LANG", "de_DE.utf8@euro")], true),
            (&[("LANG", "de_DE.ISO-8859-15")], false),
            (&[("LANG", "de_DE.UTF-8"), ("LC_ALL", "ja_JP.eucJP")], false),
            (&[("LC_ALL", ""), ("LANG", "C.UTF-8")], true),
        ] {
            let stream = || Output::new(std::io::sink(), true);
            let mut world = World::new(["pysurge"], stream(), stream());
            world.env = env.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
            assert_eq!(shows_unicode(&world), unicode, "{env:?}");
            assert!(can_draw(&world));
            world.env.insert("TERM".into(), "dumb".into());
            assert!(!can_draw(&world));
        }
    }

    #[test]
    fn colours_follow_the_conventions() {
        for (env, is_terminal, color) in [
            (&[][..], true, true),
            (&[], false, false),
            (&[("NO_COLOR", "1")], true, false),
            (&[("NO_COLOR", "")], true, true),
            (&[("CLICOLOR_FORCE", "1")], false, true),
            (&[("CLICOLOR_FORCE", "0")], false, false),
            (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], true, false),
            (&[("CLICOLOR", "0")], true, false),
            (&[("TERM", "dumb")], true, false),
        ] {
            let stream = || Output::new(std::io::sink(), is_terminal);
            let mut world = World::new(["pysurge"], stream(), stream());
            world.env = env.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
            assert_eq!(wants_color(&world, &world.stdout), color, "{env:?} {is_terminal}");
        }
    }
}
