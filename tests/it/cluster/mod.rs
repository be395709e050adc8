//! Several `sp-sync serve` processes before one store are one service.

mod balancer;
mod pair;
#[cfg(unix)]
mod readme;
mod serving;
