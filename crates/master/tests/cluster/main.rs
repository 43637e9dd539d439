//! Masters in this process, over real gRPC on ports from the kernel.

#![allow(clippy::unwrap_used, reason = "a test that can't go on says where")]

mod alone;
mod audit;
mod calls;
mod clocks;
mod events;
mod packages;
mod reborn;
mod support;
mod three;
mod tls;
mod workers;
