//! What a scalar means: the YAML 1.1 rules of `PyYAML`'s `safe_load`, which read every config of pysurge 1.0.1.
//!
//! The rules differ from YAML 1.2 in ways that change a test: `yes` is true, `010` is 8, `1:30` is 90, but `1e3`
//! (no dot, no sign) is a string. The source is `SafeLoader`'s table of implicit resolvers; the table in the tests
//! was made by running it. Where `PyYAML` ends in an exception (`2001-13-14`, `0b_`) this is an error with a reason.
//! `=` and `<<` as values, which `PyYAML` refuses, are strings here.
//!
//! This module never looks at anything but the text it is given.

use crate::bytes;
use crate::timestamp;
use pysurge_core::value::Value;

/// The most digits an integer may have; `CPython` refuses to read longer ones (`sys.int_info.default_max_str_digits`).
const MAX_DIGITS: usize = 4300;

/// Why a scalar, though of a known form, has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadScalar {
    /// Fits after the text itself.
    pub(crate) reason: String,
    pub(crate) hint: Option<&'static str>,
}

impl BadScalar {
    fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            hint: None,
        }
    }
}

/// The tags that a scalar may carry, all of `tag:yaml.org,2002:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScalarTag {
    Null,
    Bool,
    Int,
    Float,
    Str,
    Binary,
    Timestamp,
}

impl ScalarTag {
    /// The tag behind `!!suffix`.
    pub(crate) fn from_suffix(suffix: &str) -> Option<Self> {
        Some(match suffix {
            "null" => Self::Null,
            "bool" => Self::Bool,
            "int" => Self::Int,
            "float" => Self::Float,
            "str" => Self::Str,
            "binary" => Self::Binary,
            "timestamp" => Self::Timestamp,
            _ => return None,
        })
    }

    /// As it is written.
    pub(crate) fn as_written(self) -> &'static str {
        match self {
            Self::Null => "!!null",
            Self::Bool => "!!bool",
            Self::Int => "!!int",
            Self::Float => "!!float",
            Self::Str => "!!str",
            Self::Binary => "!!binary",
            Self::Timestamp => "!!timestamp",
        }
    }
}

/// The value of a plain scalar without a tag.
pub(crate) fn resolve_plain(text: &str) -> Result<Value, BadScalar> {
    if matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return Ok(Value::Null);
    }
    if let Some(value) = plain_bool(text) {
        return Ok(Value::Bool(value));
    }
    if is_float(text) {
        return float(text);
    }
    if is_int(text) {
        return int(text);
    }
    match timestamp::implicit(text) {
        Some(moment) => moment.into_value(),
        None => Ok(Value::Str(text.to_owned())),
    }
}

/// The value of a scalar, plain or quoted, that carries a tag.
pub(crate) fn resolve_tagged(tag: ScalarTag, text: &str) -> Result<Value, BadScalar> {
    match tag {
        ScalarTag::Str => Ok(Value::Str(text.to_owned())),
        ScalarTag::Null => Ok(Value::Null),
        ScalarTag::Bool => plain_bool(&text.to_lowercase())
            .map(Value::Bool)
            .ok_or_else(|| BadScalar::new("is no boolean")),
        ScalarTag::Int => int(text.trim()),
        ScalarTag::Float => float(text.trim()),
        ScalarTag::Binary => bytes::from_base64(text)
            .map(Value::Bytes)
            .ok_or_else(|| BadScalar::new("is no base64 data")),
        ScalarTag::Timestamp => timestamp::explicit(text)
            .ok_or_else(|| BadScalar::new("is no date or timestamp"))?
            .into_value(),
    }
}

