//! libvirt's typed parameters: named values of one of seven types.

use std::borrow::Cow;

use crate::error::{Error, ErrorCode, Result};

/// Names and values, in order.
pub type Parameters = Vec<(Cow<'static, str>, Value)>;

/// A value with its type.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `int`
    Int(i32),
    /// `uint`
    UInt(u32),
    /// `llong`
    Long(i64),
    /// `ullong`
    ULong(u64),
    /// `double`
    Double(f64),
    /// `boolean`
    Boolean(bool),
    /// `string`
    Text(String),
}

impl Value {
    fn kind(&self) -> &'static str {
        match self {
            Self::Int(_) => "int",
            Self::UInt(_) => "uint",
            Self::Long(_) => "llong",
            Self::ULong(_) => "ullong",
            Self::Double(_) => "double",
            Self::Boolean(_) => "boolean",
            Self::Text(_) => "string",
        }
    }
}

/// Parameters that a client sets, all known and of the right type.
#[derive(Debug)]
pub(in crate::driver) struct Set<'a>(&'a [(String, Value)]);

impl<'a> Set<'a> {
    /// Checks them against names with types; `function` is what libvirt's library calls the call.
    pub(in crate::driver) fn check(
        parameters: &'a [(String, Value)],
        known: &[(&str, &str)],
        function: &str,
    ) -> Result<Self> {
        if parameters.is_empty() {
            let message = format!("params in {function} must not be NULL");
            return Err(Error::bare(ErrorCode::InvalidArg, message));
        }
        for (name, value) in parameters {
            let Some((_, expected)) = known.iter().find(|(known, _)| known == name) else {
                let text = format!("parameter '{name}' not supported");
                return Err(Error::new(ErrorCode::ArgumentUnsupported, text));
            };
            let kind = value.kind();
            if kind != *expected {
                return Err(invalid(format!(
                    "invalid type '{kind}' for parameter '{name}', expected '{expected}'"
                )));
            }
            if parameters.iter().filter(|(other, _)| other == name).count() > 1 {
                return Err(invalid(format!("parameter '{name}' occurs multiple times")));
            }
        }
        Ok(Self(parameters))
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    pub(in crate::driver) fn uint(&self, name: &str) -> Option<u32> {
        match self.get(name) {
            Some(Value::UInt(number)) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn ulong(&self, name: &str) -> Option<u64> {
        match self.get(name) {
            Some(Value::ULong(number)) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn long(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Some(Value::Long(number)) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        match self.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }
}

pub(super) fn invalid(detail: impl std::fmt::Display) -> Error {
    Error::new(ErrorCode::InvalidArg, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_libvirts() {
        let known = [("weight", "uint")];
        let text = |parameters: &[(&str, Value)]| {
            let owned: Vec<_> =
                parameters.iter().map(|(k, v)| (k.to_string(), v.clone())).collect();
            Set::check(&owned, &known, "virDomainSetX").unwrap_err().message
        };
        assert_eq!(text(&[]), "params in virDomainSetX must not be NULL");
        assert_eq!(
            text(&[("nope", Value::UInt(1))]),
            "argument unsupported: parameter 'nope' not supported"
        );
        assert_eq!(
            text(&[("weight", Value::ULong(1))]),
            "invalid argument: invalid type 'ullong' for parameter 'weight', expected 'uint'"
        );
        let twice = [("weight", Value::UInt(1)), ("weight", Value::UInt(2))];
        assert_eq!(text(&twice), "invalid argument: parameter 'weight' occurs multiple times");
    }
}
