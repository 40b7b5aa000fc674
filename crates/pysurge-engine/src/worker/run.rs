//! The worker's main loop, and what its threads share.

use super::crowd::Crowd;
use super::host::{Host, PoolThread, pool_size};
use super::outbox::Outbox;
use super::ticker;
use crate::clock;
use crate::pool::{Pool, PoolSettings};
use parking_lot::{Condvar, Mutex};
use pysurge_core::plan::TestPlan;
use pysurge_core::rate::Rate;
use pysurge_core::schedule::{Phase, Schedule, Stripe};
use pysurge_core::wire::{
    FrameDecoder, FromWorker, Hello, Load, LogRecord, PROTOCOL, Rehearsed, Start, StartupError, Stop,
    TestInfo, ToWorker,
};
use std::collections::VecDeque;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

/// How the worker ended, which tells how its process may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Every pool thread has ended: the interpreter can be finalized.
    Clean,
    /// Threads are still in user code: the process must end without finalizing.
    ThreadsLeft,
}

/// Ends the process at once, needing neither interpreter nor destructors.
pub type Lifeline = fn();

/// How long the last messages may take to leave when the worker ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// Threads made before the start serve this long a piece of the schedule without any being added.
const PRESTART_NS: u64 = 100_000_000;

/// At most so many threads per test are made before the start.
const MAX_PRESTART: u32 = 16;

/// So many threads per test are made even if the start has come.
const CERTAIN_THREADS: u32 = 2;

/// How long a thread is put off at a time.
const POSTPONED_NS: u64 = 20_000_000;

/// What the main thread is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    Message(ToWorker),
    /// A test's pool wants one more thread.
    Thread(usize),
    /// The grace period is over.
    LogStacks,
    /// All iterations have ended or were interrupted.
    Drained {
        threads_left: bool,
    },
}

#[derive(Default)]
struct Inbox {
    commands: VecDeque<Command>,
    stop: Option<Stop>,
    stacks_logged: bool,
    finished: bool,
}

/// What the worker's threads share.
pub(super) struct Shared {
    inbox: Mutex<Inbox>,
    changed: Condvar,
    pub(super) outbox: Outbox,
    lifeline: Lifeline,
}

impl Shared {
    pub(super) fn die(&self) {
        self.outbox.flush(FLUSH_TIMEOUT);
        (self.lifeline)();
    }

    pub(super) fn thread_ended(&self) {
        let _inbox = self.inbox.lock();
        self.changed.notify_all();
    }

    pub(super) fn command(&self, command: Command) {
        self.inbox.lock().commands.push_back(command);
        self.changed.notify_all();
    }

    fn stopped_by(&self, stop: Stop) {
        let mut inbox = self.inbox.lock();
        inbox.stop = Some(stop);
        inbox.commands.push_back(Command::Message(ToWorker::Stop(stop)));
        self.changed.notify_all();
    }

    /// The next command; `None` where none has come by this instant.
    fn next_command(&self, until_ns: Option<u64>) -> Option<Command> {
        let mut inbox = self.inbox.lock();
        loop {
            if let Some(command) = inbox.commands.pop_front() {
                return Some(command);
            }
            let Some(until_ns) = until_ns else {
                self.changed.wait(&mut inbox);
                continue;
            };
            let left_ns = until_ns.saturating_sub(clock::now_ns());
            if left_ns == 0 {
                return None;
            }
            let _ = self.changed.wait_for(&mut inbox, Duration::from_nanos(left_ns));
        }
    }

    /// The stop that was ordered, if any.
    pub(super) fn stop(&self) -> Option<Stop> {
        self.inbox.lock().stop
    }

    /// Waits until something changes or an instant comes, unless `done` is true already.
    pub(super) fn wait_until(&self, at_ns: u64, done: impl Fn(Option<Stop>) -> bool) {
        let mut inbox = self.inbox.lock();
        if !done(inbox.stop) {
            let left_ns = at_ns.saturating_sub(clock::now_ns());
            let _ = self.changed.wait_for(&mut inbox, Duration::from_nanos(left_ns));
        }
    }

