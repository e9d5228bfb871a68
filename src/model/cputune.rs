//! `<cputune>`: the share of processor time, its limits, and who runs where.

use std::collections::{HashMap, HashSet};

use super::iothreads::IoThreads;
use super::read::{
    all, first, internal, missing_attr, number, number_attr, positive_attr, required, words,
};
use super::resctrl::{self, ResourceControl};
use super::{Bitmap, Vcpus};
use crate::error::Result;
use crate::xml::{Element, Writer};

/// Everything about processor time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CpuTune {
    /// The container's share of the processors when there are not enough.
    pub shares: Option<u64>,
    /// The limit of the whole container.
    pub bandwidth: Bandwidth,
    /// `global_period` and `global_quota`; without effect on containers.
    pub global: Bandwidth,
    /// `emulator_period` and `emulator_quota`; without effect on containers.
    pub emulator: Bandwidth,
    /// `iothread_period` and `iothread_quota`; without effect on containers.
    pub iothread: Bandwidth,
    /// Host processors of single virtual ones, by number; without effect on containers.
    pub vcpu_pins: Vec<(u32, Bitmap)>,
    /// Host processors of the supervisor; without effect on containers.
    pub emulator_pin: Option<Bitmap>,
    /// Host processors of threads, in the order of the threads; without effect on containers.
    pub iothread_pins: Vec<(u32, Bitmap)>,
    /// How the supervisor is scheduled; without effect on containers.
    pub emulator_scheduler: Option<Scheduler>,
    /// How single virtual processors are scheduled; without effect on containers.
    pub vcpu_schedulers: Vec<(u32, Scheduler)>,
    /// How threads are scheduled; without effect on containers.
    pub iothread_schedulers: Vec<(u32, Scheduler)>,
    /// Parts of caches and of the way to memory; without effect on containers.
    pub resource_control: ResourceControl,
}

/// Processor time in a period, in microseconds; 0 when not set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bandwidth {
    /// The period.
    pub period: u64,
    /// The time; negative for no limit.
    pub quota: i64,
}

words! {
    /// A way to schedule.
    pub enum SchedulerKind {
        /// Long computations.
        Batch = "batch",
        /// When nothing else runs.
        Idle = "idle",
        /// Until it gives way.
        Fifo = "fifo",
        /// In turn with others of its priority.
        RoundRobin = "rr",
    }
}

/// A way to schedule, with its priority where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scheduler {
    /// The way.
    pub kind: SchedulerKind,
    /// The priority of a real-time task.
    pub priority: Option<i32>,
}

impl CpuTune {
    pub(super) fn parse(root: &Element, vcpus: &Vcpus, threads: &IoThreads) -> Result<Self> {
        let emulator_pin = pins(root, "emulatorpin", |_| Ok(Some(0)))?;
        let emulator_schedulers = schedulers(root, "emulatorsched", None, |_, _| Ok(()))?;
        only_one(root, "emulatorpin", emulator_pin.len())?;
        only_one(root, "emulatorsched", emulator_schedulers.len())?;
        Ok(Self {
            shares: shares(root)?,
            bandwidth: Bandwidth::parse(root, "period", "quota")?,
            global: Bandwidth::parse(root, "global_period", "global_quota")?,
            emulator: Bandwidth::parse(root, "emulator_period", "emulator_quota")?,
            iothread: Bandwidth::parse(root, "iothread_period", "iothread_quota")?,
            vcpu_pins: vcpu_pins(root, vcpus)?,
            emulator_pin: emulator_pin.into_iter().next().map(|(_, set)| set),
            iothread_pins: iothread_pins(root, threads)?,
            emulator_scheduler: emulator_schedulers.first().map(|&(_, scheduler)| scheduler),
            vcpu_schedulers: vcpu_schedulers(root, vcpus)?,
            iothread_schedulers: iothread_schedulers(root, threads)?,
            resource_control: resctrl::parse(root, vcpus)?,
        })
    }

    /// Whether anything runs on chosen processors of the host.
    pub(super) fn is_pinned(&self) -> bool {
        self.emulator_pin.is_some() || !self.vcpu_pins.is_empty() || !self.iothread_pins.is_empty()
    }

    pub(super) fn format(&self, w: &mut Writer) {
        if *self == Self::default() {
            return;
        }
        w.open("cputune", &[]);
        w.optional_leaf("shares", self.shares.map(|shares| shares.to_string()).as_deref());
        self.bandwidth.format(w, "period", "quota");
        self.global.format(w, "global_period", "global_quota");
        self.emulator.format(w, "emulator_period", "emulator_quota");
        self.iothread.format(w, "iothread_period", "iothread_quota");
        self.format_pins(w);
        self.format_schedulers(w);
        resctrl::format(w, &self.resource_control);
        w.close();
    }

