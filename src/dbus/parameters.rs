//! libvirt's typed parameters as dictionaries of variants.

use std::borrow::Cow;
use std::collections::HashMap;

use zbus::{Message, OwnedVariant, Variant};

use super::fault::{Fault, arguments};
use crate::driver::{Parameters, Value};

/// The body of a reply.
pub(super) fn dictionary(parameters: Parameters) -> HashMap<Cow<'static, str>, Variant<'static>> {
    parameters.into_iter().map(|(name, value)| (name, variant(value))).collect()
}

fn variant(value: Value) -> Variant<'static> {
    match value {
        Value::Int(number) => number.into(),
        Value::UInt(number) => number.into(),
        Value::Long(number) => number.into(),
        Value::ULong(number) => number.into(),
        Value::Double(number) => number.into(),
        Value::Boolean(truth) => truth.into(),
        Value::Text(text) => text.into(),
    }
}

/// The arguments of a call that sets parameters, and its flags.
pub(super) fn to_set(call: &Message) -> Result<(Vec<(String, Value)>, u32), Fault> {
    let (dictionary, flags): (HashMap<String, OwnedVariant>, u32) = arguments(call)?;
    let typed = |(name, variant): (String, OwnedVariant)| {
        let value = match &*variant {
            Variant::I32(number) => Value::Int(*number),
            Variant::U32(number) => Value::UInt(*number),
            Variant::I64(number) => Value::Long(*number),
            Variant::U64(number) => Value::ULong(*number),
            Variant::F64(number) => Value::Double(*number),
            Variant::Bool(truth) => Value::Boolean(*truth),
            Variant::Str(text) => Value::Text(text.to_string()),
            other => {
                let signature = other.value_signature();
                let text = format!("parameter '{name}' cannot be of type '{signature}'");
                return Err(Fault::InvalidArguments(text));
            }
        };
        Ok((name, value))
    };
    Ok((dictionary.into_iter().map(typed).collect::<Result<_, _>>()?, flags))
}
