//! Multi-resource locks.