    fn format_pins(&self, w: &mut Writer) {
        for (vcpu, set) in &self.vcpu_pins {
            w.empty("vcpupin", &[("vcpu", &vcpu.to_string()), ("cpuset", &set.to_string())]);
        }
        if let Some(set) = &self.emulator_pin {
            w.empty("emulatorpin", &[("cpuset", &set.to_string())]);
        }
        for (thread, set) in &self.iothread_pins {
            let attributes = [("iothread", &*thread.to_string()), ("cpuset", &set.to_string())];
            w.empty("iothreadpin", &attributes);
        }
    }

    fn format_schedulers(&self, w: &mut Writer) {
        if let Some(scheduler) = self.emulator_scheduler {
            scheduler.format(w, "emulatorsched", None);
        }
        for (vcpu, scheduler) in &self.vcpu_schedulers {
            scheduler.format(w, "vcpusched", Some(("vcpus", *vcpu)));
        }
        for (thread, scheduler) in &self.iothread_schedulers {
            scheduler.format(w, "iothreadsched", Some(("iothreads", *thread)));
        }
    }
}

/// The number in an element of `<cputune>`.
fn tune<T: std::str::FromStr>(root: &Element, name: &str) -> Result<Option<T>> {
    let Some(element) = first(root, "cputune", name) else { return Ok(None) };
    let text = element.text();
    if text.is_empty() {
        return Ok(None);
    }
    number(&text).map(Some).ok_or_else(|| {
        let name = name.replace('_', " ");
        element.error(format_args!("can't parse cputune {name} value '{text}': expected a number"))
    })
}

fn out_of_range(
    root: &Element,
    name: &str,
    range: &std::ops::RangeInclusive<u64>,
) -> crate::error::Error {
    let element = first(root, "cputune", name).unwrap_or(root);
    element.unsupported(format_args!(
        "Value of cputune '{name}' must be in range [{}, {}], not '{}'",
        range.start(),
        range.end(),
        element.text()
    ))
}

fn shares(root: &Element) -> Result<Option<u64>> {
    let range = 2..=262_144;
    match tune(root, "shares")? {
        Some(shares) if shares != 0 && !range.contains(&shares) => {
            Err(out_of_range(root, "shares", &range))
        }
        shares => Ok(shares),
    }
}

impl Bandwidth {
    /// Reads the elements of these names.
    fn parse(root: &Element, period_name: &str, quota_name: &str) -> Result<Self> {
        let period = tune(root, period_name)?.unwrap_or(0);
        let range = 1000..=1_000_000;
        if period != 0 && !range.contains(&period) {
            return Err(out_of_range(root, period_name, &range));
        }
        let quota: i64 = tune(root, quota_name)?.unwrap_or(0);
        let range = 1000..=17_592_186_044_415;
        if quota > 0 && !range.contains(&quota.unsigned_abs()) {
            return Err(out_of_range(root, quota_name, &range));
        }
        Ok(Self { period, quota })
    }

    fn format(self, w: &mut Writer, period_name: &str, quota_name: &str) {
        if self.period != 0 {
            w.leaf(period_name, &[], &self.period.to_string());
        }
        if self.quota != 0 {
            w.leaf(quota_name, &[], &self.quota.to_string());
        }
    }
}

fn only_one(root: &Element, name: &str, count: usize) -> Result<()> {
    match all(root, "cputune", name).nth(1) {
        Some(second) if count > 1 => {
            Err(second.error(format_args!("only one {name} is supported")))
        }
        _ => Ok(()),
    }
}

/// The sets of processors in elements of a name, with what `id` finds in each; those in which it
/// finds none do not count.
fn pins(
    root: &Element,
    name: &str,
    id: impl Fn(&Element) -> Result<Option<u32>>,
) -> Result<Vec<(u32, Bitmap)>> {
    let pin = |element: &Element| {
        let Some(id) = id(element)? else { return Ok(None) };
        let set = Bitmap::filled_attr(element, "cpuset")?;
        let set =
            set.ok_or_else(|| internal(element, format_args!("missing cpuset for {name}")))?;
        Ok(Some((id, set)))
    };
    all(root, "cputune", name).filter_map(|element| pin(element).transpose()).collect()
}

/// Pins of processors that there are not are dropped, as in libvirt.
fn vcpu_pins(root: &Element, vcpus: &Vcpus) -> Result<Vec<(u32, Bitmap)>> {
    let id = |element: &Element| {
        let vcpu: u32 = required(element, "vcpu", number_attr(element, "vcpu")?)?;
        Ok(Some(vcpu).filter(|&vcpu| vcpu < vcpus.maximum))
    };
    let mut pins = pins(root, "vcpupin", id)?;
    pins.sort_by_key(|(vcpu, _)| *vcpu);
    let twice = pins.windows(2).find_map(|pair| match pair {
        [(a, _), (b, _)] if a == b => Some(*a),
        _ => None,
    });
    match twice {
        None => Ok(pins),
        Some(vcpu) => {
            let element = all(root, "cputune", "vcpupin").last().unwrap_or(root);
            Err(internal(element, format_args!("duplicate vcpupin for vcpu '{vcpu}'")))
        }
    }
}

