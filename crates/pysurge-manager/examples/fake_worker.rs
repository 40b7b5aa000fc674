//! A worker without Python for the tests of the manager: speaks the wire, pretends that every planned iteration passed,
//! and misbehaves on demand.
//!
//! `fake_worker [MODE [WORKER]]`: the mode holds for that worker only, or for all. Modes that show before a worker knows
//! its number hold for all. A mode that ends in `-once` holds for the first of those that have the same number one after the other: the folder
//! of the environment's `FAKE_WORKER_LIVES` remembers them. In the mode `known` the durations are those of `known.rs`, by an iteration's number.

#[path = "../tests/common/known.rs"]
mod known;

use pysurge_core::measure::Measures;
use pysurge_core::plan::{Model, Samples, Source, TestPlan};
use pysurge_core::rate::Rate;
use pysurge_core::schedule::{Change, Course, Hand, StripedSchedule};
use pysurge_core::users::{Due, Users};
use pysurge_core::wire::{
    Deal, FrameDecoder, FromWorker, Frozen, Hello, IterationRecord, Load, LoadError, LoadFault, PROTOCOL,
    PartSnapshot, Rehearsed, Snapshot, Start, StartupError, Stop, TestInfo, TestSnapshot, ToWorker, encode,
};
use pysurge_core::{NANOS_PER_SEC, VERSION};
use rustix::process::{Signal, getpid, kill_process};
use rustix::time::{ClockId, clock_gettime};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

const SNAPSHOT_INTERVAL: Duration = Duration::from_millis(20);

/// The snapshot after which those misbehave who do so while they fire.
const MISBEHAVES_AT: u64 = 3;

/// How many workers of this number have been there, where somebody wants to know; this one is counted from now on.
fn lives_before(number: u32) -> usize {
    #[expect(clippy::disallowed_methods, reason = "an example is a process edge")]
    let Ok(folder) = std::env::var("FAKE_WORKER_LIVES") else {
        return 0;
    };
    let folder = std::path::Path::new(&folder);
    let prefix = format!("{number}-");
    let entries = std::fs::read_dir(folder).expect("the test made it").flatten();
    let before = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix));
    let before = before.count();
    std::fs::write(folder.join(format!("{prefix}{}", std::process::id())), "").expect("a folder to write to");
    before
}

fn main() -> ExitCode {
    #[expect(clippy::disallowed_methods, reason = "an example is a process edge")]
    let mut arguments = std::env::args().skip(1);
    let mode = arguments.next().unwrap_or_else(|| "good".into());
    let only = arguments.next().map(|number| number.parse().expect("a number"));
    match mode.as_str() {
        "exit-early" => {
            let _ = writeln!(std::io::stderr(), "no module named nowhere");
            return ExitCode::from(3);
        }
        // A grandchild: holds what it inherited for a while.
        "linger" => {
            std::thread::sleep(Duration::from_secs(3));
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let stdin = std::io::stdin();
    let socket = stdin.as_fd().try_clone_to_owned().expect("a descriptor to spare");
    let worker = Fake {
        inbox: inbox(UnixStream::from(
            socket.try_clone().expect("a descriptor to spare"),
        )),
        socket: UnixStream::from(socket),
        mode,
        only,
        number: 0,
        load: None,
        sequence: 0,
        deals: 0,
        better: false,
    };
    worker.live();
    ExitCode::SUCCESS
}

/// Messages of the manager, read on a thread; disconnected at the end of the channel.
fn inbox(mut socket: UnixStream) -> Receiver<ToWorker> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let (mut decoder, mut piece) = (FrameDecoder::default(), vec![0; 65_536]);
        while let Ok(count) = socket.read(&mut piece) {
            if count == 0 {
                return;
            }
            decoder.extend(&piece[..count]);
            while let Ok(Some(message)) = decoder.next_message() {
                if sender.send(message).is_err() {
                    return;
                }
            }
        }
    });
    receiver
}

struct Fake {
    inbox: Receiver<ToWorker>,
    socket: UnixStream,
    mode: String,
    only: Option<u32>,
    number: u32,
    load: Option<Load>,
    sequence: u64,
    deals: u32,
    /// It comes in the place of one that misbehaved, and does not.
    better: bool,
}

impl Fake {
    fn is(&self, mode: &str) -> bool {
        let said = self.mode.strip_suffix("-once").unwrap_or(&self.mode);
        said == mode && !self.better && self.only.is_none_or(|only| only == self.number)
    }

    fn say(&mut self, message: &FromWorker) {
        // The manager may be gone; then the inbox ends too.
        let _ = self.socket.write_all(&encode(message).expect("a small message"));
    }

    /// Waits for the manager to end, which ends us.
    fn hang(&self) -> ! {
        while self.inbox.recv().is_ok() {}
        std::process::abort();
    }

