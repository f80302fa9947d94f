use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::store::Millis;

/// The wall clock, as the database writes it.
pub(super) fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as Millis
}

/// A duration that tests shorten: the milliseconds that an environment variable names, else `default`.
pub(super) fn milliseconds(variable: &str, default: u64) -> Duration {
    let given = std::env::var(variable).ok().and_then(|text| text.parse().ok());
    Duration::from_millis(given.unwrap_or(default))
}
