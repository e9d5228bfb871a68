//! What other drivers of libvirt have: networks, storage, devices, secrets.
