//! Inside a worker: the pool, the recorders, and the TestCase trait they run.
