//! The worker's main loop, and what its threads share.

use super::crowd::Crowd;
use super::host::{Host, HostError, PoolThread, TaskPool};
use super::outbox::Outbox;
use super::overruns::{Report, Told};
use super::recording;
use super::rows;
use super::ticker::{self, Ticked};
use crate::clock;
use crate::iterations::IterationLog;
use crate::pool::{Pool, PoolSettings, Work};
use parking_lot::{Condvar, Mutex};
use pysurge_core::capacity::{most_tasks, most_threads, pool_size, tasks_size};
use pysurge_core::plan::{DEFAULT_MAX_DURATION_NS, LatePolicy, Model, TestPlan};
use pysurge_core::rate::Rate;
use pysurge_core::schedule::{Change, Course, Factor, Hand, Phase, Schedule, Stripe};
use pysurge_core::users::Users;
use pysurge_core::wire::{
    Deal, FrameDecoder, FromWorker, Hello, Load, LoadError, LogRecord, PROTOCOL, Rehearsed, Start,
    StartupError, Stop, TestInfo, ToWorker,
};
use std::collections::VecDeque;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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
    /// The grace period of these tests is over.
    LogStacks(Vec<usize>),
    /// These iterations are to be told, with their stacks.
    Tell(Vec<Arc<Report>>),
    /// A sign is wanted that the interpreter can be had.
    Ping,
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

/// What a live change needs to know of the tests: their pools, once there are any, and how many threads each may have.
struct Fired {
    pools: Vec<Option<Arc<Pool>>>,
    sizes: Vec<Sizing>,
    /// What all rates are multiplied by.
    factor: Factor,
    /// What came before the pools were made.
    early: Vec<News>,
    /// New deals that were heeded.
    deals: u32,
    started: bool,
}

/// What goes on otherwise.
enum News {
    Change(Change),
    Deal(Vec<Option<Deal>>),
}

/// What the number of a test's threads follows from, or of its tasks in flight.
#[derive(Debug, Clone)]
struct Sizing {
    test: TestPlan,
    runs_on_loop: bool,
    stripe: Stripe,
    run_duration_ns: Option<u64>,
    max_duration_ns: u64,
}

impl Sizing {
    fn threads(&self, factor: Factor) -> u32 {
        let size = if self.runs_on_loop { tasks_size } else { pool_size };
        size(
            &self.test,
            self.stripe,
            factor,
            self.run_duration_ns,
            self.max_duration_ns,
        )
    }

    /// The most there may be where iterations overrun, each with a slot of its own.
    fn most(&self) -> u32 {
        let most = if self.runs_on_loop {
            most_tasks
        } else {
            most_threads
        };
        most(&self.test, self.stripe)
    }
}

impl Fired {
    fn new() -> Self {
        Self {
            pools: Vec::new(),
            sizes: Vec::new(),
            factor: Factor::ONE,
            early: Vec::new(),
            deals: 0,
            started: false,
        }
    }

    fn apply(&mut self, news: News) {
        match news {
            News::Change(change) => {
                self.factor = change.factor;
                for (pool, sizing) in self.pools.iter().zip(&self.sizes) {
                    if let Some(pool) = pool {
                        pool.change(change, sizing.threads(change.factor), sizing.most());
                    }
                }
            }
            News::Deal(deals) => {
                let of_tests = self.pools.iter().zip(&mut self.sizes).zip(deals);
                for ((pool, sizing), deal) in of_tests {
                    if let (Some(pool), Some(deal)) = (pool, deal) {
                        sizing.stripe = deal.stripe();
                        pool.deal(&deal, sizing.threads(self.factor), sizing.most());
                    }
                }
                self.deals += 1;
            }
        }
    }
}

/// What the worker's threads share.
pub(super) struct Shared {
    inbox: Mutex<Inbox>,
    changed: Condvar,
    fired: Mutex<Fired>,
    pub(super) outbox: Outbox,
    /// Signs that the interpreter can be had.
    pub(super) signs: Arc<AtomicU64>,
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

    /// Heeds a change at once, on the reader's thread: it must not wait for user code.
    fn go_on(&self, news: News) {
        let mut fired = self.fired.lock();
        if fired.started {
            fired.apply(news);
        } else {
            fired.early.push(news);
        }
    }

