//! stub
#![allow(missing_docs, clippy::all, clippy::pedantic, clippy::unused_async, reason = "stub")]
use std::net::SocketAddr;
pub struct Env; impl Env { pub fn machine() -> Self { Self } }
#[derive(Debug, thiserror::Error)] #[error("stub")] pub struct NodeError;
impl NodeError { pub fn code(&self) -> squall_types::Code { squall_types::codes::HTTP_NOT_SERVED } pub fn next_step(&self) -> String { String::new() } }
pub struct Secured; impl Secured { pub fn plain() -> Self { Self } pub fn tls(_: crate::certs::Server, _: crate::certs::Client) -> Self { Self } }
pub struct Node(squall_types::cluster::MasterName);
impl Node {
 pub async fn start(_: crate::config::MasterConfig, _: Secured, _: Env) -> Result<Self, NodeError> { Err(NodeError) }
 pub fn address(&self) -> SocketAddr { SocketAddr::from(([0,0,0,0],0)) }
 pub fn monitoring(&self) -> Option<SocketAddr> { None }
 pub fn name(&self) -> &squall_types::cluster::MasterName { &self.0 }
 pub fn waits_for(&self) -> Option<String> { None }
 pub async fn ready(&self) {}
 pub async fn failed(&self) {}
 pub async fn shutdown(self) -> Result<(), NodeError> { Ok(()) }
 pub async fn ended(self) -> Result<(), NodeError> { Ok(()) }
}
