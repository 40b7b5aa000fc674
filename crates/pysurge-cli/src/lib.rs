//! Command line to exit code.