    /// Waits until the main thread has written the stacks, at most until this instant.
    pub(super) fn wait_for_stacks(&self, at_ns: u64) {
        let mut inbox = self.inbox.lock();
        let left = Duration::from_nanos(at_ns.saturating_sub(clock::now_ns()));
        let _ = self
            .changed
            .wait_while_for(&mut inbox, |inbox| !inbox.stacks_logged, left);
    }

    /// Waits until the main thread has finished; false where it has not by this instant.
    pub(super) fn wait_for_finish(&self, at_ns: u64) -> bool {
        let mut inbox = self.inbox.lock();
        let left = Duration::from_nanos(at_ns.saturating_sub(clock::now_ns()));
        !self
            .changed
            .wait_while_for(&mut inbox, |inbox| !inbox.finished, left)
            .timed_out()
    }

    fn mark(&self, what: impl FnOnce(&mut Inbox)) {
        what(&mut self.inbox.lock());
        self.changed.notify_all();
    }

    pub(super) fn log_error(&self, worker: u32, message: String) {
        self.outbox.log(LogRecord {
            wall_ns: clock::wall_ns(),
            process: process_name(worker),
            thread: "MainThread".to_owned(),
            level: "ERROR".to_owned(),
            level_number: 40,
            message,
        });
    }
}

/// The `processName` of a worker's log lines: workers are numbered from 1 for people.
pub(super) fn process_name(worker: u32) -> String {
    format!("Worker-{}", worker + 1)
}

/// Serves a manager on the calling thread until told to stop. Returns once everything was sent.
pub fn serve(host: &mut impl Host, channel: UnixStream, lifeline: Lifeline) -> std::io::Result<Ending> {
    let outbox = Outbox::start(channel.try_clone()?)?;
    host.connect(outbox.clone());
    let shared = Arc::new(Shared {
        inbox: Mutex::default(),
        changed: Condvar::new(),
        outbox,
        lifeline,
    });
    let (python, free_threaded) = host.interpreter();
    shared.outbox.send(&FromWorker::Hello(Hello {
        protocol: PROTOCOL,
        version: pysurge_core::VERSION.to_owned(),
        pid: std::process::id(),
        python,
        free_threaded,
    }));
    let reader = Arc::clone(&shared);
    std::thread::Builder::new()
        .name("pysurge-reader".into())
        .spawn(move || read(&reader, channel))?;
    let ending = Worker {
        host,
        shared: Arc::clone(&shared),
        load: None,
        infos: Vec::new(),
        started_up: Vec::new(),
        pools: Vec::new(),
        free_threaded,
        crowd: Crowd::new(free_threaded),
        postponed: Vec::new(),
    }
    .run()?;
    shared.outbox.flush(FLUSH_TIMEOUT);
    shared.mark(|inbox| inbox.finished = true);
    Ok(ending)
}

/// The reader's life: the end of the channel, or garbage on it, is the end of the worker.
fn read(shared: &Shared, mut channel: UnixStream) {
    let (mut decoder, mut buffer) = (FrameDecoder::default(), vec![0; 64 * 1024]);
    loop {
        match channel.read(&mut buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Ok(0) | Err(_) => return (shared.lifeline)(),
            Ok(read) => decoder.extend(&buffer[..read]),
        }
        loop {
            match decoder.next_message() {
                Ok(Some(ToWorker::Stop(stop))) => shared.stopped_by(stop),
                Ok(Some(message)) => shared.command(Command::Message(message)),
                Ok(None) => break,
                Err(_) => return (shared.lifeline)(),
            }
        }
    }
}

struct Worker<'a, H> {
    host: &'a mut H,
    shared: Arc<Shared>,
    load: Option<Load>,
    infos: Vec<Option<TestInfo>>,
    /// Per test: its class's `startup` went well.
    started_up: Vec<bool>,
    pools: Vec<Option<Arc<Pool>>>,
    free_threaded: bool,
    crowd: Crowd,
    /// Tests that wait for a thread until the interpreter has room for it.
    postponed: Vec<usize>,
}

