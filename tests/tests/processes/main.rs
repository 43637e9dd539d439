//! Masters as processes: killed, stopped, cut off, wiped, damaged, changed, and called from outside.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod calls;
mod damage;
mod deaths;
mod histories;
mod limits;
mod lines;
mod members;
mod python;
mod stale;
mod support;
mod watching;
