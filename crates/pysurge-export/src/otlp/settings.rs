//! Where figures are pushed to, and how: what the user wrote, and the standard's variables of the environment.

use std::fmt;
use std::time::Duration;
use ureq::http::{HeaderName, HeaderValue, Uri};

/// Where a collector on this machine listens.
pub const DEFAULT_URL: &str = "http://127.0.0.1:4318";

/// The path that the standard puts behind a base.
const PATH: &str = "/v1/metrics";

/// How often figures are pushed unless told otherwise. The standard's minute is too long for a load test; k6 takes ten seconds, too.
const INTERVAL: Duration = Duration::from_secs(10);

/// How long one push may take, as the standard has it.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What a list of headers or attributes may hold.
const MAX_PAIRS: usize = 64;

/// A URL that figures can be pushed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(Uri);

/// Why a text is no such URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// It is something else.
    #[error(
        "write http://HOST:PORT or https://…, such as {DEFAULT_URL}; what is to be fired stands in front of this option"
    )]
    NoUrl,
    /// A secret in a URL is shown wherever the URL is.
    #[error(
        "leave user and password out of the URL; OTEL_EXPORTER_OTLP_HEADERS takes them, as Authorization=Basic%20…"
    )]
    Password,
}

/// Why figures cannot be pushed as asked.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    /// A variable of the environment is no URL.
    #[error("the variable {variable} is no URL of a receiver: {source}")]
    Endpoint {
        /// Its name.
        variable: &'static str,
        /// Why.
        source: EndpointError,
    },
    /// A variable of the environment is no time.
    #[error("the variable {variable} is no number of milliseconds above 0: {value}")]
    Millis {
        /// Its name.
        variable: &'static str,
        /// What it holds.
        value: String,
    },
    /// A variable of the environment is no list. What it holds may be secret.
    #[error(
        "the variable {variable} is no list such as name=value,name=value; signs of other kinds are written as %20"
    )]
    Pairs {
        /// Its name.
        variable: &'static str,
    },
    /// Certificates cannot be read.
    #[error("failed to read certificates from {path}, which {variable} names: {why}")]
    Certificate {
        /// Its name.
        variable: &'static str,
        /// The file.
        path: String,
        /// Why.
        why: String,
    },
}

/// Where figures are pushed to, and how.
#[derive(Clone)]
pub struct OtlpSettings {
    pub(super) endpoint: Endpoint,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
    pub(super) service: Option<String>,
    pub(super) attributes: Vec<(String, String)>,
    /// Certificates to trust in place of the public ones, PEM.
    pub(super) certificates: Option<Vec<u8>>,
}

impl fmt::Debug for OtlpSettings {
    // Headers and attributes may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtlpSettings")
            .field("endpoint", &self.endpoint)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A query may hold a key.
        let uri = &self.0;
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        write!(
            f,
            "{}://{authority}{}",
            uri.scheme_str().unwrap_or_default(),
            uri.path()
        )
    }
}

impl Endpoint {
    /// A URL as the user writes it: that of a receiver, or the base in front of `/v1/metrics`.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let uri = Self::uri(text)?;
        if uri.path().ends_with(PATH) || uri.query().is_some() {
            return Ok(Self(uri));
        }
        Self::uri(&format!("{}{PATH}", text.trim_end_matches('/'))).map(Self)
    }

    /// A URL that is taken as it is.
    fn exact(text: &str) -> Result<Self, EndpointError> {
        Self::uri(text).map(Self)
    }

    fn uri(text: &str) -> Result<Uri, EndpointError> {
        let uri: Uri = text.parse().map_err(|_| EndpointError::NoUrl)?;
        let authority = uri.authority().ok_or(EndpointError::NoUrl)?;
        if authority.as_str().contains('@') {
            return Err(EndpointError::Password);
        }
        let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
        (is_http && !authority.host().is_empty())
            .then_some(uri)
            .ok_or(EndpointError::NoUrl)
    }

    pub(super) fn uri_of(&self) -> &Uri {
        &self.0
    }

    /// Whether it is on this machine.
    pub(super) fn is_local(&self) -> bool {
        matches!(self.0.host(), Some("localhost" | "127.0.0.1" | "[::1]"))
    }
}