    /// How many new deals were heeded.
    pub(super) fn deals(&self) -> u32 {
        self.fired.lock().deals
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

    /// Has the main thread write the stacks of these tests and waits for it, at most until this instant; false where it has not.
    pub(super) fn write_stacks(&self, tests: Vec<usize>, at_ns: u64) -> bool {
        self.mark(|inbox| inbox.stacks_logged = false);
        self.command(Command::LogStacks(tests));
        let mut inbox = self.inbox.lock();
        let left = Duration::from_nanos(at_ns.saturating_sub(clock::now_ns()));
        let _ = self
            .changed
            .wait_while_for(&mut inbox, |inbox| !inbox.stacks_logged, left);
        inbox.stacks_logged
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
    // One descriptor for both directions: its number is the caller's choice, out of the way of user code.
    let channel = Arc::new(channel);
    let outbox = Outbox::start(Arc::clone(&channel), lifeline)?;
    host.connect(outbox.clone());
    let shared = Arc::new(Shared {
        inbox: Mutex::default(),
        changed: Condvar::new(),
        fired: Mutex::new(Fired::new()),
        outbox,
        signs: Arc::default(),
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
        .spawn(move || read(&reader, &channel))?;
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
fn read(shared: &Shared, mut channel: &UnixStream) {
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
                Ok(Some(ToWorker::Change(change))) => shared.go_on(News::Change(change)),
                Ok(Some(ToWorker::Deal(deals))) => shared.go_on(News::Deal(deals)),
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
            let command = self.host.wait(move || shared.next_command(until_ns));
            // The interpreter is here again.
            self.shared.signs.fetch_add(1, Ordering::Relaxed);
            let Some(command) = command else {
                for test in std::mem::take(&mut self.postponed) {
                    self.spawn_or_postpone(test);
                }
                continue;
            };
            match command {
                Command::Message(ToWorker::Collect(load)) => {
                    let collected = self.host.collect(&load);
                    self.shared.outbox.send(&FromWorker::Collected(collected));
                }
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
                // The reader has seen to it. To a ping the answer is that this thread has had the interpreter.
                Command::Message(ToWorker::Change(_) | ToWorker::Deal(_)) | Command::Ping => {}
                Command::Thread(test) => self.spawn_or_postpone(test),
                Command::LogStacks(tests) => {
                    self.host.log_stacks(&tests);
                    self.shared.mark(|inbox| inbox.stacks_logged = true);
                }
                Command::Tell(reports) => self.tell(&reports),
                Command::Drained { threads_left } => return Ok(self.finish(threads_left)),
            }
        }
    }

    /// Tells of iterations that overrun, with where they stand.
    fn tell(&mut self, reports: &[Arc<Report>]) {
        let overruns: Vec<_> = reports
            .iter()
            .map(|report| (report.test, &report.overrun))
            .collect();
        let stacks = self.host.stacks(&overruns);
        for (report, stack) in reports.iter().zip(stacks) {
            let stack = stack.as_deref().unwrap_or("its stack could not be had");
            let stack = if report.overrun.runs() == Some(false) {
                "it has ended since"
            } else {
                stack
            };
            report.tell(&self.shared.outbox, self.worker(), stack);
        }
    }

    fn load(&mut self, mut load: Load) {
        let shards = self.shards();
        let (recordings, bad_recordings) = told_apart(load.tests.iter_mut().map(recording::read));
        let (data, bad_data) = told_apart(load.tests.iter().map(|test| rows::read(test, shards)));
        let mut answers = self.host.load(&load, &recordings, &data);
        for (answer, bad) in answers.iter_mut().zip(bad_recordings.into_iter().zip(bad_data)) {
            if let Some(error) = bad.0.or(bad.1) {
                *answer = Err(error);
            }
        }
        for ((test, data), answer) in load.tests.iter_mut().zip(data).zip(&mut answers) {
            if let Ok(info) = answer {
                info.rows = data.map(|rows| rows.count()).or(info.rows);
                test.end_with_rows(info.rows);
            }
        }
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
        let tests = self.tests().len();
        let log = start
            .iterations
            .then(|| IterationLog::start(self.shared.outbox.clone()))
            .transpose()?;
        let (mut pools, mut sizes) = (Vec::with_capacity(tests), Vec::with_capacity(tests));
        let factor = start.changes.last().map_or(Factor::ONE, |change| change.factor);
        for test in 0..tests {
            let mut plan = self.tests()[test].clone();
            // One worker sampled for all.
            if let (Some(shape), Some(Some(samples))) = (plan.shape_mut(), start.shapes.get(test)) {
                shape.samples = Some(samples.clone());
            }
            let deal = start.deals.get(test).and_then(Option::as_ref);
            let info = self.infos.get(test).and_then(Option::as_ref);
            let sizing = Sizing {
                stripe: deal.map_or(Stripe::WHOLE, Deal::stripe),
                run_duration_ns: start.duration_ns,
                max_duration_ns: plan
                    .max_duration_ns
                    .or(info.and_then(|info| info.max_duration_ns))
                    .unwrap_or(DEFAULT_MAX_DURATION_NS),
                runs_on_loop: self.host.runs_on_loop(test),
                test: plan,
            };
            pools.push(deal.map(|deal| {
                let settings = PoolSettings {
                    max_threads: sizing.threads(factor),
                    shards: self.shards(),
                    start_ns: start.at_ns,
                };
                let work = work_of(&sizing.test, (test, tests), start, deal);
                let pool = self
                    .pool(test, work, settings)
                    .watching(sizing.max_duration_ns, sizing.most());
                Arc::new(match &log {
                    Some(log) => pool.telling(log.clone(), u32::try_from(test).unwrap_or(u32::MAX)),
                    None => pool,
                })
            }));
            sizes.push(sizing);
        }
        self.pools.clone_from(&pools);
        let label = |test: usize| {
            let info = self.infos.get(test).and_then(Option::as_ref);
            info.map_or_else(String::new, |info| info.label.clone())
        };
        let ticked = self.tests().iter().zip(&pools).zip(&sizes).enumerate();
        let ticked = ticked.map(|(test, ((plan, pool), sizing))| Ticked {
            pool: pool.clone(),
            case: pool.is_some().then(|| self.host.case(test)),
            own_grace_ns: plan.graceful_stop_ns,
            told: Told::new(label(test), sizing.max_duration_ns),
        });
        let ticked = ticked.collect();
        {
            let mut fired = self.shared.fired.lock();
            (fired.pools, fired.sizes, fired.factor, fired.started) = (pools, sizes, factor, true);
            for news in std::mem::take(&mut fired.early) {
                fired.apply(news);
            }
        }
        let outside = self.host.outside();
        ticker::start(
            Arc::clone(&self.shared),
            ticked,
            log,
            self.worker(),
            start.at_ns,
            outside,
        )?;
        self.prestart(start);
        Ok(())
    }

    /// Makes the first threads, in turns over the tests. Only two each are made for certain: once iterations run, a new thread
    /// costs them the interpreter, and the pools ask for what they need.
    fn prestart(&mut self, start: &Start) {
        let since_start_ns = clock::now_ns().saturating_sub(start.at_ns);
        // Of a run that goes on, this worker's part begins when its first iteration is due.
        let begins_ns = match since_start_ns {
            0 => start.at_ns,
            _ => self
                .pools
                .iter()
                .flatten()
                .filter_map(|pool| pool.due_ns())
                .min()
                .unwrap_or(0),
        };
        let wanted: Vec<u32> = self
            .pools
            .iter()
            .enumerate()
            .map(|(test, pool)| match pool {
                // Its leader.
                Some(_) if self.host.runs_on_loop(test) => 1,
                pool => pool
                    .as_deref()
                    .map_or(0, |pool| first_threads(pool, since_start_ns)),
            })
            .collect();
        for turn in 0..wanted.iter().copied().max().unwrap_or(0) {
            if turn >= CERTAIN_THREADS && clock::now_ns() >= begins_ns {
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

    fn pool(&self, test: usize, work: Work, settings: PoolSettings) -> Pool {
        let shared = Arc::clone(&self.shared);
        let ask_for_thread = move || shared.command(Command::Thread(test));
        Pool::new(work, settings, Box::new(ask_for_thread))
    }

    /// Makes a thread that a pool asked for, or puts it off while the interpreter has no room for it.
    fn spawn_or_postpone(&mut self, test: usize) {
        let Some(pool) = &self.pools[test] else { return };
        // At the end every thread that was counted must have lived, or the pool would never be empty.
        let may_wait = self.shared.stop().is_none() && !self.host.runs_on_loop(test);
        if may_wait && self.crowd.is_full(pool.attach_wait_ns()) {
            self.postponed.push(test);
        } else {
            self.spawn(test);
        }
    }

    /// Makes a thread that was counted by its pool; that of the leader, where the event loop runs the test.
    fn spawn(&mut self, test: usize) {
        let Some(pool) = self.pools.get(test).and_then(Clone::clone) else {
            return;
        };
        let runs_on_loop = self.host.runs_on_loop(test);
        // In an overload thousands of requests may stand before the end of the run.
        if !runs_on_loop && self.shared.stop().is_some() && pool.has_ended() {
            pool.thread_not_needed();
            return self.shared.thread_ended();
        }
        let made = if runs_on_loop {
            let name = self.host.thread_name(test);
            self.host.start_tasks(
                test,
                TaskPool {
                    name,
                    pool: Arc::clone(&pool),
                    shared: Arc::clone(&self.shared),
                },
            )
        } else {
            self.spawn_thread(test, &pool)
        };
        if let Err(error) = made {
            let is_first = !pool.was_refused_a_thread();
            pool.thread_refused();
            if is_first {
                let message = format!(
                    "unable to start a new thread ({error}); going on without, iterations may start late"
                );
                self.shared.log_error(self.worker(), message);
            }
            self.shared.thread_ended();
        }
    }

    fn spawn_thread(&mut self, test: usize, pool: &Arc<Pool>) -> Result<(), HostError> {
        let name = format!("{}-{}", self.host.thread_name(test), pool.next_thread_number());
        self.host.spawn(PoolThread {
            name,
            pool: Arc::clone(pool),
            case: self.host.case(test),
            shared: Arc::clone(&self.shared),
        })
    }

    /// Runs each test once, on a pool thread of its own or on the event loop, one after the other.
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
            let pool = Arc::new(self.pool(test, Work::open(once.clone().stripe(Stripe::WHOLE)), settings));
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
                self.host.log_stacks(&[test]);
                return;
            }
            let test = u32::try_from(test).unwrap_or(u32::MAX);
            self.shared.outbox.send(&FromWorker::Rehearsed(Rehearsed {
                test,
                measures: Box::new(pool.take().measured.measures),
            }));
        }
    }

    fn rehearsals_running(&self) -> bool {
        self.pools.iter().flatten().any(|pool| pool.threads() > 0)
    }

    fn finish(&mut self, threads_left: bool) -> Ending {
        self.host.shutdown();
        self.shared.outbox.send(&FromWorker::Done);
        // Tasks that were interrupted have been cancelled meanwhile.
        if threads_left && self.pools.iter().flatten().any(|pool| pool.threads() > 0) {
            Ending::ThreadsLeft
        } else {
            Ending::Clean
        }
    }
}

/// What was read for each test, and why it could not be.
fn told_apart<T>(
    read: impl Iterator<Item = Result<Option<T>, LoadError>>,
) -> (Vec<Option<T>>, Vec<Option<LoadError>>) {
    read.map(|read| match read {
        Ok(read) => (read, None),
        Err(error) => (None, Some(error)),
    })
    .unzip()
}

/// How many threads a test has before the start: enough for the arrivals of [`PRESTART_NS`].
fn first_threads(pool: &Pool, since_start_ns: u64) -> u32 {
    u32::try_from(pool.due_within(since_start_ns, PRESTART_NS))
        .unwrap_or(u32::MAX)
        .clamp(CERTAIN_THREADS, MAX_PRESTART)
        .min(pool.max_threads())
}

/// What this worker's part of a test is, the test standing at `place` among so many.
fn work_of(test: &TestPlan, place: (usize, usize), start: &Start, deal: &Deal) -> Work {
    let as_u32 = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let schedule = test.schedule(as_u32(place.0), as_u32(place.1), start.duration_ns);
    let work = match (&test.model, schedule, deal) {
        (Model::Open(open), Some(mut schedule), Deal::Arrivals { from, stripe }) => {
            for change in &start.changes {
                schedule.change(*change);
            }
            let mut hand = Hand::empty();
            hand.deal(*from, Some(*stripe));
            let max_lateness_ns = match open.late {
                LatePolicy::Queue => None,
                LatePolicy::Drop { max_lateness_ns } => Some(max_lateness_ns),
            };
            Work::open(schedule.stripe(hand)).dropping_after(max_lateness_ns)
        }
        (Model::Closed(closed), _, Deal::Users { at_ns, lot }) => {
            let mut course = Course::default();
            for change in &start.changes {
                course.apply(*change);
            }
            let (from_ns, end_ns) = (test.start_delay_ns, test.end_ns(start.duration_ns));
            let now_ns = course.plan_ns(*at_ns);
            let mut users = Users::new(closed.clone(), lot.clone(), from_ns, end_ns, now_ns);
            if course.now().factor != Factor::ONE {
                users.scale(course.now().factor, now_ns);
            }
            Work::closed_since(users, course)
        }
        _ => unreachable!("the manager deals arrivals of a schedule, and users of the closed model"),
    };
    work.warming_up_until(test.warmup_ends_ns())
}
