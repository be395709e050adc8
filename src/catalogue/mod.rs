//! The action types.
