//! Devices that come, go and change: in the document that runs, in the definition, or in both.

use std::sync::Arc;

use super::domain::{Domain, Snapshot};
use super::impact::{AFFECT_CONFIG, AFFECT_LIVE, Impact};
use super::lifecycle::Operation;
use super::{Driver, EventKind, check_flags};
use crate::error::Result;
use crate::model::{Changed, Device, DeviceChange, DeviceKind, Domain as Document, View};

impl Driver {
    /// Adds the device of a document to what flags mean: 1 as the domain runs, 2 as it will start
    /// next; neither is what counts now.
    pub async fn attach_device(&self, domain: &Domain, text: &str, flags: u32) -> Result<()> {
        check_flags(flags, AFFECT_LIVE | AFFECT_CONFIG, "lxcDomainAttachDeviceFlags")?;
        self.change_device(domain, DeviceChange::Attach, text, flags).await
    }

    /// Takes the device that a document means away.
    pub async fn detach_device(&self, domain: &Domain, text: &str, flags: u32) -> Result<()> {
        check_flags(flags, AFFECT_LIVE | AFFECT_CONFIG, "lxcDomainDetachDeviceFlags")?;
        self.change_device(domain, DeviceChange::Detach, text, flags).await
    }

    /// Makes the device that a document means what it says.
    pub async fn update_device(&self, domain: &Domain, text: &str, flags: u32) -> Result<()> {
        check_flags(flags, AFFECT_LIVE | AFFECT_CONFIG, "lxcDomainUpdateDeviceFlags")?;
        self.change_device(domain, DeviceChange::Update, text, flags).await
    }

    async fn change_device(
        &self,
        domain: &Domain,
        change: DeviceChange,
        text: &str,
        flags: u32,
    ) -> Result<()> {
        let (_turn, _) = domain.job(Operation::Tune).await?;
        let snapshot = domain.snapshot();
        let impact = Impact::of(flags, snapshot.standing())?;
        let device = Device::parse(text)?;
        let changed = |document: &Option<Arc<Document>>, asked: bool, view| {
            let document = document.as_ref().filter(|_| asked);
            document.map(|it| it.with_change(change, &device, view)).transpose()
        };
        let definition = changed(&snapshot.definition, impact.config, View::Inactive)?;
        let definition = definition.map(|changed| Arc::new(changed.domain));
        let Some(mut live) = changed(&snapshot.live, impact.live, View::Live)? else {
            self.keep(domain, &snapshot, None, definition.clone()).await?;
            domain.publish(|snapshot| snapshot.definition = definition);
            return Ok(());
        };
        self.change_live(domain, &snapshot, change, &mut live, definition.clone()).await?;
        let event = event(change, &live);
        domain.publish(|snapshot| {
            snapshot.live = Some(Arc::new(live.domain));
            snapshot.definition = definition.or(snapshot.definition.take());
        });
        if let Some(event) = event {
            self.tell(domain, event);
        }
        Ok(())
    }

    /// Changes what runs. It is on record before that, so that a daemon which comes after a crash
    /// knows of everything there may be.
    async fn change_live(
        &self,
        domain: &Domain,
        before: &Snapshot,
        change: DeviceChange,
        live: &mut Changed,
        definition: Option<Arc<Document>>,
    ) -> Result<()> {
        let plug = self.plug(domain, change, live).await?;
        let old = before.definition.clone().filter(|_| definition.is_some());
        self.keep(domain, before, Some(&live.domain), definition).await?;
        if let Err(error) = plug.carry_out(&mut live.domain).await {
            let kept = self.keep(domain, before, before.live.as_deref(), old).await;
            return Err(super::run::also(error, kept));
        }
        Ok(())
    }
}

fn event(change: DeviceChange, changed: &Changed) -> Option<EventKind> {
    let alias = |device: &Option<DeviceKind>| {
        device.as_ref().and_then(DeviceKind::alias).unwrap_or_default().to_owned()
    };
    match change {
        DeviceChange::Attach => Some(EventKind::DeviceAdded { alias: alias(&changed.new) }),
        DeviceChange::Detach => Some(EventKind::DeviceRemoved { alias: alias(&changed.old) }),
        DeviceChange::Update => None,
    }
}
