//! Titles, descriptions, and what programs keep with a domain.

use std::sync::Arc;

use super::domain::{Domain, Snapshot};
use super::impact::{AFFECT_CONFIG, AFFECT_LIVE, Impact};
use super::lifecycle::{Operation, State};
use super::records::Record;
use super::{Driver, EventKind, check_flags};
use crate::error::{Error, ErrorCode, ErrorDomain, Result};
use crate::model::{Domain as Document, NewPiece, Piece};

/// `virDomainMetadataType`.
const DESCRIPTION: i32 = 0;
const TITLE: i32 = 1;
const ELEMENT: i32 = 2;

/// What [`Driver::set_metadata`] is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata<'a> {
    /// libvirt's number: 0 the description, 1 the title, 2 an element of `<metadata>`.
    pub kind: i32,
    /// The text, or the element as XML; None takes it away.
    pub text: Option<&'a str>,
    /// The prefix for the element's name space.
    pub key: Option<&'a str>,
    /// The element's name space.
    pub uri: Option<&'a str>,
}

impl Driver {
    /// A domain's description, title, or the element of a name space: as it runs, or (flag 2) as
    /// it will start next.
    pub fn metadata(
        &self,
        domain: &Domain,
        kind: i32,
        uri: Option<&str>,
        flags: u32,
    ) -> Result<String> {
        const FUNCTION: &str = "virDomainGetMetadata";
        Impact::check_one(flags)?;
        let piece = match (kind, uri) {
            (DESCRIPTION | TITLE, Some(_)) => return Err(null("uri", FUNCTION, "be NULL")),
            (ELEMENT, None) => return Err(null("uri", FUNCTION, "not be NULL")),
            (DESCRIPTION, None) => Ok(Piece::Description),
            (TITLE, None) => Ok(Piece::Title),
            (ELEMENT, Some(uri)) => Ok(Piece::Element(uri)),
            _ => Err(unknown(kind)),
        };
        check_flags(flags, AFFECT_LIVE | AFFECT_CONFIG, "virDomainObjGetMetadata")?;
        let piece = piece?;
        let snapshot = domain.snapshot();
        let impact = Impact::of(flags, snapshot.standing())?;
        let document = if impact.live { &snapshot.live } else { &snapshot.definition };
        document.as_ref().ok_or_else(|| domain.not_found())?.piece(piece)
    }

    /// Replaces one of these in the documents that flags mean (1 as it runs, 2 as it will start
    /// next): in all of them, or after an error in none.
    pub async fn set_metadata(
        &self,
        domain: &Domain,
        metadata: Metadata<'_>,
        flags: u32,
    ) -> Result<()> {
        let new = piece_of(metadata);
        check_flags(flags, AFFECT_LIVE | AFFECT_CONFIG, "lxcDomainSetMetadata")?;
        let (_turn, _) = domain.job(Operation::Describe).await?;
        let snapshot = domain.snapshot();
        let impact = Impact::of(flags, snapshot.standing())?;
        let new = new?;
        let change = |document: &Option<Arc<Document>>, asked: bool| {
            let document = document.as_ref().filter(|_| asked);
            document.map(|it| it.with_piece(&new).map(Arc::new)).transpose()
        };
        let live = change(&snapshot.live, impact.live)?;
        let definition = change(&snapshot.definition, impact.config)?;
        self.keep(domain, &snapshot, live.as_deref(), definition.clone()).await?;
        domain.publish(|snapshot| {
            snapshot.live = live.or(snapshot.live.take());
            snapshot.definition = definition.or(snapshot.definition.take());
        });
        let uri = metadata.uri.unwrap_or_default().to_owned();
        self.tell(domain, EventKind::Metadata { kind: metadata.kind, uri });
        Ok(())
    }

    /// Stores both documents or none. Syncing a definition takes its time; other domains do not
    /// wait for it.
    pub(super) async fn keep(
        &self,
        domain: &Domain,
        before: &Snapshot,
        live: Option<&Document>,
        definition: Option<Arc<Document>>,
    ) -> Result<()> {
        let save = async |document: Option<Arc<Document>>| {
            let Some(document) = document else { return Ok(()) };
            let store = self.store.clone();
            let saved = tokio::task::spawn_blocking(move || store.save(&document)).await;
            saved.map_err(|e| Error::new(ErrorCode::InternalError, e))?
        };
        let changed = definition.is_some();
        save(definition).await?;
        let Some(live) = live else { return Ok(()) };
        let recorded = domain.run().and_then(|run| {
            let group = run.group.path().to_owned();
            let (supervisor, reason) = (live.id, before.reason);
            let paused = before.state == State::Paused;
            self.store.record(&Record { supervisor, paused, reason, group, live: live.clone() })
        });
        if let Err(error) = recorded {
            let old = before.definition.clone().filter(|_| changed);
            if let Err(error) = save(old).await {
                tracing::error!("domain '{}' keeps half a change: {error}", live.name);
            }
            return Err(error);
        }
        Ok(())
    }
}

/// What is asked for, with libvirt's rules about which arguments go together.
fn piece_of(metadata: Metadata<'_>) -> Result<NewPiece<'_>> {
    const FUNCTION: &str = "virDomainSetMetadata";
    let Metadata { kind, text, key, uri } = metadata;
    if kind == DESCRIPTION || kind == TITLE {
        let new = if kind == TITLE { NewPiece::title(text)? } else { NewPiece::Description(text) };
        return match (uri, key) {
            (Some(_), _) => Err(null("uri", FUNCTION, "be NULL")),
            (None, Some(_)) => Err(null("key", FUNCTION, "be NULL")),
            (None, None) => Ok(new),
        };
    }
    if kind != ELEMENT {
        return Err(unknown(kind));
    }
    let uri = uri.ok_or_else(|| null("uri", FUNCTION, "not be NULL"))?;
    match text {
        None => Ok(NewPiece::Element { uri, element: None }),
        Some(text) => {
            let key = key.ok_or_else(|| null("key", FUNCTION, "not be NULL"))?;
            NewPiece::element(text, key, uri)
        }
    }
}

fn null(argument: &str, function: &str, rule: &str) -> Error {
    Error::bare(ErrorCode::InvalidArg, format!("{argument} in {function} must {rule}"))
        .in_domain(ErrorDomain::Domain)
}

fn unknown(kind: i32) -> Error {
    let detail = format!("unknown metadata type '{kind}'");
    Error::new(ErrorCode::InvalidArg, detail).in_domain(ErrorDomain::Domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_go_together_as_in_libvirt() {
        let text = |kind, text, key, uri| {
            piece_of(Metadata { kind, text, key, uri }).map_err(|error| error.message).map(drop)
        };
        let fault = |text: &str| Err(text.to_owned());
        let set = |rule: &str| fault(&rule.replace("in", "in virDomainSetMetadata must"));
        assert_eq!(text(0, Some("x"), None, Some("u")), set("uri in be NULL"));
        assert_eq!(text(1, None, Some("k"), None), set("key in be NULL"));
        assert_eq!(text(2, None, None, None), set("uri in not be NULL"));
        assert_eq!(text(2, Some("<x/>"), None, Some("u")), set("key in not be NULL"));
        let number = "invalid argument: unknown metadata type '3'";
        assert_eq!(text(3, Some("x"), Some("k"), Some("u")), fault(number));
        assert_eq!(text(2, None, Some("k"), Some("u")), Ok(()));
        assert_eq!(text(2, Some("<x/>"), Some("k"), Some("u")), Ok(()));
    }
}
