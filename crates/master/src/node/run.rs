//! A master from its configuration to its end, as `squall master` runs it.

use std::sync::Arc;

use super::{Node, Secured};
use crate::certs::{DefaultTimeProvider, Material, TimeProvider};
use crate::config::MasterConfig;
use crate::env::Env;
use crate::error::NodeError;

impl Secured {
    /// As the configuration says: by certificates, or in plain text.
    ///
    /// # Errors
    /// If the certificate's files can't be read, don't belong together, or aren't good now.
    pub fn of(config: &MasterConfig, env: &Env) -> Result<Self, NodeError> {
        let Some(files) = config.tls_files() else { return Ok(Self::plain()) };
        let material = Material::read(&files, env.clock.now(), "master");
        let material = material.map_err(|error| NodeError::Certificate(Arc::new(error)))?;
        let time: Arc<dyn TimeProvider> = Arc::new(DefaultTimeProvider);
        Ok(Self::tls(&material, &time))
    }
}

/// Runs a master on this machine until `stop` is there or it fails, and says to `started` when it listens.
///
/// # Errors
/// If it can't start, or fails.
pub async fn run(
    config: MasterConfig,
    stop: impl Future<Output = ()>,
    started: impl FnOnce(&Node),
) -> Result<(), NodeError> {
    let env = Env::machine();
    let secured = Secured::of(&config, &env)?;
    let node = Node::start(config, secured, env).await?;
    started(&node);
    let stopped = tokio::select! {
        () = stop => true,
        () = node.over() => false,
    };
    if stopped { node.shutdown().await } else { node.ended().await }
}
