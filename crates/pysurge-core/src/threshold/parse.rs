//! Reads an expression: `MEASURE OP VALUE [for SPAN | in PERCENT of seconds]`.
//!
//! One pass over the characters, without going back. Every error says which characters are meant; positions count characters, not
//! bytes. Whatever the text, this never panics and never takes longer than the text is long.

use super::ThresholdError;
use super::error::{Place, error_at, shorten};
use super::measure::{Expression, Measure, Op, Window};
use super::path::{Segment, measure, stat_number};
use super::value::{Number, TIME_UNITS, never_holds};
use super::words::meant_unit;

pub(super) const EXAMPLE: &str =
    "write a measure, an operator and a value, such as `response_time.p95 < 250ms`";

/// The longest `for`: as the longest span of a config, ten years.
const MOST_SECONDS: f64 = 3_650.0 * 86_400.0;

/// Whether a character can stand in a name without quotes.
pub(super) fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

/// Reads a whole text.
pub(super) fn expression(text: &str) -> Result<Expression, ThresholdError> {
    let chars: Vec<char> = text.chars().collect();
    let mut reader = Reader { chars: &chars, at: 0 };
    reader.skip_spaces();
    if reader.peek().is_none() {
        let error = error_at((0, chars.len().max(1)), "a threshold is missing");
        return Err(error.hint(EXAMPLE));
    }
    let start = reader.at;
    let path = reader.path()?;
    let measure_at = (start, reader.at - start);
    let (measure, form) = measure(&path)?;
    let op = reader.op(&path)?;
    let (number, value_at) = reader.value()?;
    let wanted = form.wanted(&measure, &number, value_at)?;
    if let Some(hint) = never_holds(&measure, op, wanted) {
        return Err(error_at(value_at, "this never holds").hint(hint));
    }
    let window = reader.window(&measure)?;
    Ok(Expression {
        measure,
        measure_at,
        op,
        wanted,
        window,
    })
}

impl Expression {
    /// An error about the measure as a whole.
    pub(super) fn measure_error(&self, message: &str, hint: &str) -> ThresholdError {
        error_at(self.measure_at, message).hint(hint)
    }
}