fn plain_bool(text: &str) -> Option<bool> {
    match text {
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

/// `[-+]?0b[0-1_]+ | [-+]?0[0-7_]+ | [-+]?(0|[1-9][0-9_]*) | [-+]?0x[0-9a-fA-F_]+ | [-+]?[1-9][0-9_]*(:[0-5]?[0-9])+`
fn is_int(text: &str) -> bool {
    let text = unsigned(text);
    let all = |digits: &str, allowed: fn(u8) -> bool| !digits.is_empty() && digits.bytes().all(allowed);
    if text == "0" {
        return true;
    }
    if let Some(digits) = text.strip_prefix("0b") {
        return all(digits, |b| matches!(b, b'0' | b'1' | b'_'));
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return all(digits, |b| b.is_ascii_hexdigit() || b == b'_');
    }
    if let Some(digits) = text.strip_prefix('0') {
        return all(digits, |b| matches!(b, b'0'..=b'7' | b'_'));
    }
    let mut parts = text.split(':');
    parts.next().is_some_and(is_digits_from_a_digit) && parts.all(is_sixtieth)
}

/// `[-+]?[0-9][0-9_]*\.[0-9_]*([eE][-+][0-9]+)? | \.[0-9][0-9_]*([eE][-+][0-9]+)? |
/// [-+]?[0-9][0-9_]*(:[0-5]?[0-9])+\.[0-9_]* | [-+]?\.(inf|Inf|INF) | \.(nan|NaN|NAN)`
fn is_float(text: &str) -> bool {
    if matches!(text, ".nan" | ".NaN" | ".NAN") || matches!(unsigned(text), ".inf" | ".Inf" | ".INF") {
        return true;
    }
    let Some((whole, after)) = text.split_once('.') else {
        return false;
    };
    let (fraction, exponent) = match after.find(['e', 'E']) {
        Some(at) => (&after[..at], Some(&after[at + 1..])),
        None => (after, None),
    };
    let exponent_fits = exponent.is_none_or(|exponent| {
        exponent
            .strip_prefix(['-', '+'])
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
    });
    if whole.is_empty() {
        return exponent_fits && is_digits_from_a_digit(fraction);
    }
    if !fraction.bytes().all(|b| b.is_ascii_digit() || b == b'_') {
        return false;
    }
    let mut parts = unsigned(whole).split(':');
    let starts = parts.next().is_some_and(is_digits_from_a_digit);
    let sexagesimal = whole.contains(':');
    starts && exponent_fits && parts.all(is_sixtieth) && !(sexagesimal && exponent.is_some())
}

/// `[0-9][0-9_]*`
fn is_digits_from_a_digit(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit()) && text.bytes().all(|b| b.is_ascii_digit() || b == b'_')
}

/// `[0-5]?[0-9]`
fn is_sixtieth(text: &str) -> bool {
    match text.as_bytes() {
        [ones] => ones.is_ascii_digit(),
        [tens, ones] => matches!(tens, b'0'..=b'5') && ones.is_ascii_digit(),
        _ => false,
    }
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['-', '+']).unwrap_or(text)
}

/// What `PyYAML`'s constructor makes of the text once it is taken for an integer.
fn int(text: &str) -> Result<Value, BadScalar> {
    let bad = || BadScalar::new("is no integer");
    let negative = text.starts_with('-');
    let digits = unsigned(text).replace('_', "");
    if digits.len() > MAX_DIGITS {
        return Err(BadScalar::new(format!("has more than {MAX_DIGITS} digits")));
    }
    let magnitude = if digits == "0" {
        Decimal::default()
    } else if let Some(digits) = digits.strip_prefix("0b") {
        Decimal::from_digits(digits, 2).ok_or_else(bad)?
    } else if let Some(digits) = digits.strip_prefix("0x") {
        Decimal::from_digits(digits, 16).ok_or_else(bad)?
    } else if digits.starts_with('0') {
        Decimal::from_digits(&digits, 8).ok_or_else(bad)?
    } else {
        let mut parts = digits.split(':');
        let mut total = parts
            .next()
            .and_then(|part| Decimal::from_digits(part, 10))
            .ok_or_else(bad)?;
        for part in parts {
            total.times_plus(60, part.parse().map_err(|_| bad())?);
        }
        total
    };
    let mut decimal = magnitude.to_string();
    if negative && decimal != "0" {
        decimal.insert(0, '-');
    }
    Ok(decimal
        .parse()
        .map_or_else(|_| Value::BigInt(decimal.clone()), Value::Int))
}