fn iothread_pins(root: &Element, threads: &IoThreads) -> Result<Vec<(u32, Bitmap)>> {
    let known = threads.ids.iter().copied().collect();
    let id = |element: &Element| {
        let id = required(element, "iothread", positive_attr(element, "iothread")?)?;
        check_thread(element, &known, id).map(|()| Some(id))
    };
    let pins = pins(root, "iothreadpin", id)?;
    in_order(root, "iothreadpin", pins, threads)
}

fn check_thread(element: &Element, threads: &HashSet<u32>, id: u32) -> Result<()> {
    match threads.contains(&id) {
        true => Ok(()),
        false => Err(element.unsupported(format_args!("Cannot find 'iothread' : {id}"))),
    }
}

/// What is set for threads, in the order of the threads.
fn in_order<T>(
    root: &Element,
    name: &str,
    settings: Vec<(u32, T)>,
    threads: &IoThreads,
) -> Result<Vec<(u32, T)>> {
    let mut by_thread = HashMap::with_capacity(settings.len());
    for (id, setting) in settings {
        if by_thread.insert(id, setting).is_some() {
            let element = all(root, "cputune", name).last().unwrap_or(root);
            let detail = format_args!("duplicate {name} for same iothread '{id}'");
            return Err(internal(element, detail));
        }
    }
    Ok(threads.ids.iter().filter_map(|&id| Some((id, by_thread.remove(&id)?))).collect())
}

/// The schedulers in elements of a name; with the name of an attribute, for the numbers in it, each
/// of which is to pass a check.
fn schedulers(
    root: &Element,
    name: &str,
    attribute: Option<&str>,
    check: impl Fn(&Element, u32) -> Result<()>,
) -> Result<Vec<(u32, Scheduler)>> {
    let mut found: Vec<(u32, Scheduler)> = Vec::new();
    let mut taken = Bitmap::default();
    for element in all(root, "cputune", name) {
        let ids = match attribute {
            None => Bitmap::from_iter([0]),
            Some(attribute) => scheduled(element, attribute)?,
        };
        let scheduler = Scheduler::parse(element)?;
        for id in ids.iter() {
            check(element, id)?;
            if let Some(attribute) = attribute
                && taken.contains(id)
            {
                let detail = format_args!("'{name}' attributes '{attribute}' must not overlap");
                return Err(super::read::detail(element, detail));
            }
        }
        found.extend(ids.iter().map(|id| (id, scheduler)));
        taken = taken.iter().chain(ids.iter()).collect();
    }
    Ok(found)
}

fn scheduled(element: &Element, attribute: &str) -> Result<Bitmap> {
    let name = &element.name;
    let set = Bitmap::attr(element, attribute)?.ok_or_else(|| missing_attr(element, attribute))?;
    if set.is_empty() {
        let text = element.attr(attribute).unwrap_or_default();
        return Err(element.unsupported(format_args!(
            "'{attribute}' scheduler bitmap '{text}' of <{name}> is empty"
        )));
    }
    Ok(set)
}

fn vcpu_schedulers(root: &Element, vcpus: &Vcpus) -> Result<Vec<(u32, Scheduler)>> {
    let is_there = |element: &Element, vcpu| {
        if vcpu < vcpus.maximum {
            return Ok(());
        }
        let text = format_args!("vCPU '{vcpu}' is not present in domain definition");
        Err(element.unsupported(text))
    };
    let mut found = schedulers(root, "vcpusched", Some("vcpus"), is_there)?;
    found.sort_by_key(|(vcpu, _)| *vcpu);
    Ok(found)
}

fn iothread_schedulers(root: &Element, threads: &IoThreads) -> Result<Vec<(u32, Scheduler)>> {
    let known = threads.ids.iter().copied().collect();
    let is_there = |element: &Element, id| check_thread(element, &known, id);
    let found = schedulers(root, "iothreadsched", Some("iothreads"), is_there)?;
    in_order(root, "iothreadsched", found, threads)
}

impl Scheduler {
    fn parse(element: &Element) -> Result<Self> {
        let kind = required(element, "scheduler", SchedulerKind::attr(element, "scheduler")?)?;
        let priority = match kind {
            SchedulerKind::Fifo | SchedulerKind::RoundRobin => {
                Some(required(element, "priority", number_attr(element, "priority")?)?)
            }
            SchedulerKind::Batch | SchedulerKind::Idle => None,
        };
        Ok(Self { kind, priority })
    }

    fn format(self, w: &mut Writer, name: &str, id: Option<(&str, u32)>) {
        let id = id.map(|(attribute, id)| (attribute, id.to_string()));
        let priority = self.priority.map(|priority| priority.to_string());
        let mut attributes = Vec::new();
        attributes.extend(id.as_ref().map(|(attribute, id)| (*attribute, id.as_str())));
        attributes.push(("scheduler", self.kind.as_str()));
        attributes.extend(priority.as_ref().map(|priority| ("priority", priority.as_str())));
        w.empty(name, &attributes);
    }
}

#[cfg(test)]
mod tests;
