//! All domains, by identity and by name.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::domain::{Domain, not_found};
use crate::error::{Error, ErrorCode, ErrorDomain, Result};

/// The domains of one driver. Those that do not exist (any more, or yet) are not found.
#[derive(Debug, Default)]
pub(super) struct Registry {
    by_name: Mutex<BTreeMap<String, Arc<Domain>>>,
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Domain>>> {
        self.by_name.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that exist, by name.
    pub(super) fn all(&self) -> Vec<Arc<Domain>> {
        self.lock().values().filter(|domain| domain.exists()).cloned().collect()
    }

    fn find(
        &self,
        wanted: impl Fn(&Domain) -> bool,
        what: impl std::fmt::Display,
    ) -> Result<Arc<Domain>> {
        let domains = self.lock();
        let found = domains.values().find(|domain| wanted(domain) && domain.exists());
        found.cloned().ok_or_else(|| not_found(format!("No domain with matching {what}")))
    }

    pub(super) fn by_uuid(&self, uuid: Uuid) -> Result<Arc<Domain>> {
        self.find(|domain| domain.uuid == uuid, format!("uuid '{uuid}'"))
    }

    pub(super) fn by_name(&self, name: &str) -> Result<Arc<Domain>> {
        let domain = self.lock().get(name).filter(|domain| domain.exists()).cloned();
        domain.ok_or_else(|| not_found(format!("No domain with matching name '{name}'")))
    }

    pub(super) fn by_id(&self, id: u32) -> Result<Arc<Domain>> {
        self.find(|domain| domain.snapshot().id() == Some(id), format!("id {id}"))
    }

    /// The domain of that identity and name, made if there is none. Fails when one of the two is
    /// taken by another domain, with libvirt's words.
    pub(super) fn claim(&self, uuid: Uuid, name: &str) -> Result<Arc<Domain>> {
        let mut domains = self.lock();
        if let Some(other) = domains.values().find(|it| it.uuid == uuid && it.name != name) {
            return Err(taken(format!(
                "domain '{}' is already defined with uuid {uuid}",
                other.name
            )));
        }
        let domain =
            domains.entry(name.to_owned()).or_insert_with(|| Arc::new(Domain::new(uuid, name)));
        if domain.uuid != uuid {
            return Err(taken(format!("domain '{name}' already exists with uuid {}", domain.uuid)));
        }
        Ok(domain.clone())
    }

    /// Forgets a domain that does not exist (any more).
    pub(super) fn release(&self, domain: &Domain) {
        let mut domains = self.lock();
        if domains.get(&domain.name).is_some_and(|it| it.uuid == domain.uuid && !it.exists()) {
            domains.remove(&domain.name);
        }
    }
}

fn taken(detail: String) -> Error {
    Error::new(ErrorCode::OperationFailed, detail).in_domain(ErrorDomain::Domain)
}
