//! How masters come to their cluster: they form it, they are seeded, or they are let in.

mod core;
#[cfg(test)]
mod tests;
