//! Pushes of the figures by OTLP over HTTP, as protobuf: `settings.rs` says where to and how, `message.rs` what, `push.rs` when.

mod message;
mod push;
mod settings;

pub use settings::{DEFAULT_URL, Endpoint, EndpointError, OtlpError, OtlpSettings};

pub(crate) use push::Pusher;
