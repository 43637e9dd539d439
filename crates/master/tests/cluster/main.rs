//! Masters in this process, over real gRPC on ports from the kernel.

mod alone;
mod support;
