//! A pseudo-terminal stands for the user's; whether we have it is said by the test.

use super::*;
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// The user's side and ours.
fn terminal() -> (OwnedFd, OwnedFd) {
    let user = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&user).unwrap();
    unlockpt(&user).unwrap();
    let name = ptsname(&user, Vec::new()).unwrap();
    let ours = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    (user, ours)
}

fn is_plain(terminal: &OwnedFd) -> bool {
    let modes = tcgetattr(terminal).unwrap().local_modes;
    modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
}

fn is_by_key(terminal: &OwnedFd) -> bool {
    let modes = tcgetattr(terminal).unwrap().local_modes;
    modes.contains(LocalModes::ISIG) && !modes.intersects(LocalModes::ICANON | LocalModes::ECHO)
}

fn press(user: &OwnedFd, keys: &[u8]) {
    assert_eq!(rustix::io::write(user, keys), Ok(keys.len()));
}

fn start(ours: &OwnedFd, foreground: Foreground) -> (Keyboard, Receiver<Key>) {
    let (send, pressed) = channel();
    let ours = ours.try_clone().unwrap();
    let keyboard = Keyboard::start(ours, foreground, move |key| send.send(key).unwrap()).unwrap();
    (keyboard, pressed)
}

fn next(pressed: &Receiver<Key>) -> Key {
    pressed.recv_timeout(Duration::from_secs(20)).unwrap()
}

#[test]
fn keys_arrive_while_the_terminal_is_wanted_and_it_is_left_as_it_was_found() {
    let (user, ours) = terminal();
    let (keyboard, pressed) = start(&ours, |_| true);
    assert!(is_plain(&ours));
    keyboard.watch().take();
    assert!(is_by_key(&ours));
    press(&user, b"px+");
    assert_eq!([next(&pressed), next(&pressed)], [Key::Pause, Key::Faster]);

    keyboard.watch().give_back();
    assert!(is_plain(&ours));
    press(&user, b"s");
    keyboard.watch().take();
    press(&user, b"h");
    assert!(is_by_key(&ours));
    // Typed while nobody listened: a line was not ended, so how much of it is there is the system's matter.
    while next(&pressed) != Key::Help {}

    drop(keyboard);
    assert!(is_plain(&ours));
    assert!(pressed.try_recv().is_err());
}

#[test]
fn what_was_ended_is_not_taken_again() {
    let (_user, ours) = terminal();
    let (keyboard, _pressed) = start(&ours, |_| true);
    let watch = keyboard.watch();
    watch.take();
    watch.end();
    // A suspension at the very end.
    watch.give_back();
    watch.take();
    assert!(is_plain(&ours));
    drop(keyboard);
    watch.take();
    assert!(is_plain(&ours));
}

#[test]
fn in_the_background_the_terminal_is_left_alone() {
    static FOREGROUND: AtomicBool = AtomicBool::new(false);
    let (user, ours) = terminal();
    let (keyboard, pressed) = start(&ours, |_| FOREGROUND.load(Ordering::SeqCst));
    keyboard.watch().take();
    assert!(is_plain(&ours));
    press(&user, b"text\n");
    assert!(is_plain(&ours));
    FOREGROUND.store(true, Ordering::SeqCst);
    keyboard.watch().take();
    assert!(is_by_key(&ours));
    press(&user, b"?");
    while next(&pressed) != Key::Help {}
    // Taken by another without a word: what is typed is not ours, nor is the mode.
    FOREGROUND.store(false, Ordering::SeqCst);
    press(&user, b"s");
    drop(keyboard);
    assert!(is_by_key(&ours));
    assert!(pressed.try_iter().all(|key| key != Key::Stop));
}

#[test]
fn a_run_that_is_brought_back_takes_its_keys_again_by_itself() {
    static FOREGROUND: AtomicBool = AtomicBool::new(false);
    let (user, ours) = terminal();
    let (keyboard, pressed) = start(&ours, |_| FOREGROUND.load(Ordering::SeqCst));
    keyboard.watch().take();
    FOREGROUND.store(true, Ordering::SeqCst);
    press(&user, b"=\n");
    assert_eq!(next(&pressed), Key::AsPlanned);
    drop(keyboard);
    assert!(is_plain(&ours));
}

#[test]
fn a_terminal_that_hangs_up_ends_the_thread_and_nothing_else() {
    let (user, ours) = terminal();
    let (keyboard, pressed) = start(&ours, |_| true);
    keyboard.watch().take();
    drop(user);
    // The sender lives in the thread.
    assert!(pressed.recv_timeout(Duration::from_secs(20)).is_err());
    drop(keyboard);
}