/// The first of the variables that is set, with its name.
type Set = Option<(&'static str, String)>;

impl OtlpSettings {
    /// What the user wrote goes before the environment, of which those variables of the standard are read that are about metrics by HTTP.
    /// A file that one of them names is read by `read`.
    pub fn new(
        url: Option<Endpoint>,
        var: impl Fn(&str) -> Option<String>,
        read: impl Fn(&str) -> std::io::Result<Vec<u8>>,
    ) -> Result<Self, OtlpError> {
        let first = |names: &[&'static str]| -> Set {
            names.iter().find_map(|name| {
                var(name)
                    .filter(|value| !value.is_empty())
                    .map(|value| (*name, value))
            })
        };
        let endpoint = match url {
            Some(endpoint) => endpoint,
            None => Self::endpoint(&first)?,
        };
        let headers = first(&["OTEL_EXPORTER_OTLP_METRICS_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"]);
        let timeout = first(&["OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"]);
        let certificates = first(&[
            "OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE",
            "OTEL_EXPORTER_OTLP_CERTIFICATE",
        ]);
        Ok(Self {
            endpoint,
            headers: headers_of(headers)?,
            interval: millis(first(&["OTEL_METRIC_EXPORT_INTERVAL"]))?.unwrap_or(INTERVAL),
            timeout: millis(timeout)?.unwrap_or(TIMEOUT),
            service: first(&["OTEL_SERVICE_NAME"]).map(|(_, name)| name),
            attributes: pairs(first(&["OTEL_RESOURCE_ATTRIBUTES"]))?,
            certificates: certificates.map(|set| certificates_of(set, read)).transpose()?,
        })
    }

    fn endpoint(first: &impl Fn(&[&'static str]) -> Set) -> Result<Endpoint, OtlpError> {
        let of = |(variable, text): (&'static str, String),
                  parse: fn(&str) -> Result<Endpoint, EndpointError>| {
            parse(&text).map_err(|source| OtlpError::Endpoint { variable, source })
        };
        if let Some(set) = first(&["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"]) {
            return of(set, Endpoint::exact);
        }
        let base = first(&["OTEL_EXPORTER_OTLP_ENDPOINT"]);
        of(
            base.unwrap_or(("--otlp", DEFAULT_URL.to_owned())),
            Endpoint::parse,
        )
    }

    /// Where figures are pushed to.
    pub fn endpoint_of(&self) -> &Endpoint {
        &self.endpoint
    }
}

fn millis(set: Set) -> Result<Option<Duration>, OtlpError> {
    let Some((variable, value)) = set else {
        return Ok(None);
    };
    match value.trim().parse() {
        Ok(millis) if millis > 0 => Ok(Some(Duration::from_millis(millis))),
        _ => Err(OtlpError::Millis { variable, value }),
    }
}

fn headers_of(set: Set) -> Result<Vec<(HeaderName, HeaderValue)>, OtlpError> {
    let variable = set.as_ref().map_or("", |(variable, _)| variable);
    let mut headers = Vec::new();
    for (name, value) in pairs(set)? {
        let (Ok(name), Ok(mut value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) else {
            return Err(OtlpError::Pairs { variable });
        };
        value.set_sensitive(true);
        headers.push((name, value));
    }
    Ok(headers)
}

/// `name=value,name=value`, where `%20` stands for a space.
fn pairs(set: Set) -> Result<Vec<(String, String)>, OtlpError> {
    let Some((variable, text)) = set else {
        return Ok(Vec::new());
    };
    let written = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let name = name.trim();
        (!name.is_empty()).then_some(())?;
        Some((name.to_owned(), decoded(value.trim())?))
    };
    let pairs: Option<Vec<_>> = written.map(pair).collect();
    pairs
        .filter(|pairs| pairs.len() <= MAX_PAIRS)
        .ok_or(OtlpError::Pairs { variable })
}

/// A text in which `%20` stands for a space; `None` where that is not so, or what comes out is no text.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            let value = digit(rest.next())? * 16 + digit(rest.next())?;
            bytes.push(u8::try_from(value).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

fn certificates_of(
    (variable, path): (&'static str, String),
    read: impl Fn(&str) -> std::io::Result<Vec<u8>>,
) -> Result<Vec<u8>, OtlpError> {
    let why = match read(&path) {
        Ok(pem) => match super::push::certificates(&pem) {
            Ok(found) if !found.is_empty() => return Ok(pem),
            Ok(_) => "it holds none in PEM form".to_owned(),
            Err(error) => error.to_string(),
        },
        Err(error) => error.to_string(),
    };
    Err(OtlpError::Certificate { variable, path, why })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: Option<&str>, env: &[(&str, &str)]) -> Result<OtlpSettings, String> {
        let var = |name: &str| {
            let found = env.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let url = url.map(|url| Endpoint::parse(url).unwrap());
        OtlpSettings::new(url, var, |_| Ok(b"nothing".to_vec())).map_err(|error| error.to_string())
    }

    #[test]
    fn a_base_and_a_whole_url_are_both_taken() {
        for (text, shown) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/metrics"),
            ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/metrics"),
            (
                "https://otlp.example.org/otlp",
                "https://otlp.example.org/otlp/v1/metrics",
            ),
            (
                "http://prom:9090/api/v1/otlp/v1/metrics",
                "http://prom:9090/api/v1/otlp/v1/metrics",
            ),
            ("http://a/in?key=secret", "http://a/in"),
        ] {
            assert_eq!(Endpoint::parse(text).unwrap().to_string(), shown);
        }
        for text in [
            "",
            "load.yml",
            "127.0.0.1:4318",
            "grpc://a:4317",
            "http://",
            "http:///x",
            "http://a b",
        ] {
            assert_eq!(Endpoint::parse(text), Err(EndpointError::NoUrl), "{text}");
        }
        assert_eq!(
            Endpoint::parse("http://me:secret@a"),
            Err(EndpointError::Password)
        );
    }

    #[test]
    fn the_environment_says_what_the_user_does_not() {
        let of = |url, env: &[_]| settings(url, env).unwrap().endpoint.to_string();
        assert_eq!(of(None, &[]), "http://127.0.0.1:4318/v1/metrics");
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://base:1");
        let exact = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://exact:1/in");
        assert_eq!(of(None, &[base]), "http://base:1/v1/metrics");
        assert_eq!(of(None, &[base, exact]), "http://exact:1/in");
        assert_eq!(
            of(Some("http://user:1"), &[base, exact]),
            "http://user:1/v1/metrics"
        );
        let all = settings(
            None,
            &[
                ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b, x = y=z"),
                ("OTEL_EXPORTER_OTLP_TIMEOUT", "1500"),
                ("OTEL_METRIC_EXPORT_INTERVAL", "500"),
                ("OTEL_SERVICE_NAME", "shop-load"),
                ("OTEL_RESOURCE_ATTRIBUTES", "team=pay,env=ci"),
            ],
        )
        .unwrap();
        let headers: Vec<_> = all
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        assert_eq!(headers, [("api-key", "a b"), ("x", "y=z")]);
        assert_eq!(
            (all.timeout, all.interval),
            (Duration::from_millis(1_500), Duration::from_millis(500))
        );
        assert_eq!(all.service.as_deref(), Some("shop-load"));
        assert_eq!(
            all.attributes,
            [
                ("team".to_owned(), "pay".to_owned()),
                ("env".to_owned(), "ci".to_owned())
            ]
        );
        assert!(!format!("{all:?}").contains("a b"));
    }

    #[test]
    fn what_is_wrong_in_the_environment_is_named_and_no_secret_is_shown() {
        for (variable, value) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "secret"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "secret"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=%zzsecret"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a b=secret"),
            ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "a=secret%0a"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "ca.pem"),
        ] {
            let error = settings(None, &[(variable, value)]).unwrap_err();
            assert!(error.contains(variable) && !error.contains("secret"), "{error}");
        }
    }
}
