//! For tests only: runs native tests in the real worker engine, so that manager, wire and engine are tested together, over
//! real processes, without Python.
//!
//! [`NativeHost`] is the engine's [`Host`](pysurge_engine::Host) for tests written in Rust, [`serve_stdin`] makes a worker process of
//! it, [`native`] is the catalogue of tests that pass, fail, hang, panic and crash on demand, and the program `native-worker` serves it.
//! No other crate may depend on this one but for its own tests, and nothing here may repair what the engine does wrong.
//!
//! # How a native test is written
//! A test is a type that is shared by all pool threads: [`TestCase`](pysurge_engine::TestCase) says what one iteration does, [`NativeTest`] adds what is
//! asked of it outside iterations, all of it optional. A [`Catalogue`] makes tests from the entries of a plan.
//!
//! ```
//! use pysurge_engine::{Probe, TestCase};
//! use pysurge_testkit::{Entry, KwargsError, NativeTest, fail, without};
//! use pysurge_core::failure::Phase;
//! use std::io::Write;
//! use std::net::TcpStream;
//! use std::sync::Arc;
//!
//! /// Connects to a port and says hello.
//! struct Greeter {
//!     port: u16,
//! }
//!
//! impl TestCase for Greeter {
//!     fn iterate(&self, probe: &mut Probe<'_>) {
//!         // `setup`, `run` and `teardown` are timed apart; the time of `run` is the service time. What blocks is done
//!         // without the interpreter lock, which this host has to be like Python.
//!         let stream = match probe.setup(|| without(|| TcpStream::connect(("127.0.0.1", self.port)))) {
//!             Ok(stream) => stream,
//!             Err(error) => return fail(probe, Phase::Setup, "io::Error", &error.to_string()),
//!         };
//!         match probe.run(|| without(|| (&stream).write(b"hello\n"))) {
//!             Ok(bytes) => probe.metric("bytes", bytes as f64),
//!             Err(error) => fail(probe, Phase::Run, "io::Error", &error.to_string()),
//!         }
//!         probe.teardown(|| drop(stream));
//!     }
//! }
//!
//! impl NativeTest for Greeter {
//!     fn summary(&self) -> String {
//!         "a greeting".into()
//!     }
//! }
//!
//! /// What a worker of these tests can run; its `main` is `serve_stdin(catalogue)`.
//! fn catalogue(entry: &mut Entry<'_>) -> Result<Option<Arc<dyn NativeTest>>, KwargsError> {
//!     Ok(match entry.class() {
//!         "greetings.Greeter" => {
//!             let port = u16::try_from(entry.required("port")?).unwrap_or(u16::MAX);
//!             Some(Arc::new(Greeter { port }))
//!         }
//!         _ => None,
//!     })
//! }
//! # let kwargs = [("port".to_owned(), pysurge_core::value::Value::Int(80))];
//! # assert!(catalogue(&mut Entry::new("greetings.Greeter", &kwargs, 0)).unwrap().is_some());
//! # assert!(catalogue(&mut Entry::new("greetings.Greeter", &[], 0)).is_err());
//! ```

mod cases;
mod entry;
mod freeze;
mod host;
mod interpreter;
mod process;
mod test;

pub use cases::native;
pub use entry::{Entry, KwargsError};
pub use freeze::{LoggedIteration, read_log};
pub use host::NativeHost;
pub use interpreter::without;
pub use process::serve_stdin;
pub use test::{Catalogue, NativeTest, fail};
