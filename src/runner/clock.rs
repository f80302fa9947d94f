use std::time::Duration;

pub(super) use crate::store::now;

/// A duration that tests shorten: the milliseconds that an environment variable names, else `default`.
pub(super) fn milliseconds(variable: &str, default: u64) -> Duration {
    let given = std::env::var(variable).ok().and_then(|text| text.parse().ok());
    Duration::from_millis(given.unwrap_or(default))
}
