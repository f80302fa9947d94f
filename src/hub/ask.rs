use std::time::Duration;

use ureq::Body;
use ureq::http::{Response, Uri};

use super::error::HubError;
use super::listing::Hub;

/// So often one request is sent on at most.
const HOPS: usize = 10;

impl Hub {
    /// One request, with the byte it starts from. It is sent on by us, not by the client: the token goes to
    /// the hub's own scheme, host and port and nowhere else, and no answer leads from https to http.
    ///
    /// # Errors
    /// No connection, or an address that is none.
    pub(super) fn ask(
        &self,
        what: &str,
        address: &str,
        from: u64,
    ) -> Result<Response<Body>, HubError> {
        let odd = |why: String| HubError::Odd { what: what.to_owned(), why };
        let parse = |address: &str| {
            address.parse::<Uri>().map_err(|_| odd("it leads to an address that is none".into()))
        };
        let home = parse(address)?;
        let mut at = home.clone();
        for _ in 0..=HOPS {
            let mut request = self.agent.get(&at);
            if let Some(token) = self.authorization().filter(|_| origin(&at) == origin(&home)) {
                request = request.header("Authorization", token);
            }
            if from > 0 {
                request = request.header("Range", format!("bytes={from}-"));
            }
            let response = request.call().map_err(|e| HubError::network(what, &e))?;
            if !response.status().is_redirection() || response.status() == 304 {
                return Ok(response);
            }
            let location = response.headers().get("location").and_then(|v| v.to_str().ok());
            let location = location.ok_or_else(|| odd("it leads nowhere".into()))?;
            let next = parse(&resolved(&at, location))?;
            match (at.scheme_str(), next.scheme_str()) {
                (Some("http"), Some("http")) | (_, Some("https")) => at = next,
                _ => return Err(odd("it leads from a safe address to one that is not".into())),
            }
        }
        Err(odd(format!("it is sent on more than {HOPS} times")))
    }
}

/// Scheme, host and port: who it is that hears.
fn origin(uri: &Uri) -> (Option<String>, Option<String>, Option<u16>) {
    let scheme = uri.scheme_str().map(str::to_lowercase);
    let usual = match scheme.as_deref() {
        Some("https") => Some(443),
        Some("http") => Some(80),
        _ => None,
    };
    (scheme, uri.host().map(str::to_lowercase), uri.port_u16().or(usual))
}

/// A `Location`, which may leave out what stays the same.
fn resolved(at: &Uri, location: &str) -> String {
    let scheme = at.scheme_str().unwrap_or("https");
    let authority = at.authority().map(ToString::to_string).unwrap_or_default();
    if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else if location.contains("://") {
        location.to_owned()
    } else {
        let folder = at.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{location}")
    }
}

/// How slow a server may be: it must bring so many bytes in every such time.
pub(super) struct Pace {
    pub every: Duration,
    pub bytes: u64,
}

impl Pace {
    /// 1 KiB/s over a minute; tests shorten the minute.
    pub fn from_env() -> Self {
        let given = std::env::var("TUNEBOARD_PACE_MS").ok().and_then(|text| text.parse().ok());
        Self { every: Duration::from_millis(given.unwrap_or(60_000)), bytes: 60 << 10 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_hears_is_scheme_host_and_port() {
        let of = |text: &str| origin(&text.parse().unwrap());
        assert_eq!(of("https://hub.co/a"), of("https://HUB.co:443/b"));
        for other in ["http://hub.co/a", "https://hub.co:444/a", "https://evil.hub.co/a"] {
            assert_ne!(of("https://hub.co/a"), of(other), "{other}");
        }
    }

    #[test]
    fn a_location_may_be_relative() {
        let at: Uri = "https://hub.co:8/a/b?c=1".parse().unwrap();
        assert_eq!(resolved(&at, "/x"), "https://hub.co:8/x");
        assert_eq!(resolved(&at, "//cdn.co/x"), "https://cdn.co/x");
        assert_eq!(resolved(&at, "y"), "https://hub.co:8/a/y");
        assert_eq!(resolved(&at, "http://z/y"), "http://z/y");
    }
}