    fn live(mut self) {
        if self.mode == "mute" {
            self.hang();
        }
        let version = if self.mode == "stranger" { "0.0.0" } else { VERSION };
        self.say(&FromWorker::Hello(Hello {
            protocol: PROTOCOL,
            version: version.into(),
            pid: std::process::id(),
            python: "3.11.0".into(),
            free_threaded: false,
        }));
        while let Ok(message) = self.inbox.recv() {
            match message {
                ToWorker::Collect(load) => self.say(&FromWorker::Collected(
                    load.tests.iter().map(|_| Ok(Vec::new())).collect(),
                )),
                ToWorker::Load(load) => self.load(load),
                ToWorker::Prepare => self.prepare(),
                ToWorker::Rehearse => self.rehearse(),
                ToWorker::Start(start) => return self.fire(&start),
                ToWorker::Change(_) | ToWorker::Deal(_) => {}
                ToWorker::Stop(_) => return self.end(Snapshot::default()),
            }
        }
    }

    fn load(&mut self, load: Load) {
        self.number = load.worker;
        let lives = lives_before(self.number);
        self.better = self.mode.ends_with("-once") && lives > 0;
        if self.is("replacement-fails") && lives > 0 {
            #[expect(clippy::disallowed_methods, reason = "an example is a process edge")]
            std::process::exit(7);
        }
        let failed = self.is("load-error");
        let tests = load.tests.iter().map(|test| {
            if failed {
                Err(LoadError {
                    fault: LoadFault::NotFound,
                    message: format!("no class {}", test.target.path()),
                    hint: None,
                    traceback: String::new(),
                })
            } else {
                Ok(TestInfo {
                    label: format!("<{}>", test.target.path()),
                    summary: "pretends".into(),
                    max_duration_ns: Some(NANOS_PER_SEC / 10),
                    shape: shape_of(test, load.duration_ns),
                    ..TestInfo::default()
                })
            }
        });
        let loaded = FromWorker::Loaded(tests.collect());
        self.load = Some(load);
        self.say(&loaded);
    }

    fn tests(&self) -> usize {
        self.load.as_ref().map_or(0, |load| load.tests.len())
    }

    fn prepare(&mut self) {
        if self.is("die-in-startup") {
            let _ = writeln!(std::io::stderr(), "double free or corruption");
            std::process::abort();
        }
        let failed = self.is("startup-fails");
        let error = StartupError {
            class: "a.Test".into(),
            message: "OSError: no database".into(),
            traceback: String::new(),
        };
        let errors = (0..self.tests()).map(|_| failed.then(|| error.clone())).collect();
        self.say(&FromWorker::Prepared(errors));
    }

    fn rehearse(&mut self) {
        for test in 0..self.tests() {
            let failed = u64::from(self.is("rehearsal-fails"));
            let mut measures = Measures {
                passed: 1 - failed,
                failed,
                ..Measures::default()
            };
            measures.service_time.record(20 * NANOS_PER_SEC);
            self.say(&FromWorker::Rehearsed(Rehearsed {
                test: u32::try_from(test).expect("few tests"),
                measures: Box::new(measures),
            }));
        }
    }

