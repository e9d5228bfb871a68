//! `<interface>`: a network device of the container and what it is attached to.

mod addresses;
mod bandwidth;
mod filter;
mod ip_text;
mod mac;
mod settings;
mod socket;
mod source;
mod virtual_port;
mod vlan;

use uuid::Uuid;

pub use addresses::{InterfaceAddress, Route};
pub use bandwidth::{LinkBandwidth, Rate};
pub use filter::FilterReference;
use ip_text::{parse_address, written};
pub use mac::{Mac, MacAddress, MacOrigin};
pub(super) use mac::{word, yes_no};
pub(super) use settings::teaming;
pub use socket::{InterfaceSocket, SocketKind};
pub use source::{DirectMode, InterfaceSource};
pub use virtual_port::{VirtualPort, VirtualPortKind};
pub use vlan::{NativeMode, Vlan, VlanTag};

use super::info::Place;
use crate::error::Result;
use crate::model::read::words;
use crate::model::{View, shape};
use crate::xml::{Element, Writer};
use settings::{first_attr, models};

words! {
    /// Whether there is a carrier.
    pub enum LinkState {
        /// There is.
        Up = "up",
        /// There is none.
        Down = "down",
    }
}

/// A network device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// What it is attached to.
    pub source: InterfaceSource,
    /// Its hardware address.
    pub mac: Mac,
    /// The virtual networks it is in.
    pub vlan: Option<Vlan>,
    /// Its port at a switch.
    pub virtual_port: Option<VirtualPort>,
    /// Limits on what it carries.
    pub bandwidth: LinkBandwidth,
    /// Whether it reaches other isolated ports of its bridge.
    pub isolated: Option<bool>,
    /// Addresses in the container.
    pub ips: Vec<InterfaceAddress>,
    /// Routes in the container.
    pub routes: Vec<Route>,
    /// A program to run when it appears; libvirt's driver refuses to start with one.
    pub script: Option<String>,
    /// The name of its other end on the host; None lets the driver choose.
    pub target: Option<String>,
    /// Whether the other end is made for the container, when the document says.
    pub target_managed: Option<bool>,
    /// Its name in the container; None counts as `eth0`, `eth1`, and so on.
    pub guest: Option<String>,
    /// Which packets pass.
    pub filter: Option<FilterReference>,
    /// The state its link is put into; None leaves that to the container.
    pub link: Option<LinkState>,
    /// The largest packet; never 0.
    pub mtu: Option<u32>,
    /// Whether the host believes the guest's filters; without effect on containers.
    pub trust_guest_rx_filters: Option<bool>,
    /// The card a machine sees; without effect on containers.
    pub model: Option<&'static str>,
    /// What else is written of it, without effect on containers.
    kept: Vec<Element>,
    /// What the host knows while the container runs. Live only.
    pub live: Option<LiveInterface>,
}

/// What becomes of an interface when the container starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LiveInterface {
    /// The name of the other end on the host, as in `vnet0`.
    pub target: Option<String>,
    /// The name in the container.
    pub guest: Option<String>,
    /// The port that a virtual network gave it.
    pub port_id: Option<Uuid>,
    /// The bridge of the virtual network.
    pub bridge: Option<String>,
    /// The name in events and calls, as in `net0`.
    pub alias: Option<String>,
}

/// Names on the host that the driver chooses, by their beginnings. A document with one came from a
/// running container, where the name may be another's by now.
const CHOSEN_NAMES: [&str; 3] = ["vnet", "macvtap", "macvlan"];

impl Interface {
    pub(super) fn parse(element: &Element) -> Result<Self> {
        let source = InterfaceSource::parse(element)?;
        let target_managed = match element.child("target") {
            Some(target) => yes_no(target, "managed")?,
            None => None,
        };
        let is_ours = target_managed != Some(false);
        let target = element.child("target").and_then(|target| target.attr("dev"));
        let is_chosen = |name: &str| CHOSEN_NAMES.iter().any(|chosen| name.starts_with(chosen));
        let target = target.filter(|name| !(is_ours && is_chosen(name)));
        let model = models::read(element)?;
        let mut kept = settings::read(element, &source, model)?;
        kept.extend(Place::BOOTABLE.read(element)?);
        let takes_floor = matches!(source, InterfaceSource::Network { .. });
        let interface = Self {
            mac: Mac::parse(element)?,
            vlan: Vlan::parse(element)?,
            virtual_port: VirtualPort::parse(element, source.virtual_port(), source.kind())?,
            bandwidth: LinkBandwidth::parse(element, takes_floor)?,
            isolated: element.child("port").map_or(Ok(None), |port| yes_no(port, "isolated"))?,
            ips: InterfaceAddress::parse_all(element)?,
            routes: Route::parse_all(element, "guest interface")?,
            script: first_attr(element, "script", "path").map(str::to_owned),
            target: target.map(str::to_owned),
            target_managed,
            guest: first_attr(element, "guest", "dev").map(str::to_owned),
            filter: FilterReference::parse(element).filter(|_| source.is_filtered()),
            link: settings::link(element)?,
            mtu: settings::mtu(element)?,
            trust_guest_rx_filters: yes_no(element, "trustGuestRxFilters")?,
            model,
            kept,
            source,
            live: None,
        };
        interface.check(element)?;
        Ok(interface)
    }

