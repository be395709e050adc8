//! What a campaign has done, line by line, and whether that keeps the promises. Shared by the campaigns whose parties are
//! processes.

pub(crate) mod actions;
pub(crate) mod log;
pub(crate) mod random;
pub(crate) mod reading;
mod spoilt;
