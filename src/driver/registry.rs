//! All domains, by identity and by name.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::domain::{Domain, not_found};
use crate::error::{Error, ErrorCode, ErrorDomain, Result};
use crate::plan::IdMaps;

/// The domains of one driver. Those that do not exist (any more, or yet) are not found.
#[derive(Debug, Default)]
pub(super) struct Registry(Mutex<Domains>);

/// The same domains twice; both change together.
#[derive(Debug, Default)]
struct Domains {
    by_name: BTreeMap<String, Arc<Domain>>,
    by_uuid: HashMap<Uuid, Arc<Domain>>,
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, Domains> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that exist, by name.
    pub(super) fn all(&self) -> Vec<Arc<Domain>> {
        self.lock().by_name.values().filter(|domain| domain.exists()).cloned().collect()
    }

    pub(super) fn by_uuid(&self, uuid: Uuid) -> Result<Arc<Domain>> {
        existing(self.lock().by_uuid.get(&uuid), format_args!("uuid '{uuid}'"))
    }

    pub(super) fn by_name(&self, name: &str) -> Result<Arc<Domain>> {
        existing(self.lock().by_name.get(name), format_args!("name '{name}'"))
    }

    pub(super) fn by_id(&self, id: u32) -> Result<Arc<Domain>> {
        let domains = self.lock();
        let found = domains.by_name.values().find(|domain| domain.snapshot().id() == Some(id));
        existing(found, format_args!("id {id}"))
    }

    /// The domain of that identity and name, made if there is none. Fails when one of the two is
    /// taken by another domain, with libvirt's words.
    pub(super) fn claim(&self, uuid: Uuid, name: &str) -> Result<Arc<Domain>> {
        let mut domains = self.lock();
        let with_uuid = domains.by_uuid.get(&uuid);
        if let Some(other) = with_uuid.filter(|other| other.name != name) {
            let other = &other.name;
            return Err(taken(format!("domain '{other}' is already defined with uuid {uuid}")));
        }
        let with_name = domains.by_name.get(name);
        if let Some(other) = with_name.filter(|other| other.uuid != uuid) {
            let other = other.uuid;
            return Err(taken(format!("domain '{name}' already exists with uuid {other}")));
        }
        if let Some(domain) = with_name {
            return Ok(domain.clone());
        }
        let domain = Arc::new(Domain::new(uuid, name));
        domains.by_uuid.insert(uuid, domain.clone());
        domains.by_name.insert(name.to_owned(), domain.clone());
        Ok(domain)
    }

    /// Notes the ids of a container that is about to start, and answers with those of all others:
    /// of two that start at the same time with the same ids one sees the other's.
    pub(super) fn take_ids(&self, domain: &Domain, ids: IdMaps) -> Vec<(String, IdMaps)> {
        let domains = self.lock();
        domain.set_ids(ids);
        let others = domains.by_name.values().filter(|it| it.uuid != domain.uuid);
        let others = others.map(|it| (it.name.clone(), it.ids()));
        others.filter(|(_, ids)| !ids.is_empty()).collect()
    }

    /// Forgets a domain that does not exist (any more).
    pub(super) fn release(&self, domain: &Domain) {
        let mut domains = self.lock();
        if domains
            .by_uuid
            .get(&domain.uuid)
            .is_some_and(|it| it.name == domain.name && !it.exists())
        {
            domains.by_uuid.remove(&domain.uuid);
            domains.by_name.remove(&domain.name);
        }
    }
}

fn existing(found: Option<&Arc<Domain>>, what: std::fmt::Arguments<'_>) -> Result<Arc<Domain>> {
    let found = found.filter(|domain| domain.exists()).cloned();
    found.ok_or_else(|| not_found(format_args!("No domain with matching {what}")))
}

fn taken(detail: String) -> Error {
    Error::new(ErrorCode::OperationFailed, detail).in_domain(ErrorDomain::Domain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Domain as Document;

    fn define(domain: &Domain) {
        let text = "<domain type='lxc'><name>a</name><memory>1024</memory>\
                    <os><type>exe</type><init>/i</init></os></domain>";
        let document = Document::parse(text).unwrap();
        domain.publish(|snapshot| snapshot.definition = Some(Arc::new(document)));
    }

    #[test]
    fn a_name_and_an_identity_are_of_one_domain() {
        let registry = Registry::default();
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let domain = registry.claim(one, "a").unwrap();
        assert!(Arc::ptr_eq(&registry.claim(one, "a").unwrap(), &domain));
        let fault = |uuid, name| registry.claim(uuid, name).unwrap_err().message;
        let phrase = "operation failed: domain 'a'";
        assert_eq!(fault(one, "b"), format!("{phrase} is already defined with uuid {one}"));
        assert_eq!(fault(two, "a"), format!("{phrase} already exists with uuid {one}"));

        assert!(registry.by_uuid(one).is_err() && registry.by_name("a").is_err());
        define(&domain);
        registry.release(&domain);
        assert!(Arc::ptr_eq(&registry.by_uuid(one).unwrap(), &domain));
        assert!(Arc::ptr_eq(&registry.by_name("a").unwrap(), &domain));

        domain.publish(|snapshot| snapshot.definition = None);
        registry.release(&domain);
        registry.claim(two, "a").unwrap();
        registry.claim(one, "b").unwrap();
    }
}
