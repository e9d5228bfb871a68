//! The families of devices that containers have no use for.

use super::lease;
use crate::error::Result;
use crate::model::read::words;
use crate::xml::Element;

words! {
    /// A family of devices that libvirt keeps in a document and containers do nothing with.
    pub enum DeviceFamily {
        /// A lock to hold while the domain runs.
        Lease = "lease",
        /// A reader of smart cards.
        Smartcard = "smartcard",
        /// A serial port.
        Serial = "serial",
        /// A parallel port.
        Parallel = "parallel",
        /// A channel between host and guest.
        Channel = "channel",
        /// A mouse, keyboard, tablet.
        Input = "input",
        /// A trusted platform module.
        Tpm = "tpm",
        /// A way to see the screen.
        Graphics = "graphics",
        /// A sound card.
        Sound = "sound",
        /// Where sound goes on the host.
        Audio = "audio",
        /// A video card.
        Video = "video",
        /// A USB device of a client.
        RedirectedDevice = "redirdev",
        /// Which USB devices clients may redirect.
        RedirectFilter = "redirfilter",
        /// A hub for USB devices.
        Hub = "hub",
        /// A watchdog.
        Watchdog = "watchdog",
        /// The balloon that takes memory from a machine.
        MemoryBalloon = "memballoon",
        /// Memory that keeps its content.
        Nvram = "nvram",
        /// A source of random numbers.
        Rng = "rng",
        /// A way for the guest to say that it has crashed.
        Panic = "panic",
        /// Memory shared between machines.
        SharedMemory = "shmem",
        /// A module of memory.
        Memory = "memory",
        /// A cryptographic device.
        Crypto = "crypto",
        /// A unit that maps addresses of devices.
        Iommu = "iommu",
        /// A socket between host and guest.
        Vsock = "vsock",
    }
}

impl DeviceFamily {
    /// What is kept of a device, None when that is nothing.
    pub(super) fn read(self, device: &Element) -> Result<Option<Element>> {
        match self {
            Self::Lease => lease::read(device).map(Some),
            _ => Ok(None),
        }
    }
}
