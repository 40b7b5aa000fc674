//! What the path before the operator means: a measure, and what it can be compared with.

use super::ThresholdError;
use super::error::{Place, error_at, shorten};
use super::measure::{End, Measure, Name, Stat, Timed};
use super::parse::EXAMPLE;
use super::value::Form;
use super::words::{PARTS, STATS, instead_of_measure, stat};

/// One name of a measure's path.
pub(super) struct Segment {
    pub(super) text: String,
    pub(super) quoted: bool,
    pub(super) place: Place,
}

/// What a path means, and what it is compared with.
pub(super) fn measure(path: &[Segment]) -> Result<(Measure, Form), ThresholdError> {
    let first = &path[0];
    let place = first.place;
    let timed = |timed| figure(path, 1).map(|stat| (Measure::Duration(timed, stat), duration_form(stat)));
    let alone = |end| alone(path).map(|()| (Measure::Iterations(end), Form::Iterations));
    if first.quoted {
        return Err(error_at(place, "a threshold starts with a measure").hint(EXAMPLE));
    }
    match first.text.as_str() {
        "response_time" => timed(Timed::ResponseTime),
        "service_time" => timed(Timed::ServiceTime),
        "setup" => timed(Timed::Setup),
        "teardown" => timed(Timed::Teardown),
        "lateness" => lateness(path),
        "timers" => {
            let name = name(path, "timers.upload.p95")?;
            let stat = figure(path, 2)?;
            Ok((Measure::Duration(Timed::Timer(name), stat), duration_form(stat)))
        }
        "metrics" => {
            let name = name(path, "metrics.upload_s.mean")?;
            let stat = figure(path, 2)?;
            let form = if stat == Stat::Count {
                Form::Whole
            } else {
                Form::Own
            };
            Ok((Measure::Metric(name, stat), form))
        }
        "checks" if path.len() == 1 => Ok((Measure::Checks(None), Form::Share)),
        "checks" => {
            let name = name(path, "checks.status_is_200")?;
            no_more(
                path,
                2,
                "a check has no figures: it is the share of times that it held",
            )?;
            Ok((Measure::Checks(Some(name)), Form::Share))
        }
        "counts" => {
            let name = name(path, "counts.bytes")?;
            match path.get(2) {
                Some(rate) if rate.text == "rate" && !rate.quoted => {
                    no_more(path, 3, "nothing stands behind `rate`")?;
                    Ok((Measure::Count(name), Form::PerTime))
                }
                _ => {
                    no_more(
                        path,
                        2,
                        "a count has its sum, or `rate` per time: `counts.bytes.rate`",
                    )?;
                    Ok((Measure::Count(name), Form::Sum))
                }
            }
        }
        "failures" => alone(End::Failed),
        "passed" => alone(End::Passed),
        "dropped" => alone(End::Dropped),
        "interrupted" => alone(End::Interrupted),
        "lost" => alone(End::Lost),
        "rate" => self::alone(path).map(|()| (Measure::Rate, Form::ShareOrPerTime)),
        "cpu_share" => self::alone(path).map(|()| (Measure::CpuShare, Form::Share)),
        unknown => {
            let error = error_at(place, format!("there is no measure `{}`", shorten(unknown)));
            Err(error.hint(instead_of_measure(unknown)))
        }
    }
}

fn duration_form(stat: Stat) -> Form {
    if stat == Stat::Count {
        Form::Whole
    } else {
        Form::Duration
    }
}

fn lateness(path: &[Segment]) -> Result<(Measure, Form), ThresholdError> {
    let part = path.get(1).map_or("", |part| part.text.as_str());
    let (timed, from) = match part {
        "woke_late" => (Timed::WokeLate, 2),
        "no_free_thread" => (Timed::NoFreeThread, 2),
        "waited_for_gil" => (Timed::WaitedForGil, 2),
        _ => (Timed::Lateness, 1),
    };
    let stat = figure(path, from).map_err(|error| match crate::alike::closest(part, PARTS) {
        Some(meant) if from == 1 => error.hint(format!("did you mean `lateness.{meant}.p99`?")),
        _ => error,
    })?;
    Ok((Measure::Duration(timed, stat), duration_form(stat)))
}

/// The name behind the first word.
fn name(path: &[Segment], example: &str) -> Result<Name, ThresholdError> {
    match path.get(1) {
        Some(name) if !name.text.is_empty() => Ok(Name {
            text: name.text.clone(),
            quoted: name.quoted,
        }),
        Some(empty) => Err(error_at(empty.place, "this name is empty")),
        None => {
            let error = error_at(path[0].place, format!("`{}` of what name?", path[0].text));
            Err(error.hint(format!("write a name behind it, as in `{example}`")))
        }
    }
}

/// The figure from this place of the path on; a percentile such as `p99.9` has a dot of its own.
fn figure(path: &[Segment], from: usize) -> Result<Stat, ThresholdError> {
    let rest = &path[from..];
    let before = joined(&path[..from]);
    let Some((first, last)) = rest.first().zip(rest.last()) else {
        let place = (path[0].place.0, end_of(&path[from - 1]) - path[0].place.0);
        let error = error_at(place, format!("which figure of `{}`?", shorten(&before)));
        return Err(error.hint(format!("write `{}.p95`; there are {STATS}", shorten(&before))));
    };
    let written = joined(rest);
    let place = (first.place.0, end_of(last) - first.place.0);
    stat(&written).map_err(|hint| {
        let error = error_at(place, format!("`{}` is no figure", shorten(&written)));
        let ends_in_figure = rest.len() > 1 && stat(&last.text).is_ok() && from == 2;
        if ends_in_figure && path[0].text != "lateness" {
            let name: Vec<&str> = path[1..path.len() - 1].iter().map(|s| s.text.as_str()).collect();
            let quoted = format!("{}.\"{}\".{}", path[0].text, name.join("."), last.text);
            return error.hint(format!(
                "a name with a dot stands in quotes: `{}`",
                shorten(&quoted)
            ));
        }
        error.hint(hint)
    })
}

/// A measure that has no figures.
fn alone(path: &[Segment]) -> Result<(), ThresholdError> {
    let what = match path[0].text.as_str() {
        "rate" => "`rate` stands alone, as in `rate > 95%` or `rate > 50/s`".to_owned(),
        "cpu_share" => "`cpu_share` stands alone, as in `cpu_share < 80%`".to_owned(),
        word => format!("`{word}` stands alone, as in `{word} < 1%`, `{word} < 5` or `{word} < 0.1/s`"),
    };
    no_more(path, 1, &what)
}

fn no_more(path: &[Segment], from: usize, hint: &str) -> Result<(), ThresholdError> {
    let Some((first, last)) = path.get(from).zip(path.last()) else {
        return Ok(());
    };
    let place = (first.place.0, end_of(last) - first.place.0);
    let message = format!("`{}` is not expected here", shorten(&joined(&path[from..])));
    Err(error_at(place, message).hint(hint))
}

fn joined(path: &[Segment]) -> String {
    let words: Vec<String> = path
        .iter()
        .map(|segment| {
            if segment.quoted {
                format!("\"{}\"", segment.text)
            } else {
                segment.text.clone()
            }
        })
        .collect();
    words.join(".")
}

fn end_of(segment: &Segment) -> usize {
    segment.place.0 + segment.place.1
}

pub(super) fn stat_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit()) && stat(&format!("p{text}")).is_ok()
}
