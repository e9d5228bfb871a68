//! Namespaces that are not the container's own.

use super::links::host_devices;
use super::{Namespace, build::unsupported};
use crate::error::Result;
use crate::model::{Domain, Share, ShareSource};

/// The namespaces that the document takes from elsewhere, in the order in which their descriptors
/// go to the supervisor, with where they are taken from.
pub fn shared(domain: &Domain) -> Vec<(Namespace, &Share)> {
    let shared = &domain.shared_namespaces;
    let all = [
        (Namespace::Network, &shared.net),
        (Namespace::Ipc, &shared.ipc),
        (Namespace::Uts, &shared.uts),
    ];
    all.into_iter().filter_map(|(kind, share)| Some((kind, share.as_ref()?))).collect()
}

/// Refuses what cannot be had together, as libvirt does.
pub(super) fn check(domain: &Domain) -> Result<()> {
    for (kind, share) in shared(domain) {
        if share.source == ShareSource::Netns && kind != Namespace::Network {
            return Err(unsupported(format!(
                "type='netns' is for <lxc:sharenet>, not for value='{}' of another name space: \
                 use type='name' or type='pid'",
                share.value
            )));
        }
        let has_own = domain.features.privnet
            || !domain.devices.interfaces.is_empty()
            || host_devices(domain).next().is_some();
        if kind == Namespace::Network && has_own {
            return Err(unsupported(
                "Config asks for inherit net namespace as well as private network interfaces: \
                 remove <lxc:sharenet>, or <privnet/>, every <interface> and every <hostdev \
                 type='net'>",
            ));
        }
    }
    Ok(())
}
