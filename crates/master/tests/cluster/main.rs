//! Masters in this process, over real gRPC on ports from the kernel.

mod alone;
mod calls;
mod events;
mod packages;
mod support;
mod three;
mod workers;
