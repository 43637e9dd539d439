//! The clock and the dice of this process.

use std::time::{SystemTime, UNIX_EPOCH};

use squall_types::cluster::{RequestId, UnixMillis};

use crate::error::CliError;

/// Now, in wall time.
pub fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis::new(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A new request id.
pub fn request_id() -> Result<RequestId, CliError> {
    let mut random = [0; 16];
    let filled = getrandom::fill(&mut random).map_err(std::io::Error::from);
    filled.map_err(|source| CliError::System { what: "random numbers", source })?;
    Ok(RequestId::new(now(), u128::from_le_bytes(random)))
}
