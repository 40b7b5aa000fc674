//! Sinks of a run's events: terminal, log lines, the run's folder.
