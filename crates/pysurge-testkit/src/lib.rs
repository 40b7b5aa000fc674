//! For tests: a manual clock, a fake worker, a target server that keeps a log.
