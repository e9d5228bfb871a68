//! The families of devices that containers have no use for.

use super::{audio, board, graphics, lease, paravirtual, ports, tpm, usb, video};
use crate::error::Result;
use crate::model::read::words;
use crate::xml::Element;

words! {
    /// A family of devices that libvirt keeps in a document and containers do nothing with, in the
    /// order they are written in.
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
        /// A source of random numbers.
        Rng = "rng",
        /// Memory that keeps its content.
        Nvram = "nvram",
        /// A way for the guest to say that it has crashed.
        Panic = "panic",
        /// Memory shared between machines.
        SharedMemory = "shmem",
        /// A module of memory.
        Memory = "memory",
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
            Self::Smartcard => ports::smartcard(device).map(Some),
            Self::Serial => ports::serial(device).map(Some),
            Self::Parallel => ports::parallel(device).map(Some),
            Self::Channel => ports::channel(device).map(Some),
            Self::Input => board::input(device),
            Self::Tpm => tpm::tpm(device).map(Some),
            Self::Graphics => graphics::graphics(device).map(Some),
            Self::Sound => audio::sound(device).map(Some),
            Self::Audio => audio::audio(device).map(Some),
            Self::Video => video::video(device).map(Some),
            Self::RedirectedDevice => ports::redirected(device).map(Some),
            Self::Watchdog => board::watchdog(device).map(Some),
            Self::MemoryBalloon => paravirtual::balloon(device).map(Some),
            Self::Nvram => board::nvram(device).map(Some),
            Self::Rng => paravirtual::rng(device).map(Some),
            Self::Panic => board::panic(device),
            Self::SharedMemory => paravirtual::shared_memory(device).map(Some),
            Self::Memory => board::memory(device),
            Self::Iommu => board::iommu(device).map(Some),
            Self::Vsock => paravirtual::vsock(device).map(Some),
            Self::Hub => usb::hub(device),
            Self::RedirectFilter => usb::filter(device),
        }
    }
}