/// What `PyYAML`'s constructor makes of the text once it is taken for a float.
fn float(text: &str) -> Result<Value, BadScalar> {
    let bad = || BadScalar::new("is no number");
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    let digits = unsigned(text).replace('_', "").to_lowercase();
    let magnitude = match digits.as_str() {
        ".inf" => f64::INFINITY,
        ".nan" => f64::NAN,
        sexagesimal if sexagesimal.contains(':') => {
            let (mut total, mut base) = (0.0, 1.0);
            for part in sexagesimal.rsplit(':') {
                total += part.parse::<f64>().map_err(|_| bad())? * base;
                base *= 60.0;
            }
            total
        }
        decimal => decimal.parse().map_err(|_| bad())?,
    };
    Ok(Value::Float(sign * magnitude))
}

/// A natural number of any size, in "digits" of nine decimal places, the lowest first.
#[derive(Default)]
struct Decimal {
    billions: Vec<u32>,
}

impl Decimal {
    fn from_digits(digits: &str, radix: u32) -> Option<Self> {
        let mut number = Self::default();
        if digits.is_empty() {
            return None;
        }
        for digit in digits.chars() {
            number.times_plus(radix, digit.to_digit(radix)?);
        }
        Some(number)
    }

    fn times_plus(&mut self, factor: u32, addend: u32) {
        const BASE: u64 = 1_000_000_000;
        let low = |n: u64| u32::try_from(n % BASE).expect("below 10^9");
        let mut carry = u64::from(addend);
        for billion in &mut self.billions {
            let product = u64::from(*billion) * u64::from(factor) + carry;
            *billion = low(product);
            carry = product / BASE;
        }
        while carry > 0 {
            self.billions.push(low(carry));
            carry /= BASE;
        }
    }
}

impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut from_the_top = self.billions.iter().rev();
        match from_the_top.next() {
            None => f.write_str("0"),
            Some(first) => {
                write!(f, "{first}")?;
                from_the_top.try_for_each(|billion| write!(f, "{billion:09}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `yaml.safe_load("k: " + text)["k"]` gives in `PyYAML` 6.0.3, written as `type repr`; `!` where it raises
    /// because the value cannot be built.
    #[rustfmt::skip]
    const PLAIN: &[(&str, &str)] = &[
        ("yes", "bool True"), ("Yes", "bool True"), ("YES", "bool True"), ("yEs", "str yEs"),
        ("no", "bool False"), ("No", "bool False"), ("NO", "bool False"), ("nO", "str nO"),
        ("on", "bool True"), ("On", "bool True"), ("ON", "bool True"), ("oN", "str oN"),
        ("off", "bool False"), ("Off", "bool False"), ("OFF", "bool False"), ("y", "str y"), ("n", "str n"),
        ("true", "bool True"), ("True", "bool True"), ("TRUE", "bool True"), ("tRue", "str tRue"),
        ("false", "bool False"), ("False", "bool False"), ("FALSE", "bool False"),
        ("", "null"), ("~", "null"), ("null", "null"), ("Null", "null"), ("NULL", "null"),
        ("nULL", "str nULL"), ("None", "str None"), ("~x", "str ~x"),
        ("0", "int 0"), ("-0", "int 0"), ("+0", "int 0"), ("00", "int 0"), ("0_", "int 0"),
        ("010", "int 8"), ("-010", "int -8"), ("08", "str 08"), ("0o7", "str 0o7"), ("0_7", "int 7"),
        ("0b101", "int 5"), ("-0b11", "int -3"), ("0b_", "!"), ("0b2", "str 0b2"), ("0B1", "str 0B1"),
        ("0x1F", "int 31"), ("0x_f", "int 15"), ("-0x10", "int -16"), ("0xg", "str 0xg"), ("0x", "str 0x"),
        ("1_000", "int 1000"), ("1__0", "int 10"), ("_1", "str _1"), ("12", "int 12"), ("+12", "int 12"),
        ("-12", "int -12"), ("--1", "str --1"), ("1 2", "str 1 2"), ("1a", "str 1a"),
        ("1:30", "int 90"), ("-1:30", "int -90"), ("1:60", "str 1:60"), ("01:30", "str 01:30"),
        ("190:20:30", "int 685230"), ("1:5", "int 65"), ("1:005", "str 1:005"), ("1:", "str 1:"),
        ("9223372036854775807", "int 9223372036854775807"), ("9223372036854775808", "big 9223372036854775808"),
        ("-9223372036854775808", "int -9223372036854775808"), ("-9223372036854775809", "big -9223372036854775809"),
        ("0xffffffffffffffffff", "big 4722366482869645213695"),
        ("1000000000000000000000", "big 1000000000000000000000"),
        ("1.", "float 1.0"), ("1.5", "float 1.5"), (".5", "float 0.5"), ("-.5", "str -.5"), ("+.5", "str +.5"),
        ("1.5e3", "str 1.5e3"), ("1.5e+3", "float 1500.0"), ("1.5E-3", "float 0.0015"), ("1.e+3", "float 1000.0"),
        ("1e3", "str 1e3"), ("1e+3", "str 1e+3"), ("1.5e+", "str 1.5e+"), (".5e+1", "float 5.0"),
        ("1._5", "float 1.5"), ("1_0.2_5", "float 10.25"), ("._5", "str ._5"), ("-0.0", "float -0.0"),
        ("1:30.5", "float 90.5"), ("1:30:00.", "float 5400.0"), ("-1:30.5", "float -90.5"),
        ("01:30.5", "float 90.5"), ("1:30.5e+1", "str 1:30.5e+1"), ("1:60.5", "str 1:60.5"),
        (".inf", "float inf"), ("-.inf", "float -inf"), ("+.INF", "float inf"), (".Inf", "float inf"),
        (".iNF", "str .iNF"), (".nan", "float NaN"), (".NaN", "float NaN"), (".NAN", "float NaN"),
        ("-.nan", "str -.nan"), ("nan", "str nan"), ("inf", "str inf"),
        ("._", "str ._"), (".", "str ."), ("1.2.3", "str 1.2.3"), ("١", "str ١"),
        ("2001-12-14", "date 2001-12-14"), ("2001-1-2", "str 2001-1-2"), ("2001-12-1", "str 2001-12-1"),
        ("2001-12-14t21:59:43.10-05:00", "datetime 2001-12-14T21:59:43.100000-05:00"),
        ("2001-12-14T21:59:43Z", "datetime 2001-12-14T21:59:43+00:00"),
        ("2001-12-14T21:59:43z", "str 2001-12-14T21:59:43z"),
        ("2001-12-14T1:59:43", "datetime 2001-12-14T01:59:43"),
        ("2001-1-2 3:04:05", "datetime 2001-01-02T03:04:05"),
        ("2001-12-14T21:59:43.1234567", "datetime 2001-12-14T21:59:43.123456"),
        ("2001-12-14T21:59:43.", "datetime 2001-12-14T21:59:43"),
        ("2001-12-14T21:59:43.000", "datetime 2001-12-14T21:59:43"),
        ("2001-12-14T21:59:43+5", "datetime 2001-12-14T21:59:43+05:00"),
        ("2001-12-14T21:59:43-00:30", "datetime 2001-12-14T21:59:43-00:30"),
        ("2001-12-14T21:59:43-00:00", "datetime 2001-12-14T21:59:43+00:00"),
        ("2001-12-14T21:59:43+05:99", "datetime 2001-12-14T21:59:43+06:39"),
        ("2001-12-14 21:59:43.10 -5", "datetime 2001-12-14T21:59:43.100000-05:00"),
        ("2001-12-14   21:59:43", "datetime 2001-12-14T21:59:43"),
        ("2001-12-14 21:59:43 Z", "datetime 2001-12-14T21:59:43+00:00"),
        ("2001-12-14T21:59", "str 2001-12-14T21:59"), ("2001-12-14 ", "str 2001-12-14 "),
        ("2001-13-14", "!"), ("2001-02-29", "!"), ("2000-02-29", "date 2000-02-29"), ("1900-02-29", "!"),
        ("0000-01-01", "!"), ("2001-12-14T24:00:00", "!"), ("2001-12-14T21:59:60", "!"),
        ("2001-12-14T21:59:43+24:00", "!"),
        ("a.b.C", "str a.b.C"), ("1,000", "str 1,000"), ("10/s", "str 10/s"), ("5%", "str 5%"),
        ("=", "str ="), ("<<", "str <<"),
    ];

    /// The same for `yaml.safe_load(text)` with a tag and quotes where the text needs them.
    #[rustfmt::skip]
    const TAGGED: &[(ScalarTag, &str, &str)] = &[
        (ScalarTag::Int, "5", "int 5"), (ScalarTag::Int, "0x1f", "int 31"), (ScalarTag::Int, "abc", "!"),
        (ScalarTag::Int, "", "!"), (ScalarTag::Int, " 5", "int 5"), (ScalarTag::Int, "1.5", "!"),
        (ScalarTag::Float, "5", "float 5.0"), (ScalarTag::Float, "1e3", "float 1000.0"),
        (ScalarTag::Float, "abc", "!"), (ScalarTag::Float, "-inf", "float -inf"),
        (ScalarTag::Float, "1_0.5", "float 10.5"), (ScalarTag::Float, "1:30", "float 90.0"),
        (ScalarTag::Bool, "yes", "bool True"), (ScalarTag::Bool, "OFF", "bool False"), (ScalarTag::Bool, "1", "!"),
        (ScalarTag::Null, "abc", "null"), (ScalarTag::Str, "5", "str 5"), (ScalarTag::Str, "", "str "),
        (ScalarTag::Timestamp, "2020-1-2", "date 2020-01-02"), (ScalarTag::Timestamp, "x", "!"),
        (ScalarTag::Binary, "aGk=", "bytes hi"), (ScalarTag::Binary, "a G\nk =", "bytes hi"),
        (ScalarTag::Binary, "aGk", "!"), (ScalarTag::Binary, "!!", "bytes "),
    ];

    fn show(value: Result<Value, BadScalar>) -> String {
        match value {
            Err(_) => "!".to_owned(),
            Ok(Value::Null) => "null".to_owned(),
            Ok(Value::Bool(true)) => "bool True".to_owned(),
            Ok(Value::Bool(false)) => "bool False".to_owned(),
            Ok(Value::Int(value)) => format!("int {value}"),
            Ok(Value::BigInt(digits)) => format!("big {digits}"),
            Ok(Value::Float(value)) => format!("float {value:?}"),
            Ok(Value::Str(text)) => format!("str {text}"),
            Ok(Value::Date(text)) => format!("date {text}"),
            Ok(Value::DateTime(text)) => format!("datetime {text}"),
            Ok(Value::Bytes(bytes)) => format!("bytes {}", bytes.escape_ascii()),
            Ok(other) => panic!("no scalar: {other:?}"),
        }
    }

    #[test]
    fn plain_scalars_mean_what_pyyaml_says() {
        for (text, expected) in PLAIN {
            assert_eq!(show(resolve_plain(text)), *expected, "{text:?}");
        }
    }

    #[test]
    fn tagged_scalars_mean_what_pyyaml_says() {
        for (tag, text, expected) in TAGGED {
            assert_eq!(show(resolve_tagged(*tag, text)), *expected, "{tag:?} {text:?}");
        }
    }

    #[test]
    fn integers_are_as_long_as_python_reads_them_and_no_longer() {
        let longest = "9".repeat(MAX_DIGITS);
        assert_eq!(resolve_plain(&longest), Ok(Value::BigInt(longest.clone())));
        assert!(resolve_plain(&format!("{longest}9")).is_err());
    }
}