struct Reader<'a> {
    chars: &'a [char],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn skip_spaces(&mut self) {
        self.take(char::is_whitespace);
    }

    /// The characters from here on that are such.
    fn take(&mut self, is_such: impl Fn(char) -> bool) -> String {
        let rest = &self.chars[self.at..];
        let taken: String = rest.iter().take_while(|c| is_such(**c)).collect();
        self.at += taken.chars().count();
        taken
    }

    fn since(&self, start: usize) -> Place {
        (start, self.at - start)
    }

    /// The word from here up to the next space, for an error.
    fn word_here(&self) -> Place {
        let rest = &self.chars[self.at..];
        let length = rest.iter().take_while(|c| !c.is_whitespace()).count();
        (self.at, length)
    }

    fn text(&self, (at, length): Place) -> String {
        shorten(&self.chars[at..at + length].iter().collect::<String>())
    }

    fn path(&mut self) -> Result<Vec<Segment>, ThresholdError> {
        let mut path = Vec::new();
        loop {
            path.push(self.segment(path.is_empty())?);
            if self.peek() != Some('.') {
                break;
            }
            self.at += 1;
        }
        match self.peek() {
            Some('(') => Err(self.parentheses(&path)),
            Some('{') => {
                let error = error_at(self.word_here(), "there is no filter by tags");
                Err(error.hint("a threshold of one test stands below that test in the config"))
            }
            Some('%') if path.last().is_some_and(|last| stat_number(&last.text)) => {
                let last = &path[path.len() - 1];
                let place = (last.place.0, self.at + 1 - last.place.0);
                let error = error_at(place, format!("`{}` is no figure", self.text(place)));
                Err(error.hint(format!("did you mean `p{}`?", last.text)))
            }
            _ => Ok(path),
        }
    }

    fn segment(&mut self, first: bool) -> Result<Segment, ThresholdError> {
        let start = self.at;
        if let Some(quote @ ('"' | '\'')) = self.peek() {
            self.at += 1;
            let text = self.take(|c| c != quote);
            if self.peek().is_none() {
                return Err(error_at((start, 1), "this quote is not closed"));
            }
            self.at += 1;
            return Ok(Segment {
                text,
                quoted: true,
                place: self.since(start),
            });
        }
        let text = self.take(is_name_char);
        if text.is_empty() {
            let place = (start, 1);
            return Err(if first {
                error_at(place, "a threshold starts with a measure").hint(EXAMPLE)
            } else {
                error_at(place, "a name is missing after the dot")
            });
        }
        Ok(Segment {
            text,
            quoted: false,
            place: self.since(start),
        })
    }

    /// `p(95)`, as k6 has it.
    fn parentheses(&mut self, path: &[Segment]) -> ThresholdError {
        let open = self.at;
        self.at += 1;
        let inside = self.take(|c| c != ')' && !c.is_whitespace());
        if self.peek() == Some(')') {
            self.at += 1;
        }
        let start = path.last().map_or(open, |last| last.place.0);
        let place = self.since(start);
        let error = error_at(place, "there are no functions here");
        let of = match path {
            [first, ..] if path.len() > 1 => first.text.as_str(),
            _ => "response_time",
        };
        if stat_number(&inside) {
            error.hint(format!("write `{}.p{inside}`", shorten(of)))
        } else {
            error.hint(EXAMPLE)
        }
    }

    fn op(&mut self, path: &[Segment]) -> Result<Op, ThresholdError> {
        self.skip_spaces();
        let start = self.at;
        let written = self.take(|c| "<>=!~≤≥≠≈".contains(c));
        let place = self.since(start);
        let instead = match written.as_str() {
            "<" => return Ok(Op::Less),
            "<=" => return Ok(Op::LessOrEqual),
            ">" => return Ok(Op::Greater),
            ">=" => return Ok(Op::GreaterOrEqual),
            "==" => return Ok(Op::Equal),
            "!=" => return Ok(Op::NotEqual),
            "=" | "===" => "==",
            "=<" | "≤" => "<=",
            "=>" | "≥" => ">=",
            "<>" | "≠" | "!==" => "!=",
            "" => return Err(self.no_op(path)),
            _ => {
                let error = error_at(place, format!("`{written}` is no operator"));
                return Err(error.hint("the operators are <, <=, >, >=, == and !="));
            }
        };
        Err(error_at(place, format!("`{written}` is no operator")).hint(format!("did you mean `{instead}`?")))
    }

    fn no_op(&self, path: &[Segment]) -> ThresholdError {
        let place = self.word_here();
        let spaced = path.len() == 2 && path[0].text == "checks" && !path[1].quoted && place.1 > 0;
        if spaced {
            let rest: String = self.chars[path[1].place.0..].iter().collect();
            let name = rest.split(['<', '>', '=', '!']).next().unwrap_or(&rest).trim();
            let plain: String = name
                .chars()
                .map(|c| if is_name_char(c) { c } else { '_' })
                .collect();
            let error = error_at(place, "a name with a space in it must be in quotes");
            return error.hint(format!(
                "write `checks.{}`, or `checks.\"{}\"`",
                shorten(&plain),
                shorten(name)
            ));
        }
        let error = match place.1 {
            0 => error_at(place, "an operator and a value are missing"),
            _ => error_at(place, format!("`{}` is no operator", self.text(place))),
        };
        error.hint("compare with <, <=, >, >=, == or !=, as in `response_time.p95 < 250ms`")
    }

    /// A number and its unit, and where they stand together.
    fn value(&mut self) -> Result<(Number, Place), ThresholdError> {
        self.skip_spaces();
        let start = self.at;
        let number = self.number()?;
        Ok((number, self.since(start)))
    }

    fn number(&mut self) -> Result<Number, ThresholdError> {
        let start = self.at;
        let mut parts = Vec::new();
        loop {
            let at = self.at;
            let sign = match self.peek() {
                Some(sign @ ('-' | '+')) if parts.is_empty() => {
                    self.at += 1;
                    sign.to_string()
                }
                _ => String::new(),
            };
            let digits = self.digits();
            if digits.is_empty() {
                self.at = at;
                return Err(self.no_number());
            }
            let digits_at = self.since(start);
            if matches!(self.peek(), Some(',' | '_' | '\'')) && self.next_is_digit(1) {
                self.at = at;
                let error = error_at(self.word_here(), "a number is written without separators");
                return Err(error.hint("write 1840, not 1,840"));
            }
            let unit_start = self.at;
            let unit = self.unit();
            let unit_at = self.since(unit_start);
            parts.push((sign + &digits, unit));
            if !self.next_is_digit(0) {
                return Ok(Number {
                    parts,
                    digits_at,
                    unit_at,
                });
            }
        }
    }

    /// Digits with a point or without, and an exponent or none; empty where there is no number.
    fn digits(&mut self) -> String {
        let mut digits = self.take(|c| c.is_ascii_digit());
        if self.peek() == Some('.') && (self.next_is_digit(1) || !digits.is_empty()) {
            self.at += 1;
            digits.push('.');
            digits += &self.take(|c| c.is_ascii_digit());
        }
        if !digits.is_empty() && matches!(self.peek(), Some('e' | 'E')) {
            let signed = matches!(self.chars.get(self.at + 1), Some('-' | '+'));
            if self.next_is_digit(1 + usize::from(signed)) {
                let exponent: String = self.chars[self.at..=self.at + usize::from(signed)]
                    .iter()
                    .collect();
                self.at += 1 + usize::from(signed);
                digits += &exponent;
                digits += &self.take(|c| c.is_ascii_digit());
            }
        }
        digits
    }

    fn next_is_digit(&self, ahead: usize) -> bool {
        self.chars.get(self.at + ahead).is_some_and(char::is_ascii_digit)
    }

    /// The unit behind a number: `%`, `/s`, or a word; one space may stand before it.
    fn unit(&mut self) -> String {
        let start = self.at;
        self.skip_spaces();
        let unit = match self.peek() {
            Some('%') => {
                self.at += 1;
                return "%".to_owned();
            }
            Some('/') => {
                self.at += 1;
                self.skip_spaces();
                return "/".to_owned() + &self.take(char::is_alphabetic);
            }
            _ => self.take(char::is_alphabetic),
        };
        // After a space a word is a unit only where it is one: it may begin what comes after the value.
        let known = TIME_UNITS.iter().any(|(name, ..)| *name == unit) || meant_unit(&unit).is_some();
        if unit.is_empty() || (self.chars[start].is_whitespace() && !known) {
            self.at = start;
            return String::new();
        }
        unit
    }

    fn no_number(&self) -> ThresholdError {
        let place = self.word_here();
        let error = match place.1 {
            0 => error_at(place, "a value is missing"),
            _ => error_at(place, format!("`{}` is no value", self.text(place))),
        };
        error.hint("write a number with its unit, such as 250ms, 1% or 50/s")
    }

    fn window(&mut self, measure: &Measure) -> Result<Window, ThresholdError> {
        self.skip_spaces();
        let start = self.at;
        if self.peek().is_none() {
            return Ok(Window::Run);
        }
        let word = self.take(char::is_alphabetic);
        let window = match word.as_str() {
            "for" => self.seconds_on_end()?,
            "in" => self.share_of_seconds()?,
            _ => {
                self.at = start;
                return Err(self.no_window(&word));
            }
        };
        if measure.is_told_late() {
            let place = self.since(start);
            let error = error_at(place, "this measure is known only at the end of a run");
            return Err(error.hint("leave this out: it counts for the whole run"));
        }
        self.skip_spaces();
        if self.peek().is_none() {
            return Ok(window);
        }
        let rest = &self.chars[self.at..];
        let word: String = rest.iter().take_while(|c| c.is_alphabetic()).collect();
        Err(self.no_window(&word))
    }

    fn seconds_on_end(&mut self) -> Result<Window, ThresholdError> {
        let hint = "write whole seconds or more, such as `for 10s` or `for 1m`";
        let (number, place) = self.value().map_err(|error| error.hint(hint))?;
        let span_ns = number.span_ns().map_err(|error| error.hint(hint))?;
        let seconds = span_ns / 1e9;
        if seconds < 1.0 || seconds.fract() != 0.0 {
            let error = error_at(place, "`for` is judged second by second");
            return Err(error.hint(hint));
        }
        if seconds > MOST_SECONDS {
            return Err(error_at(place, "this is longer than ten years"));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a whole number within bounds"
        )]
        let seconds = seconds as u64;
        Ok(Window::For { seconds })
    }

    fn share_of_seconds(&mut self) -> Result<Window, ThresholdError> {
        let hint = "write a share of the seconds, such as `in 99% of seconds`";
        let (number, place) = self.value().map_err(|error| error.hint(hint))?;
        let Some(share) = number.share() else {
            return Err(error_at(place, "a share of the seconds is wanted here").hint(hint));
        };
        if !(share > 0.0 && share <= 1.0) {
            let error = error_at(place, "a share of the seconds is above 0% and at most 100%");
            return Err(error);
        }
        for wanted in ["of", "seconds"] {
            self.skip_spaces();
            let place = self.word_here();
            let start = self.at;
            if self.take(char::is_alphabetic) != wanted {
                self.at = start;
                let error = error_at(place, format!("`{wanted}` is missing here"));
                return Err(error.hint(hint));
            }
        }
        Ok(Window::In { share })
    }

    /// What stands here is neither the end nor a window.
    fn no_window(&self, word: &str) -> ThresholdError {
        let place = self.word_here();
        let error = error_at(place, format!("`{}` is not expected here", self.text(place)));
        let more = "a threshold is one comparison: write a second threshold";
        match word {
            "over" | "within" | "during" | "on" => error.hint("did you mean `for`, as in `for 10s`?"),
            "and" | "or" | "AND" | "OR" => error.hint(more),
            "stop" | "continue" | "abort" | "abort_on_fail" => {
                error.hint("to stop the run, write `abort_on_fail: true` beside the threshold in the config")
            }
            _ => match self.peek() {
                Some('&' | '|' | '<' | '>' | '=' | '!') => error.hint(more),
                _ => error.hint("only `for 10s` or `in 99% of seconds` may stand behind the value"),
            },
        }
    }
}
