//! What steers a run while it goes on: the keys, the control socket and Ctrl+Z, joined to the manager's [`Controls`] and to the
//! sinks. It decides nothing: who presses a key asks the run what a client of the socket asks it.
//!
//! The terminal is ours from the first event of a run, when Ctrl+C is the run's and can no more leave it in a strange mode, to the last.

use crate::control::{Server, Socket};
use crate::keyboard::keys::{HELP, Key};
use crate::keyboard::{Keyboard, Watch, is_in_foreground};
use crate::style::{WARNING, paint, wants_color};
use crate::world::World;
use pysurge_core::control::{Command, Refusal};
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
    /// Serves the socket and reads the keys, for a run that listens to `controls`.
    pub(super) fn start(
        keys: bool,
        socket: Option<Socket>,
        controls: &Controls,
        fanout: Fanout,
        world: &World,
    ) -> Self {
        let audience = Arc::new(Audience {
            fanout,
            stage: Mutex::default(),
        });
        let server = socket.and_then(|socket| {
            let (controls, of_ask) = (controls.clone(), Arc::clone(&audience));
            let ask = move |command| match controls.ask(command, Actor::Socket) {
                // Nobody listens yet.
                Err(Refusal::Over) if !of_ask.stage().opened => Err(Refusal::NotStarted),
                answer => answer,
            };
            let served = Server::start(socket, Arc::new(ask));
            served
                .map_err(|error| audience.warn(format!("no control socket: {error}")))
                .ok()
        });
        let terminal = world.keyboard.as_ref().filter(|_| keys).map(OwnedFd::try_clone);
        let keyboard = terminal.and_then(|terminal| {
            let (controls, audience) = (controls.clone(), Arc::clone(&audience));
            let pressed = move |key| press(key, &controls, &audience);
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

/// The sinks, for the manager and for the keys.
struct Audience {
    fanout: Fanout,
    stage: Mutex<Stage>,
}

/// How far the run is.
#[derive(Debug, Default)]
struct Stage {
    /// The run listens to controls.
    opened: bool,
    /// Nothing comes behind the result.
    finished: bool,
}

impl Audience {
    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn emit(&self, event: RunEvent) {
        let mut stage = self.stage();
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
fn press(key: Key, controls: &Controls, audience: &Audience) {
    if key == Key::Help {
        return HELP
            .iter()
            .for_each(|line| audience.say(Severity::Info, (*line).to_owned()));
    }
    let ask = |command| controls.ask(command, Actor::Key);
    let answer = ask(Command::Status).and_then(|now| match key.command(&now) {
        Some(command) => ask(command),
        None => Ok(now),
    });
    match answer {
        Ok(_) | Err(Refusal::Over) => {}
        Err(refusal) => audience.say(Severity::Info, refusal.to_string()),
    }
}
