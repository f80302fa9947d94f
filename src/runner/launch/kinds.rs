//! The one table of the kinds of sites: which transport reaches it, which scheduler serves it.

use std::sync::Arc;

use crate::board::{Site, SiteKind};

use super::call::CallError;
use super::host::Host;
use super::scheduler::{SchedulerKind, process, slurm};
use super::transport::{Transport, local::ThisMachine, ssh::Ssh};

/// The scheduler of a site.
pub(in crate::runner) fn scheduler(site: &Site) -> &'static SchedulerKind {
    match site.kind {
        SiteKind::Local | SiteKind::Ssh => &process::KIND,
        SiteKind::Slurm => &slurm::KIND,
    }
}

/// The host of a site; no call is made.
///
/// # Errors
/// There is no place for the socket of a connection.
pub(super) fn host(site: &Site) -> Result<Host, CallError> {
    let transport: Arc<dyn Transport> =
        if site.host.is_empty() { Arc::new(ThisMachine) } else { Arc::new(Ssh::new(site)?) };
    Ok(Host::new(transport, scheduler(site).script, site))
}
