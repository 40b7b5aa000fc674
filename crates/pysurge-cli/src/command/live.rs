//! What steers a run while it goes on: the keys, the control socket and Ctrl+Z, joined to the manager's [`Controls`] and to the
//! sinks. It decides nothing: who presses a key asks the run what a client of the socket asks it.
//!
//! The terminal is ours from the first event of a run, when Ctrl+C is the run's and can no more leave it in a strange mode, to the last.

use crate::control::{Server, Socket};
use crate::keyboard::keys::{HELP, Key};
use crate::keyboard::{Keyboard, Watch, is_in_foreground};
use crate::style::{WARNING, paint, wants_color};
use crate::world::World;
use pysurge_core::control::{Answer, Command, Refusal};
use pysurge_core::event::{Actor, EventSink, RunEvent, Severity};
use pysurge_manager::{AroundSuspension, Controls, Suspension};
use pysurge_report::{Curtain, Fanout, SinkEnd};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How a run may be steered.
#[derive(Debug, Clone, Default)]
pub(super) struct Steering {
    /// By the keys of the terminal, where there is one.
    pub(super) keys: bool,
    /// By a control socket.
    pub(super) socket: Place,
}

/// Where the control socket is.
#[derive(Debug, Clone, Default)]
pub(super) enum Place {
    /// There is none.
    #[default]
    Nowhere,
    /// In the user's private folder.
    Private,
    /// Here.
    At(PathBuf),
}

/// Makes the control socket. Where it cannot be made, the user is told and the run goes on without.
pub(super) fn open(place: &Place, world: &mut World) -> Option<Socket> {
    let made = match place {
        Place::Nowhere => return None,
        Place::Private => super::control::folders(world).make(world.pid),
        Place::At(path) => Socket::make(&world.cwd.join(path)),
    };
    made.map_err(|error| warn(&error.to_string(), world)).ok()
}

fn warn(why: &str, world: &mut World) {
    let warning = paint("warning", WARNING, wants_color(world, &world.stderr));
    let text = format!(
        "{warning}: no control socket: {why}\n  it can be elsewhere with --control PATH; --no-control makes none\n"
    );
    let _ = world.stderr.tell(&text);
}

/// All that steers one run. Dropping it ends its threads and leaves the terminal as it was found.
pub(super) struct Live {
    audience: Arc<Audience>,
    keyboard: Option<Keyboard>,
    server: Option<Server>,
}

impl Live {
    /// Serves the socket and reads the keys, for a run that listens to `controls` and is at `stage`.
    pub(super) fn start(
        keys: bool,
        socket: Option<Socket>,
        controls: &Controls,
        stage: &Stage,
        fanout: Fanout,
        world: &World,
    ) -> Self {
        let audience = Arc::new(Audience {
            fanout,
            stage: stage.clone(),
        });
        let server = socket.and_then(|socket| {
            let ask = stage.asking(controls, Actor::Socket);
            let served = Server::start(socket, Arc::new(ask));
            served
                .map_err(|error| audience.warn(format!("no control socket: {error}")))
                .ok()
        });
        let terminal = world.keyboard.as_ref().filter(|_| keys).map(OwnedFd::try_clone);
        let keyboard = terminal.and_then(|terminal| {
            let (ask, audience) = (stage.asking(controls, Actor::Key), Arc::clone(&audience));
            let pressed = move |key| press(key, &ask, &audience);
            terminal
                .and_then(|terminal| Keyboard::start(terminal, is_in_foreground, pressed))
                .ok()
        });
        Self {
            audience,
            keyboard,
            server,
        }
    }

    /// What to do around a suspension by Ctrl+Z.
    pub(super) fn around_suspension(&self, curtain: Curtain) -> AroundSuspension {
        let watch = self.keyboard.as_ref().map(Keyboard::watch);
        Arc::new(move |suspension| match suspension {
            Suspension::Begins => {
                curtain.lower();
                watch.iter().for_each(Watch::give_back);
            }
            Suspension::Ended => {
                watch.iter().for_each(Watch::take);
                curtain.raise();
            }
        })
    }

