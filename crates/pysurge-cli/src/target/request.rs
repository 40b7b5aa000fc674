//! Bytes of one connection become requests: a pure machine over httparse.
//!
//! Bytes come in any pieces; a head is parsed once it is whole and its body is counted off and dropped, so that memory
//! stays bounded whatever a client sends. What is refused is refused once: the stream behind it cannot be trusted.
//!
//! | state | waits for | then |
//! |---|---|---|
//! | no head | the blank line that ends a head | body, or the request itself where it has none |
//! | body | as many bytes as `Content-Length` said | the request |
//!
//! It never reads a clock: the caller says when the bytes arrived.

/// The longest head that is read, as in nginx with four buffers of 4 KiB.
pub(super) const MAX_HEAD_BYTES: usize = 16 * 1024;

/// The longest body that is read and dropped.
pub(super) const MAX_BODY_BYTES: u64 = 64 * 1024 * 1024;

/// Header fields per request, as in Apache's default.
const MAX_HEADERS: usize = 100;

/// One whole request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    /// When its head was complete, nanoseconds of `CLOCK_MONOTONIC`.
    pub(super) arrived_ns: u64,
    pub(super) method: String,
    /// The request target as sent, with its query.
    pub(super) path: String,
    /// `X-Request-Id`, where it was sent.
    pub(super) id: Option<String>,
    /// Whether the connection may be used again afterwards.
    pub(super) keep_alive: bool,
}

/// What the bytes so far amount to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// The client asks whether it may send its body.
    Continue,
    /// A request is complete.
    Request(Request),
}

/// Why a connection is answered with an error and closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No HTTP/1 head.
    Malformed,
    /// A head beyond [`MAX_HEAD_BYTES`] or with too many fields.
    HeadTooLarge,
    /// A body beyond [`MAX_BODY_BYTES`].
    BodyTooLarge,
    /// A chunked body: only `Content-Length` is understood.
    LengthRequired,
}

impl Refusal {
    /// The HTTP status that says so.
    pub(super) fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::HeadTooLarge => 431,
            Self::BodyTooLarge => 413,
            Self::LengthRequired => 411,
        }
    }
}

/// The machine.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    buffer: Vec<u8>,
    read: usize,
    body: Option<Body>,
}

#[derive(Debug)]
struct Body {
    request: Request,
    left_bytes: u64,
}

impl Decoder {
    /// Adds bytes that arrived.
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.read);
        self.read = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next event in the bytes so far, `None` where more are needed.
    pub(super) fn next(&mut self, now_ns: u64) -> Result<Option<Event>, Refusal> {
        if self.body.is_none() {
            let Some(head) = self.head(now_ns)? else {
                return Ok(None);
            };
            if head.body_bytes == 0 {
                return Ok(Some(Event::Request(head.request)));
            }
            self.body = Some(Body {
                request: head.request,
                left_bytes: head.body_bytes,
            });
            if head.expects_continue {
                return Ok(Some(Event::Continue));
            }
        }
        Ok(self.drop_body().map(Event::Request))
    }

    fn head(&mut self, now_ns: u64) -> Result<Option<Head>, Refusal> {
        let bytes = &self.buffer[self.read..];
        let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut parsed = httparse::Request::new(&mut fields);
        match parsed.parse(bytes) {
            Ok(httparse::Status::Complete(length)) if length <= MAX_HEAD_BYTES => {
                let head = Head::of(&parsed, now_ns)?;
                self.read += length;
                Ok(Some(head))
            }
            Ok(httparse::Status::Partial) if bytes.len() <= MAX_HEAD_BYTES => Ok(None),
            Ok(_) | Err(httparse::Error::TooManyHeaders) => Err(Refusal::HeadTooLarge),
            Err(_) => Err(Refusal::Malformed),
        }
    }

    fn drop_body(&mut self) -> Option<Request> {
        let body = self.body.as_mut()?;
        let here = self.buffer.len() - self.read;
        let taken = usize::try_from(body.left_bytes).map_or(here, |left| left.min(here));
        self.read += taken;
        body.left_bytes -= taken as u64;
        let whole = body.left_bytes == 0;
        whole.then(|| self.body.take()).flatten().map(|body| body.request)
    }
}

struct Head {
    request: Request,
    body_bytes: u64,
    expects_continue: bool,
}

impl Head {
    fn of(parsed: &httparse::Request<'_, '_>, arrived_ns: u64) -> Result<Self, Refusal> {
        let (mut body_bytes, mut id, mut expects_continue) = (None, None, false);
        let mut keep_alive = parsed.version == Some(1);
        for field in parsed.headers.iter() {
            let value = String::from_utf8_lossy(field.value);
            let value = value.trim();
            if field.name.eq_ignore_ascii_case("content-length") {
                let length = parse_length(value)?;
                if body_bytes.replace(length).is_some_and(|other| other != length) {
                    return Err(Refusal::Malformed);
                }
            } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
                return Err(Refusal::LengthRequired);
            } else if field.name.eq_ignore_ascii_case("connection") {
                for token in value.split(',').map(str::trim) {
                    keep_alive |= token.eq_ignore_ascii_case("keep-alive");
                    if token.eq_ignore_ascii_case("close") {
                        keep_alive = false;
                        break;
                    }
                }
            } else if field.name.eq_ignore_ascii_case("expect") {
                expects_continue = value.eq_ignore_ascii_case("100-continue");
            } else if field.name.eq_ignore_ascii_case("x-request-id") {
                id = Some(value.to_owned());
            }
        }
        let request = Request {
            arrived_ns,
            method: parsed.method.unwrap_or_default().to_owned(),
            path: parsed.path.unwrap_or_default().to_owned(),
            id,
            keep_alive,
        };
        Ok(Self {
            request,
            body_bytes: body_bytes.unwrap_or(0),
            expects_continue,
        })
    }
}

