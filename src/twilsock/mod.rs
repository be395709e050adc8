//! The Sync wire protocol (Twilsock V3.0 and what travels in it): bytes to nouns and back, and the two ends of a
//! connection as state machines. Pure: no socket, no task, no clock, no randomness of its own.
//!
//! From the ground up:
//! * [`frame`] cuts a message into header and payload;
//! * [`message`] says what a header means;
//! * [`sync`] says what the requests and notifications inside are about: documents, subscriptions, events;
//! * [`server_session`] and [`client_session`] decide what one end does, told the time.
//!
//! Whatever a peer sends is read or refused, never a panic; what this side does not know yet is kept or passed over,
//! because peers grow. Comments that begin with "Twilsock:" or "Sync:" state what the official clients and the
//! service were seen to do.

pub mod client_session;
pub mod frame;
mod ids;
pub mod message;
pub mod server_session;
pub mod sync;
mod wire;