    /// Takes the events of the run.
    pub(super) fn sink(&self) -> Front<'_> {
        Front {
            audience: &self.audience,
            watch: self.keyboard.as_ref().map(Keyboard::watch),
        }
    }

    /// Ends it and waits until all was shown.
    pub(super) fn finish(self) -> Vec<SinkEnd> {
        drop((self.keyboard, self.server));
        let audience = Arc::into_inner(self.audience);
        audience
            .map(|audience| audience.fanout.finish())
            .unwrap_or_default()
    }
}

/// The sinks, as the manager sees them: the terminal is taken and given back as the run begins and ends.
pub(super) struct Front<'a> {
    audience: &'a Audience,
    watch: Option<Watch>,
}

impl EventSink for Front<'_> {
    fn emit(&self, event: RunEvent) {
        if let Some(watch) = &self.watch {
            match event {
                RunEvent::Opened { .. } => watch.take(),
                RunEvent::Finished(_) => watch.end(),
                _ => {}
            }
        }
        self.audience.emit(event);
    }
}

/// How far a run is. Clones are of the same run.
#[derive(Debug, Clone, Default)]
pub(super) struct Stage(Arc<Mutex<Reached>>);

/// What it has come to.
#[derive(Debug, Default)]
struct Reached {
    /// The run listens to controls.
    opened: bool,
    /// Somebody had it stopped who asked, and did not send a signal.
    asked_to_stop: bool,
    /// Nothing comes behind the result.
    finished: bool,
}

impl Stage {
    fn lock(&self) -> MutexGuard<'_, Reached> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the run that listens to `controls`, in the name of `by`.
    pub(super) fn asking(&self, controls: &Controls, by: Actor) -> impl Fn(Command) -> Answer + use<> {
        let (controls, stage) = (controls.clone(), self.clone());
        move |command| {
            let answer = controls.ask(command, by);
            let mut reached = stage.lock();
            let is_stop = matches!(command, Command::Stop | Command::StopNow);
            reached.asked_to_stop |= is_stop && answer.is_ok();
            match answer {
                // Nobody listens yet.
                Err(Refusal::Over) if !reached.opened => Err(Refusal::NotStarted),
                answer => answer,
            }
        }
    }

    /// Whether somebody had the run stopped who asked for it, and did not send a signal.
    pub(super) fn was_asked_to_stop(&self) -> bool {
        self.lock().asked_to_stop
    }
}

/// The sinks, for the manager and for the keys.
struct Audience {
    fanout: Fanout,
    stage: Stage,
}

impl Audience {
    fn emit(&self, event: RunEvent) {
        let mut stage = self.stage.lock();
        stage.opened |= matches!(event, RunEvent::Opened { .. });
        if !stage.finished {
            stage.finished = matches!(event, RunEvent::Finished(_));
            self.fanout.emit(event);
        }
    }

    fn say(&self, severity: Severity, text: String) {
        self.emit(RunEvent::Notice { severity, text });
    }

    fn warn(&self, text: String) {
        self.say(Severity::Warning, text);
    }
}

/// Does what a key is for; what the run refuses is told.
fn press(key: Key, ask: impl Fn(Command) -> Answer, audience: &Audience) {
    if key == Key::Help {
        return HELP
            .iter()
            .for_each(|line| audience.say(Severity::Info, (*line).to_owned()));
    }
    let answer = ask(Command::Status).and_then(|now| match key.command(&now) {
        Some(command) => ask(command),
        None => Ok(now),
    });
    match answer {
        Ok(_) | Err(Refusal::Over | Refusal::NotStarted) => {}
        Err(refusal) => audience.say(Severity::Info, refusal.to_string()),
    }
}
