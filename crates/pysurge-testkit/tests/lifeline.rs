//! What a worker does when its manager is gone: it ends at once, whatever its tests are at.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "what is shared is not used by all")]

mod led;

use led::Led;
use pysurge_core::wire::FromWorker;
use std::io::Write;
use std::net::Shutdown;

#[test]
fn the_end_of_the_channel_is_the_end_of_the_worker() {
    for class in [None, Some("native.Noop"), Some("native.Hang")] {
        let mut worker = Led::spawn();
        let Some(FromWorker::Hello(hello)) = worker.hear() else {
            panic!("no hello")
        };
        assert_eq!(hello.pid, worker.child.id());
        if let Some(class) = class {
            worker.fire(class);
        }
        worker.channel.shutdown(Shutdown::Write).unwrap();
        worker.assert_killed(class.unwrap_or("after hello"));
    }
}

#[test]
fn a_manager_that_talks_garbage_is_as_good_as_gone() {
    let mut worker = Led::spawn();
    assert!(matches!(worker.hear(), Some(FromWorker::Hello(_))));
    worker.channel.write_all(&[0xff; 8]).unwrap();
    worker.assert_killed("garbage");
}
