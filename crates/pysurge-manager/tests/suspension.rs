//! Ctrl+Z against a run in a process of its own: it pauses the plan, stops the process, and goes on where it was.

mod common;

use common::example;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};

/// A run in a process group of its own, as a shell makes it. Killed when dropped.
struct Job {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Job {
    /// The same through a shell that has SIGTSTP ignored, where asked for.
    fn start(milliseconds: u32, ignored: bool) -> Self {
        let program = example("suspended_run");
        let mut command = if ignored {
            let mut shell = Command::new("sh");
            shell
                .arg("-c")
                .arg("trap '' TSTP; exec \"$0\" \"$@\"")
                .arg(program);
            shell
        } else {
            Command::new(program)
        };
        command.arg(milliseconds.to_string());
        let mut child = command
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("it can be started");
        let stdout = child.stdout.take().expect("it is piped");
        Self {
            child,
            lines: BufReader::new(stdout).lines(),
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn next_line(&mut self) -> String {
        self.lines.next().expect("a line").expect("text")
    }

    fn signal(&self, signal: Signal) {
        kill_process_group(self.pid(), signal).expect("it lives");
    }

    /// Waits until it is stopped.
    fn wait_for_the_stop(&self) {
        let status = waitid(
            WaitId::Pid(self.pid()),
            WaitIdOptions::STOPPED | WaitIdOptions::EXITED,
        );
        let status = status.expect("a child").expect("a status");
        assert!(status.stopped(), "{status:?}");
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        let _ = kill_process(self.pid(), Signal::KILL);
        let _ = self.child.wait();
    }
}

#[test]
fn a_run_that_is_suspended_goes_on_where_it_was() {
    let mut job = Job::start(1_500, false);
    assert_eq!(job.next_line(), "started");
    for _ in 0..2 {
        job.signal(Signal::TSTP);
        assert_eq!(job.next_line(), "paused by Suspension");
        assert_eq!(job.next_line(), "suspension begins");
        job.wait_for_the_stop();
        job.signal(Signal::CONT);
        assert_eq!(job.next_line(), "suspension ended");
        assert_eq!(job.next_line(), "resumed by Suspension");
    }
    // The whole plan, and nothing else was told: nobody was lost, nobody was missed.
    assert_eq!(job.next_line(), "planned 150 passed 150 changes 4");
    assert!(job.child.wait().expect("it ends").success());
}

#[test]
fn what_a_shell_without_job_control_ignores_stays_ignored() {
    let mut job = Job::start(300, true);
    assert_eq!(job.next_line(), "started");
    job.signal(Signal::TSTP);
    assert_eq!(job.next_line(), "planned 30 passed 30 changes 0");
    assert!(job.child.wait().expect("it ends").success());
}
