//! Domains that end with the client that started them.

use std::sync::{Arc, Mutex, PoisonError};

use super::Driver;
use super::domain::{Domain, Run};
use crate::error::{Error, ErrorCode, Result};

/// `VIR_DOMAIN_START_AUTODESTROY`.
const AUTODESTROY: u32 = 1 << 1;

/// A client that can go away.
#[derive(Debug, Default)]
pub struct Client(Mutex<Owned>);

#[derive(Debug, Default)]
struct Owned {
    runs: Vec<(Arc<Domain>, Arc<Run>)>,
    is_gone: bool,
}

impl Driver {
    /// Starts a defined domain; with flag 2 it ends with the client.
    pub async fn create_for(
        self: &Arc<Self>,
        client: &Client,
        domain: &Arc<Domain>,
        flags: u32,
    ) -> Result<()> {
        self.create(domain, flags & !AUTODESTROY).await?;
        self.bind(client, domain, flags).await
    }

    /// Starts a domain from a document that is not kept; with flag 2 it ends with the client.
    pub async fn create_xml_for(
        self: &Arc<Self>,
        client: &Client,
        text: &str,
        flags: u32,
    ) -> Result<Arc<Domain>> {
        let domain = self.create_xml(text, flags & !AUTODESTROY).await?;
        self.bind(client, &domain, flags).await?;
        Ok(domain)
    }

    async fn bind(&self, client: &Client, domain: &Arc<Domain>, flags: u32) -> Result<()> {
        if flags & AUTODESTROY == 0 {
            return Ok(());
        }
        // A domain that has ended already has nothing to end.
        let Ok(run) = domain.run() else { return Ok(()) };
        let is_gone = {
            let mut owned = client.0.lock().unwrap_or_else(PoisonError::into_inner);
            owned.runs.retain(|(domain, run)| is_same(domain, run));
            owned.runs.push((domain.clone(), run));
            owned.is_gone
        };
        if is_gone {
            self.leave(client).await;
            let text = "the client of the domain is gone";
            return Err(Error::new(ErrorCode::OperationFailed, text));
        }
        Ok(())
    }

    /// Ends what is to end with a client; one that was started anew since belongs to somebody else.
    pub async fn leave(&self, client: &Client) {
        let runs = {
            let mut owned = client.0.lock().unwrap_or_else(PoisonError::into_inner);
            owned.is_gone = true;
            std::mem::take(&mut owned.runs)
        };
        for (domain, run) in runs {
            if is_same(&domain, &run)
                && let Err(error) = self.destroy(&domain, 0).await
            {
                tracing::warn!("domain '{}' does not end with its client: {error}", domain.name);
            }
        }
    }
}

fn is_same(domain: &Domain, run: &Arc<Run>) -> bool {
    domain.run().is_ok_and(|now| Arc::ptr_eq(&now, run))
}
