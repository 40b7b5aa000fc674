//! The supervisor of the workers: a pure state machine and the shell around it.