fn parse_length(value: &str) -> Result<u64, Refusal> {
    // `parse` alone would take a sign.
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::Malformed);
    }
    match value.parse() {
        Ok(length) if length <= MAX_BODY_BYTES => Ok(length),
        _ => Err(Refusal::BodyTooLarge),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(pieces: &[&[u8]]) -> Result<Vec<Event>, Refusal> {
        let (mut decoder, mut events) = (Decoder::default(), Vec::new());
        for piece in pieces {
            decoder.extend(piece);
            while let Some(event) = decoder.next(7)? {
                events.push(event);
            }
        }
        Ok(events)
    }

    fn get(path: &str, keep_alive: bool) -> Event {
        Event::Request(Request {
            arrived_ns: 7,
            method: "GET".into(),
            path: path.into(),
            id: None,
            keep_alive,
        })
    }

    #[test]
    fn connections_are_kept_as_the_client_asks() {
        for (head, keep_alive) in [
            ("GET / HTTP/1.1\r\n\r\n", true),
            ("GET / HTTP/1.1\r\nConnection: close\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nconnection: TE, Close\r\n\r\n", false),
            ("GET / HTTP/1.0\r\n\r\n", false),
            ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true),
            ("\r\nGET / HTTP/1.1\r\n\r\n", true),
        ] {
            assert_eq!(
                decode(&[head.as_bytes()]),
                Ok(vec![get("/", keep_alive)]),
                "{head}"
            );
        }
    }

    #[test]
    fn what_is_no_request_is_refused_with_the_status_that_fits() {
        let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(MAX_HEAD_BYTES));
        let endless = format!("GET /{}", "x".repeat(MAX_HEAD_BYTES));
        let crowded = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(MAX_HEADERS + 1));
        for (bytes, refusal) in [
            ("\x16\x03\x01\x02\x00", Refusal::Malformed),
            ("hello there\r\n\r\n", Refusal::Malformed),
            ("GET / HTTP/2.0\r\n\r\n", Refusal::Malformed),
            (
                "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                Refusal::Malformed,
            ),
            (
                "POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
                Refusal::Malformed,
            ),
            (
                "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                Refusal::Malformed,
            ),
            (
                "POST / HTTP/1.1\r\nContent-Length: 67108865\r\n\r\n",
                Refusal::BodyTooLarge,
            ),
            (
                "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
                Refusal::BodyTooLarge,
            ),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
                Refusal::LengthRequired,
            ),
            (&long, Refusal::HeadTooLarge),
            (&endless, Refusal::HeadTooLarge),
            (&crowded, Refusal::HeadTooLarge),
        ] {
            assert_eq!(decode(&[bytes.as_bytes()]), Err(refusal), "{bytes:.60}");
        }
    }

    #[test]
    fn a_body_is_dropped_and_the_next_request_is_found_behind_it() {
        let bytes = b"POST /items HTTP/1.1\r\nX-Request-Id: a b\r\nContent-Length: 5\r\n\r\nGET /GET / HTTP/1.1\r\n\r\n";
        let post = Event::Request(Request {
            arrived_ns: 7,
            method: "POST".into(),
            path: "/items".into(),
            id: Some("a b".into()),
            keep_alive: true,
        });
        assert_eq!(decode(&[bytes]), Ok(vec![post, get("/", true)]));
    }

    #[test]
    fn a_client_that_asks_first_is_told_to_go_on() {
        let head = b"POST /items HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
        assert_eq!(decode(&[head]), Ok(vec![Event::Continue]));
        assert_eq!(decode(&[head, b"ok"]).map(|events| events.len()), Ok(2));
    }

    #[test]
    fn a_request_is_dated_by_the_end_of_its_head() {
        let mut decoder = Decoder::default();
        decoder.extend(b"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\n");
        assert_eq!(decoder.next(5), Ok(None));
        decoder.extend(b"x");
        let Ok(Some(Event::Request(request))) = decoder.next(6) else {
            panic!("the body is whole");
        };
        assert_eq!(request.arrived_ns, 5);
    }

    proptest! {
        #[test]
        fn requests_survive_any_chunking(cuts in prop::collection::vec(1usize..50, 1..30)) {
            let stream = b"GET /items/1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /items HTTP/1.1\r\nContent-Length: 30\r\n\r\n\
                0123456789012345678901234567\r\nGET /stats HTTP/1.0\r\n\r\n";
            let (mut rest, mut pieces, mut cuts) = (&stream[..], Vec::new(), cuts.into_iter().cycle());
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(cuts.next().unwrap().min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            prop_assert_eq!(decode(&pieces), decode(&[&stream[..]]));
            prop_assert_eq!(decode(&pieces).unwrap().len(), 3);
        }

        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = decode(&[&bytes]);
        }
    }
}
