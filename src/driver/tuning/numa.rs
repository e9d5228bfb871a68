//! Memory nodes of the host, as `<numatune>` chooses them.

use super::{Parameters, Value};
use crate::driver::Driver;
use crate::driver::domain::Domain;
use crate::error::Result;
use crate::model::NumaMode;

impl Driver {
    /// From which nodes memory comes, and how (`virDomainNumatuneMemMode`); without nodes, from
    /// any.
    pub fn numa_parameters(&self, domain: &Domain, flags: u32) -> Result<Parameters> {
        let (_, document) = self.source(domain, flags, "lxcDomainGetNumaParameters")?;
        let memory = document.numa_tune.memory.as_ref();
        let mode = match memory.map_or(NumaMode::Strict, |memory| memory.mode) {
            NumaMode::Strict => 0,
            NumaMode::Preferred => 1,
            NumaMode::Interleave => 2,
            NumaMode::Restrictive => 3,
        };
        let nodes = memory.and_then(|memory| memory.nodeset.as_ref());
        let nodes = nodes.map_or_else(String::new, ToString::to_string);
        Ok(vec![
            ("numa_mode".into(), Value::Int(mode)),
            ("numa_nodeset".into(), Value::Text(nodes)),
        ])
    }
}
