//! x
#![allow(dead_code, missing_docs, reason = "x")]
mod bootstrap;
