//! Dependency descriptor: being built.
