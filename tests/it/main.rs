//! One test binary, a module for each behaviour.

mod adding;
mod attacks;
mod attempts;
#[cfg(all(feature = "cli", feature = "server"))]
mod browser;
mod catalogue;
mod claims;
#[cfg(feature = "cli")]
mod cli;
#[cfg(all(feature = "cli", feature = "server"))]
mod cluster;
#[cfg(feature = "conformance")]
mod conformance;
mod corpus;
mod data;
#[cfg(feature = "embedded")]
mod embedded;
mod events;
mod examples;
mod faults;
mod fidelity;
mod giving_back;
mod handles;
mod history;
#[cfg(all(feature = "codegen", feature = "remote", feature = "server"))]
mod javascript;
mod limits;
#[cfg(all(feature = "nats", feature = "conformance"))]
mod nats;
#[cfg(any(feature = "codegen", feature = "server"))]
mod node;
mod odd_actions;
mod opening;
mod original;
mod plain;
#[cfg(feature = "remote")]
mod remote;
mod responding;
mod sensitive;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "server")]
mod server_doors;
mod support;
mod taking;
mod tidy;
mod tokens;
#[cfg(any(feature = "remote", feature = "server"))]
mod twilsock;
mod unread;
#[cfg(any(feature = "remote", feature = "server"))]
mod vectors;
