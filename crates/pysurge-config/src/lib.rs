//! A config file or dict becomes a checked plan; errors say file, line and what to do.
