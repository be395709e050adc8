//! The Sync protocol under any input: what is written reads the same, and both ends of a session keep their promises
//! whatever comes, in whatever order, at whatever time.

mod codec;
mod sessions;
