//! The structures that several calls have.

use uuid::Uuid;

use super::xdr::{Decode, Decoder, Encode, Encoder, List, Malformed};
use crate::driver::{Domain, Value};

/// A domain as clients name it. They may have an old ID, and domains are found by UUID alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DomainRef {
    /// Its name, when the client last asked.
    pub(super) name: String,
    /// Its identity.
    pub(super) uuid: Uuid,
    /// libvirt's ID: -1 when it does not run.
    pub(super) id: i32,
}

impl DomainRef {
    /// A domain as it is now.
    pub(super) fn of(domain: &Domain) -> Self {
        let id = domain.snapshot().id();
        Self { name: domain.name.clone(), uuid: domain.uuid, id: id_number(id) }
    }
}

/// libvirt's ID as a number.
pub(super) fn id_number(id: Option<u32>) -> i32 {
    id.and_then(|id| id.try_into().ok()).unwrap_or(-1)
}

impl Decode for DomainRef {
    fn decode(from: &mut Decoder<'_>) -> Result<Self, Malformed> {
        let (name, uuid, id) = Decode::decode(from)?;
        Ok(Self { name, uuid, id })
    }
}

impl Encode for DomainRef {
    fn encode(&self, to: &mut Encoder) {
        let Self { name, uuid, id } = self;
        (name.as_str(), *uuid, *id).encode(to);
    }
}

/// A typed parameter: its name, and a value after the number of its type.
pub(super) type Parameter = (String, Value);

/// Parameters of a call or a reply, at most so many.
pub(super) type Parameters<const MOST: usize> = List<Parameter, MOST>;

/// Parameters of the driver for a reply.
pub(super) fn parameters<const MOST: usize>(
    parameters: impl IntoIterator<Item = (impl Into<String>, Value)>,
) -> Parameters<MOST> {
    List(parameters.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

impl Decode for Value {
    fn decode(from: &mut Decoder<'_>) -> Result<Self, Malformed> {
        Ok(match i32::decode(from)? {
            1 => Self::Int(Decode::decode(from)?),
            2 => Self::UInt(Decode::decode(from)?),
            3 => Self::Long(Decode::decode(from)?),
            4 => Self::ULong(Decode::decode(from)?),
            5 => Self::Double(Decode::decode(from)?),
            6 => Self::Boolean(Decode::decode(from)?),
            7 => Self::Text(Decode::decode(from)?),
            _ => return Err(Malformed),
        })
    }
}

impl Encode for Value {
    fn encode(&self, to: &mut Encoder) {
        match self {
            Self::Int(number) => (1_i32, *number).encode(to),
            Self::UInt(number) => (2_i32, *number).encode(to),
            Self::Long(number) => (3_i32, *number).encode(to),
            Self::ULong(number) => (4_i32, *number).encode(to),
            Self::Double(number) => (5_i32, *number).encode(to),
            Self::Boolean(truth) => (6_i32, *truth).encode(to),
            Self::Text(text) => (7_i32, text.as_str()).encode(to),
        }
    }
}