    /// What does not go together.
    fn check(&self, element: &Element) -> Result<()> {
        let kind = self.source.kind();
        self.source.on_bus().map_or(Ok(()), |device| device.check(element))?;
        if self.target_managed == Some(false)
            && !matches!(self.source, InterfaceSource::Ethernet { .. })
        {
            return Err(element.unsupported(format_args!(
                "unmanaged target dev is not supported on interfaces of type '{kind}': only on \
                 those of type 'ethernet'"
            )));
        }
        if kind == "vhostuser" && !models::is_virtio(self.model) {
            return Err(crate::model::read::internal(
                element,
                "Wrong or no <model> 'type' attribute specified with <interface \
                 type='vhostuser'/>. vhostuser requires the virtio-net* frontend",
            ));
        }
        if matches!(
            self.source,
            InterfaceSource::VhostUser { is_server: true, reconnect: Some(Some(_)), .. }
        ) {
            return Err(element.unsupported(
                "'reconnect' attribute unsupported 'server' mode for <interface \
                 type='vhostuser'>: a server does not connect",
            ));
        }
        let of = match (&self.source, self.virtual_port.as_ref().and_then(|port| port.kind)) {
            _ if self.isolated != Some(true) => return Ok(()),
            (InterfaceSource::Network { .. } | InterfaceSource::Bridge { .. }, None) => {
                return Ok(());
            }
            (InterfaceSource::Network { .. } | InterfaceSource::Bridge { .. }, Some(port)) => {
                format!("virtualport type='{}'", port.as_str())
            }
            _ => format!("type='{kind}'"),
        };
        Err(element.unsupported(format_args!(
            "interface {} - <port isolated='yes'/> is not supported for network interfaces with \
             {of}: only ports of the host's bridges are isolated",
            self.mac.address
        )))
    }

    /// Its place on a machine's PCI bus.
    pub(super) fn pci_place(&self) -> Option<&Element> {
        let is_it = |it: &&Element| it.name == "address" && it.attr("type") == Some("pci");
        self.kept.iter().find(is_it)
    }

    pub(super) fn format(&self, w: &mut Writer, view: View) {
        let live = self.live.as_ref().filter(|_| view == View::Live);
        let mut attributes = vec![("type", self.source.kind())];
        if let InterfaceSource::HostDevice { managed: true, .. } = self.source {
            attributes.push(("managed", "yes"));
        }
        let trust = self.trust_guest_rx_filters.map(|trust| ("trustGuestRxFilters", word(trust)));
        attributes.extend(trust);
        w.open("interface", &attributes);
        self.mac.format(w);
        if let InterfaceSource::HostDevice { driver: Some(driver), .. } = &self.source {
            w.empty("driver", &[("name", driver)]);
        }
        self.source.format(w, live);
        self.format_traffic(w);
        self.format_kept(w, &["portForward"]);
        if let Some(script) = &self.script {
            w.empty("script", &[("path", script)]);
        }
        self.format_kept(w, &["downscript", "backenddomain"]);
        self.format_names(w, live);
        if let Some(model) = self.model {
            w.empty("model", &[("type", model)]);
        }
        self.format_kept(w, &["driver", "backend"]);
        if let Some(filter) = &self.filter {
            filter.format(w);
        }
        self.format_kept(w, &["tune", "teaming"]);
        if let Some(link) = self.link {
            w.empty("link", &[("state", link.as_str())]);
        }
        if let Some(mtu) = self.mtu {
            w.empty("mtu", &[("size", &mtu.to_string())]);
        }
        self.format_kept(w, &["coalesce", "boot"]);
        if let Some(alias) = live.and_then(|live| live.alias.as_deref()) {
            w.empty("alias", &[("name", alias)]);
        }
        self.format_kept(w, &["master", "rom", "acpi", "address"]);
        w.close();
    }

    fn format_traffic(&self, w: &mut Writer) {
        if let Some(vlan) = &self.vlan {
            vlan.format(w);
        }
        if let Some(port) = &self.virtual_port {
            port.format(w);
        }
        self.bandwidth.format(w);
        if let Some(isolated) = self.isolated {
            w.empty("port", &[("isolated", word(isolated))]);
        }
        self.ips.iter().for_each(|ip| ip.format(w));
        self.routes.iter().for_each(|route| route.format(w));
    }

    /// The names of both ends.
    fn format_names(&self, w: &mut Writer, live: Option<&LiveInterface>) {
        let target = live.and_then(|live| live.target.as_deref()).or(self.target.as_deref());
        let mut attributes = Vec::new();
        attributes.extend(target.map(|target| ("dev", target)));
        attributes.extend(self.target_managed.map(|managed| ("managed", word(managed))));
        if !attributes.is_empty() {
            w.empty("target", &attributes);
        }
        let actual = live.and_then(|live| live.guest.as_deref());
        let mut attributes = Vec::new();
        attributes.extend(self.guest.as_deref().map(|guest| ("dev", guest)));
        attributes.extend(actual.map(|actual| ("actual", actual)));
        if !attributes.is_empty() {
            w.empty("guest", &attributes);
        }
    }

    fn format_kept(&self, w: &mut Writer, names: &[&str]) {
        for name in names {
            let named = self.kept.iter().filter(|element| element.name == *name);
            named.for_each(|element| shape::format(w, element));
        }
    }
}

#[cfg(test)]
mod tests;