impl<H: Host> Worker<'_, H> {
    fn run(mut self) -> std::io::Result<Ending> {
        let mut started = false;
        loop {
            let shared = Arc::clone(&self.shared);
            let until_ns = (!self.postponed.is_empty()).then(|| clock::now_ns() + POSTPONED_NS);
            let Some(command) = self.host.wait(move || shared.next_command(until_ns)) else {
                for test in std::mem::take(&mut self.postponed) {
                    self.spawn_or_postpone(test);
                }
                continue;
            };
            match command {
                Command::Message(ToWorker::Load(load)) => self.load(load),
                Command::Message(ToWorker::Prepare) => self.prepare(),
                Command::Message(ToWorker::Rehearse) => self.rehearse(),
                Command::Message(ToWorker::Start(start)) => {
                    started = true;
                    self.start(&start)?;
                }
                // Once iterations are fired, the ticker sees to the stop and says when they have ended.
                Command::Message(ToWorker::Stop(_)) if started => {}
                Command::Message(ToWorker::Stop(stop)) => {
                    let threads_left = self.rehearsals_running();
                    self.shared.outbox.send(&FromWorker::Drained(Box::default()));
                    ticker::guard_shutdown(&self.shared, stop.shutdown_timeout_ns)?;
                    return Ok(self.finish(threads_left));
                }
                Command::Thread(test) => self.spawn_or_postpone(test),
                Command::LogStacks => {
                    self.host.log_stacks();
                    self.shared.mark(|inbox| inbox.stacks_logged = true);
                }
                Command::Drained { threads_left } => return Ok(self.finish(threads_left)),
            }
        }
    }

    fn load(&mut self, load: Load) {
        let answers = self.host.load(&load);
        self.infos = answers
            .iter()
            .map(|answer| answer.as_ref().ok().cloned())
            .collect();
        self.load = Some(load);
        self.shared.outbox.send(&FromWorker::Loaded(answers));
    }

    fn prepare(&mut self) {
        let answers: Vec<Option<StartupError>> = self.host.startup();
        self.started_up = answers.iter().map(Option::is_none).collect();
        self.shared.outbox.send(&FromWorker::Prepared(answers));
    }

    fn tests(&self) -> &[TestPlan] {
        self.load.as_ref().map_or(&[], |load| &load.tests)
    }

    fn worker(&self) -> u32 {
        self.load.as_ref().map_or(0, |load| load.worker)
    }

    fn shards(&self) -> usize {
        if self.free_threaded {
            std::thread::available_parallelism().map_or(1, usize::from)
        } else {
            1
        }
    }

    fn start(&mut self, start: &Start) -> std::io::Result<()> {
        let tests = u32::try_from(self.tests().len()).unwrap_or(u32::MAX);
        let pools = self.tests().iter().zip(0u32..).map(|(plan, position)| {
            let stripe = *start.stripes.get(usize::try_from(position).ok()?)?.as_ref()?;
            let max_duration_ns = self
                .infos
                .get(usize::try_from(position).ok()?)?
                .as_ref()?
                .max_duration_ns;
            let settings = PoolSettings {
                max_threads: pool_size(plan.rate, stripe.workers, max_duration_ns),
                shards: self.shards(),
                start_ns: start.at_ns,
            };
            let schedule = plan.schedule(position, tests, start.duration_ns).stripe(stripe);
            Some(self.pool(usize::try_from(position).ok()?, schedule, settings))
        });
        self.pools = pools.collect();
        ticker::start(
            Arc::clone(&self.shared),
            self.pools.clone(),
            self.worker(),
            start.at_ns,
        )?;
        self.prestart(start);
        Ok(())
    }

    /// Makes the first threads, in turns over the tests. Only two each are made for certain: once iterations run, a new thread
    /// costs them the interpreter, and the pools ask for what they need.
    fn prestart(&mut self, start: &Start) {
        let wanted: Vec<u32> = self
            .pools
            .iter()
            .zip(self.tests())
            .zip(&start.stripes)
            .map(first_threads)
            .collect();
        for turn in 0..wanted.iter().copied().max().unwrap_or(0) {
            if turn >= CERTAIN_THREADS && clock::now_ns() >= start.at_ns {
                return;
            }
            for test in (0..wanted.len()).filter(|test| turn < wanted[*test]) {
                if let Some(pool) = &self.pools[test] {
                    pool.thread_requested();
                    self.spawn(test);
                }
            }
        }
    }

    fn pool(
        &self,
        test: usize,
        schedule: pysurge_core::schedule::StripedSchedule,
        settings: PoolSettings,
    ) -> Arc<Pool> {
        let shared = Arc::clone(&self.shared);
        Arc::new(Pool::new(
            schedule,
            settings,
            Box::new(move || shared.command(Command::Thread(test))),
        ))
    }

    /// Makes a thread that a pool asked for, or puts it off while the interpreter has no room for it.
    fn spawn_or_postpone(&mut self, test: usize) {
        let Some(pool) = &self.pools[test] else { return };
        // At the end every thread that was counted must have lived, or the pool would never be empty.
        if self.shared.stop().is_none() && self.crowd.is_full(pool.attach_wait_ns()) {
            self.postponed.push(test);
        } else {
            self.spawn(test);
        }
    }

    /// Makes a thread that was counted by its pool.
    fn spawn(&mut self, test: usize) {
        let Some(pool) = self.pools.get(test).and_then(Clone::clone) else {
            return;
        };
        let name = format!("{}-{}", self.host.thread_name(test), pool.next_thread_number());
        let thread = PoolThread {
            name,
            pool: Arc::clone(&pool),
            case: self.host.case(test),
            shared: Arc::clone(&self.shared),
        };
        if let Err(error) = self.host.spawn(thread) {
            pool.thread_refused();
            let threads = pool.threads();
            let message = format!(
                "unable to start a new thread ({error}); going on with {threads}, iterations may start late"
            );
            self.shared.log_error(self.worker(), message);
            self.shared.thread_ended();
        }
    }

    /// Runs each test once, on a pool thread of its own, one after the other.
    fn rehearse(&mut self) {
        let once = Schedule::constant(Rate::from_nano_per_s(1).expect("positive"), Phase::ZERO, Some(1));
        self.pools = vec![None; self.tests().len()];
        for test in 0..self.tests().len() {
            if self.started_up.get(test) != Some(&true) {
                continue;
            }
            let settings = PoolSettings {
                max_threads: 1,
                shards: 1,
                start_ns: clock::now_ns(),
            };
            let pool = self.pool(test, once.stripe(Stripe::WHOLE), settings);
            self.pools[test] = Some(Arc::clone(&pool));
            pool.thread_requested();
            self.spawn(test);
            let shared = Arc::clone(&self.shared);
            let waiting = Arc::clone(&pool);
            self.host.wait(move || {
                while waiting.threads() > 0
                    && shared
                        .stop()
                        .is_none_or(|stop| clock::now_ns() < stop.grace_ends_ns)
                {
                    let at_ns = shared.stop().map_or(u64::MAX, |stop| stop.grace_ends_ns);
                    shared.wait_until(at_ns.min(clock::now_ns() + pysurge_core::NANOS_PER_SEC), |_| {
                        waiting.threads() == 0
                    });
                }
            });
            if pool.threads() > 0 {
                self.host.log_stacks();
                return;
            }
            let test = u32::try_from(test).unwrap_or(u32::MAX);
            self.shared.outbox.send(&FromWorker::Rehearsed(Rehearsed {
                test,
                measures: Box::new(pool.take().measures),
            }));
        }
    }

    fn rehearsals_running(&self) -> bool {
        self.pools.iter().flatten().any(|pool| pool.threads() > 0)
    }

    fn finish(&mut self, threads_left: bool) -> Ending {
        self.host.shutdown();
        self.shared.outbox.send(&FromWorker::Done);
        if threads_left {
            Ending::ThreadsLeft
        } else {
            Ending::Clean
        }
    }
}

/// How many threads a test has before the start: enough for the arrivals of [`PRESTART_NS`].
fn first_threads(((pool, plan), stripe): ((&Option<Arc<Pool>>, &TestPlan), &Option<Stripe>)) -> u32 {
    let (Some(pool), Some(stripe)) = (pool, stripe) else {
        return 0;
    };
    let arrivals = u128::from(plan.rate.nano_per_s()) * u128::from(PRESTART_NS)
        / u128::from(stripe.workers.max(1))
        / 1_000_000_000_000_000_000;
    u32::try_from(arrivals)
        .unwrap_or(u32::MAX)
        .clamp(CERTAIN_THREADS, MAX_PRESTART)
        .min(pool.max_threads())
}