    fn fire(mut self, start: &Start) {
        self.misbehave_at_start();
        let load = self.load.take().expect("Load comes before Start");
        let mut feeds = feeds(&load, start, self.is("known"));
        let mut course = Course::default();
        let mut stop: Option<Stop> = None;
        loop {
            let now_ns = monotonic_ns();
            let until_ns = stop.map_or(now_ns, |stop| stop.plan_ends_ns.min(now_ns));
            let until_ns = course.plan_ns(until_ns.saturating_sub(start.at_ns));
            let snapshot = self.snapshot(&mut feeds, until_ns);
            let told = feeds.iter_mut().flatten().flat_map(|feed| feed.single.drain(..));
            let told: Vec<IterationRecord> = told.collect();
            if start.iterations && !told.is_empty() {
                self.say(&FromWorker::Iterations(told));
            }
            if let Some(stop) = stop
                && now_ns >= stop.plan_ends_ns
                && !self.is("ignore-stop")
            {
                return self.end(snapshot);
            }
            self.say(&FromWorker::Snapshot(Box::new(snapshot)));
            if self.sequence >= MISBEHAVES_AT {
                self.misbehave_later();
            }
            match self.inbox.recv_timeout(SNAPSHOT_INTERVAL) {
                Ok(ToWorker::Stop(told)) => stop = Some(told),
                Ok(ToWorker::Deal(deals)) => {
                    for (feed, deal) in feeds.iter_mut().zip(deals) {
                        if let (Some(feed), Some(deal)) = (feed, deal) {
                            feed.deal(&deal, &course);
                        }
                    }
                    self.deals += 1;
                }
                Ok(ToWorker::Change(change)) => {
                    course.apply(change);
                    for feed in feeds.iter_mut().flatten() {
                        feed.change(change, &course);
                    }
                }
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn misbehave_at_start(&mut self) {
        if self.is("garbage") {
            let _ = self.socket.write_all(&[0xff; 64]);
        }
        if self.is("half-frame") {
            let frame = encode(&FromWorker::Done).expect("a small message");
            let _ = self.socket.write_all(&frame[..frame.len() - 1]);
            let _ = self.socket.shutdown(Shutdown::Both);
            loop {
                std::thread::park();
            }
        }
        if self.is("gap") {
            self.sequence = 5;
        }
        if self.is("freeze") {
            let _ = kill_process(getpid(), Signal::STOP);
        }
        if self.is("flood") {
            let mut stdout = std::io::stdout().lock();
            for line in 0..100_000 {
                let _ = writeln!(stdout, "line {line} of a flood that no reader asked for");
            }
        }
        if self.is("descriptors") {
            let sockets = std::fs::read_dir("/proc/self/fd").expect("Linux").flatten();
            let sockets = sockets.filter_map(|entry| std::fs::read_link(entry.path()).ok());
            let mut names: Vec<String> = sockets
                .map(|target| target.to_string_lossy().into_owned())
                .filter(|target| target.starts_with("socket:"))
                .collect();
            names.sort();
            names.dedup();
            let _ = writeln!(std::io::stdout(), "sockets: {}", names.len());
        }
        if self.is("grandchild") || self.is("orphan") {
            #[expect(clippy::disallowed_methods, reason = "an example is a process edge")]
            let program = std::env::args().next().expect("a program has a name");
            let mut command = Command::new(program);
            // Nobody waits for it: that is the point.
            let _ = command.arg("linger").stdin(Stdio::null()).spawn();
            if self.is("orphan") {
                std::process::abort();
            }
        }
    }

    /// In the middle of the run.
    fn misbehave_later(&mut self) {
        if self.is("abort") || self.is("replacement-fails") {
            std::process::abort();
        }
        if self.is("stall") && self.sequence == MISBEHAVES_AT {
            let _ = kill_process(getpid(), Signal::STOP);
        }
        if self.is("garbage-later") {
            let _ = self.socket.write_all(&[0xff; 64]);
        }
        if self.is("frozen") && self.sequence == MISBEHAVES_AT {
            self.say(&FromWorker::Frozen(Frozen {
                held_ns: 10 * NANOS_PER_SEC,
                stacks: "  File \"a.py\", line 3 in run".to_owned(),
            }));
        }
    }

    fn snapshot(&mut self, feeds: &mut [Option<Feed>], until_ns: u64) -> Snapshot {
        let tests = feeds.iter_mut().map(|feed| match feed {
            Some(feed) => feed.snapshot(until_ns),
            None => TestSnapshot::default(),
        });
        let snapshot = Snapshot {
            sequence: self.sequence,
            at_ns: monotonic_ns(),
            tests: tests.collect(),
            cpu_ns: 1_000_000,
            rss_bytes: 10_000_000,
            deals: self.deals,
            ..Snapshot::default()
        };
        self.sequence += 1;
        snapshot
    }

    fn end(mut self, snapshot: Snapshot) {
        self.say(&FromWorker::Drained(Box::new(snapshot)));
        if self.is("hang-in-shutdown") {
            self.hang();
        }
        self.say(&FromWorker::Done);
        if self.is("hang-at-exit") {
            self.hang();
        }
    }
}

/// A shape of 100/s for as long as the run is, or a second.
fn shape_of(test: &TestPlan, duration_ns: Option<u64>) -> Option<Samples> {
    match &test.model {
        Model::Open(open) if matches!(open.source, Source::Shape(_)) => Some(Samples {
            step_ns: duration_ns.unwrap_or(NANOS_PER_SEC),
            rates: vec![Rate::parse("100").expect("a rate"); 2],
        }),
        _ => None,
    }
}

/// Where the iterations of one test come from, and how many were told.
struct Feed {
    origin: Origin,
    /// The test's place in the plan.
    test: u32,
    /// Durations are those of `known.rs`.
    known: bool,
    /// Iterations, where their durations are known.
    single: Vec<IterationRecord>,
    warmup_ends_ns: u64,
    /// Measured and warm-up.
    planned: [u64; 2],
    told: [u64; 2],
}

enum Origin {
    Open(StripedSchedule),
    Closed(Users),
}

fn feeds(load: &Load, start: &Start, known: bool) -> Vec<Option<Feed>> {
    let count = u32::try_from(load.tests.len()).expect("few tests");
    let feed = |position: u32, deal: &Deal| {
        let place = position as usize;
        let mut test = load.tests[place].clone();
        if let Model::Open(open) = &mut test.model
            && let Source::Shape(shape) = &mut open.source
        {
            shape.samples.clone_from(&start.shapes[place]);
        }
        let mut course = Course::default();
        for change in &start.changes {
            course.apply(*change);
        }
        let origin = match (&test.model, deal) {
            (Model::Closed(model), Deal::Users { at_ns, lot }) => {
                let (from_ns, end_ns) = (test.start_delay_ns, test.end_ns(start.duration_ns));
                let now_ns = course.plan_ns(*at_ns);
                let mut users = Users::new(model.clone(), lot.clone(), from_ns, end_ns, now_ns);
                users.scale(course.now().factor, now_ns);
                Origin::Closed(users)
            }
            (Model::Open(_), Deal::Arrivals { from, stripe }) => {
                let mut schedule = test
                    .schedule(position, count, start.duration_ns)
                    .expect("an open model");
                for change in &start.changes {
                    schedule.change(*change);
                }
                let mut hand = Hand::empty();
                hand.deal(*from, Some(*stripe));
                Origin::Open(schedule.stripe(hand))
            }
            _ => panic!("a deal for another model"),
        };
        Feed {
            origin,
            test: position,
            known,
            single: Vec::new(),
            warmup_ends_ns: test.warmup_ends_ns(),
            planned: [0; 2],
            told: [0; 2],
        }
    };
    let deals = (0u32..).zip(&start.deals);
    deals
        .map(|(position, deal)| deal.as_ref().map(|deal| feed(position, deal)))
        .collect()
}

impl Feed {
    fn deal(&mut self, deal: &Deal, course: &Course) {
        match (&mut self.origin, deal) {
            (Origin::Open(schedule), Deal::Arrivals { from, stripe }) => schedule.deal(*from, *stripe),
            (Origin::Closed(users), Deal::Users { at_ns, lot }) => {
                users.deal(lot.clone(), course.plan_ns(*at_ns));
            }
            _ => panic!("a deal for another model"),
        }
    }

    fn change(&mut self, change: Change, course: &Course) {
        match &mut self.origin {
            Origin::Open(schedule) => schedule.change(change),
            Origin::Closed(users) => users.scale(change.factor, course.plan_ns(change.at_ns)),
        }
    }

    /// Everything due before an instant of plan time has passed; an iteration of a user takes a millisecond.
    fn snapshot(&mut self, until_ns: u64) -> TestSnapshot {
        let ended = match &mut self.origin {
            Origin::Open(schedule) => {
                let warmup = schedule.count_before_plan(until_ns.min(self.warmup_ends_ns));
                let all = schedule.count_before_plan(until_ns);
                self.planned = [self.planned[0].max(all - warmup), self.planned[1].max(warmup)];
                let ends_ns = schedule.schedule().ends_plan_ns();
                ends_ns.is_some_and(|ends_ns| until_ns >= ends_ns)
            }
            Origin::Closed(users) => {
                while let Some(turn) = until_ns.checked_sub(1).and_then(|now_ns| users.claim(now_ns)) {
                    self.planned[usize::from(turn.planned_ns < self.warmup_ends_ns)] += 1;
                    users.ended(turn, turn.planned_ns + 1_000_000);
                }
                users.due() == Due::Never
            }
        };
        TestSnapshot {
            measured: self.part(0),
            warmup: self.part(1),
            ended,
            ..TestSnapshot::default()
        }
    }
}

impl Feed {
    fn part(&mut self, which: usize) -> PartSnapshot {
        let (told, planned) = (self.told[which], self.planned[which]);
        self.told[which] = planned;
        let passed = planned - told;
        let mut measures = Measures {
            passed,
            ..Measures::default()
        };
        if self.known {
            for nth in told..planned {
                self.measure(nth, &mut measures);
            }
        } else {
            measures.service_time.record_n(1_000_000, passed);
            measures.lateness.record_n(50_000, passed);
        }
        PartSnapshot {
            planned,
            measures,
            ..PartSnapshot::default()
        }
    }

    /// An iteration of a test without warm-up, the so-manieth of this worker.
    fn measure(&mut self, nth: u64, measures: &mut Measures) {
        let Origin::Open(schedule) = &self.origin else {
            panic!("single iterations are told of schedules")
        };
        let number = schedule.hand().number_of(nth).expect("it was planned");
        let (service_ns, lateness_ns) = (known::service_ns(number), known::lateness_ns(number));
        measures.service_time.record(service_ns);
        measures.lateness.record(lateness_ns);
        measures.response_time.record(service_ns + lateness_ns);
        self.single.push(IterationRecord {
            test: self.test,
            number: Some(number),
            service_ns: Some(service_ns),
            ..IterationRecord::default()
        });
    }
}

fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let part = |value| u64::try_from(value).expect("time since boot");
    part(now.tv_sec) * NANOS_PER_SEC + part(now.tv_nsec)
}
