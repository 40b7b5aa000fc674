//! A worker process and the manager's end of its channel, led by hand.

use pysurge_core::plan::{Model, TestPlan};
use pysurge_core::rate::Rate;
use pysurge_core::schedule::Stripe;
use pysurge_core::wire::{Deal, FrameDecoder, FromWorker, Load, Start, ToWorker, encode};
use pysurge_engine::clock;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// No answer takes longer on a machine that works at all.
const DEADLINE: Duration = Duration::from_secs(60);

/// A worker and the manager's end of its channel.
pub(crate) struct Led {
    pub(crate) child: Child,
    pub(crate) channel: UnixStream,
    decoder: FrameDecoder,
}

impl Led {
    pub(crate) fn spawn() -> Self {
        let (channel, theirs) = UnixStream::pair().unwrap();
        channel.set_read_timeout(Some(DEADLINE)).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_native-worker"))
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .process_group(0)
            .spawn()
            .unwrap();
        Self {
            child,
            channel,
            decoder: FrameDecoder::default(),
        }
    }

    pub(crate) fn tell(&mut self, message: &ToWorker) {
        self.channel.write_all(&encode(message).unwrap()).unwrap();
    }

    /// The next message; `None` at the end of the channel.
    pub(crate) fn hear(&mut self) -> Option<FromWorker> {
        loop {
            if let Some(message) = self.decoder.next_message().unwrap() {
                return Some(message);
            }
            let mut bytes = [0; 4_096];
            match self.channel.read(&mut bytes).unwrap() {
                0 => return None,
                count => self.decoder.extend(&bytes[..count]),
            }
        }
    }

    /// Leads the worker to where one test fires.
    pub(crate) fn fire(&mut self, class: &str) {
        self.fire_test(TestPlan::new(class, Model::constant(Rate::parse("100").unwrap())));
        // Iterations run once a snapshot tells of them.
        let Some(FromWorker::Snapshot(snapshot)) = self.hear() else {
            panic!("no snapshot")
        };
        assert!(snapshot.tests[0].measured.planned > 0);
    }

    /// Leads the worker to where this test is about to be started.
    pub(crate) fn prepare(&mut self, test: TestPlan) {
        self.tell(&ToWorker::Load(Load {
            tests: vec![test],
            ..Load::default()
        }));
        assert!(matches!(self.hear(), Some(FromWorker::Loaded(answers)) if answers[0].is_ok()));
        self.tell(&ToWorker::Prepare);
        assert_eq!(self.hear(), Some(FromWorker::Prepared(vec![None])));
    }

    /// Starts all of this test now.
    pub(crate) fn fire_test(&mut self, test: TestPlan) {
        self.prepare(test);
        self.tell(&ToWorker::Start(Start {
            at_ns: clock::now_ns(),
            duration_ns: None,
            deals: vec![Some(Deal::Arrivals {
                from: 0,
                stripe: Stripe::WHOLE,
            })],
            changes: vec![],
            shapes: vec![],
            iterations: false,
        }));
    }

    /// The process must end, and with it the worker's end of the channel.
    pub(crate) fn assert_killed(mut self, case: &str) {
        while self.hear().is_some() {}
        let status = self.child.wait().unwrap();
        assert_eq!(status.signal(), Some(9), "{case}: {status}");
    }
}

impl Drop for Led {
    fn drop(&mut self) {
        // Where an assertion failed; otherwise it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
