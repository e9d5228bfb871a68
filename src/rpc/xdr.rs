//! XDR (RFC 4506) as libvirt's protocol uses it: big endian, everything in units of four bytes.
//!
//! Lenient where real clients are: any word but 0 is true, padding may be anything, bytes may
//! follow the arguments, and a text ends at a NUL. Strict about lengths: none is believed before
//! the bytes for it are there, so that nothing is allocated for what a client only claims.

use std::fmt;

use uuid::Uuid;

/// Longest text, in bytes.
pub(super) const MAX_TEXT: usize = 4 << 20;
/// Most bytes of an opaque value that any call takes: a map of processors.
const MAX_OPAQUE: usize = 2048;

/// What a client sent is not what the call takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// What is to be sent does not fit into the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TooLarge(pub(super) String);

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The bytes of arguments that are not read yet.
#[derive(Debug)]
pub(super) struct Decoder<'a>(&'a [u8]);

impl<'a> Decoder<'a> {
    /// Reads arguments.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.try_into().map_err(|_| Malformed)
    }

    /// A length, at most so much.
    fn length(&mut self, most: usize) -> Result<usize, Malformed> {
        let length = usize::try_from(u32::decode(self)?).map_err(|_| Malformed)?;
        if length <= most { Ok(length) } else { Err(Malformed) }
    }

    /// Bytes after their length, with their padding.
    fn opaque(&mut self, most: usize) -> Result<&'a [u8], Malformed> {
        let length = self.length(most)?;
        let padded = self.take(length.next_multiple_of(4))?;
        padded.get(..length).ok_or(Malformed)
    }
}

/// The bytes of a reply that is being written. What is too large for the protocol is found when it
/// is done.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    bytes: Vec<u8>,
    fault: Option<TooLarge>,
}

impl Encoder {
    /// What was written.
    pub(super) fn finish(self) -> Result<Vec<u8>, TooLarge> {
        match self.fault {
            None => Ok(self.bytes),
            Some(fault) => Err(fault),
        }
    }

    fn count(&mut self, length: usize, most: usize, what: &str) {
        if length > most {
            let text = format!("{length} {what} are more than the {most} that a message carries");
            self.fault.get_or_insert(TooLarge(text));
        }
        u32::try_from(length).unwrap_or(u32::MAX).encode(self);
    }

    fn opaque(&mut self, bytes: &[u8], most: usize) {
        self.count(bytes.len(), most, "bytes");
        self.bytes.extend_from_slice(bytes);
        let padded = self.bytes.len().next_multiple_of(4);
        self.bytes.resize(padded, 0);
    }
}

/// A value that arguments carry.
pub(super) trait Decode: Sized {
    /// Reads one.
    fn decode(from: &mut Decoder<'_>) -> Result<Self, Malformed>;
}

/// A value that replies carry.
pub(super) trait Encode {
    /// Writes one.
    fn encode(&self, to: &mut Encoder);
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Decode for $number {
            fn decode(from: &mut Decoder<'_>) -> Result<Self, Malformed> {
                Ok(Self::from_be_bytes(from.array()?))
            }
        }

        impl Encode for $number {
            fn encode(&self, to: &mut Encoder) {
                to.bytes.extend_from_slice(&self.to_be_bytes());
            }
        }
    )*};
}

numbers!(i32, u32, i64, u64, f64);

/// Any word but 0 is true: one client writes its own in the other order of bytes.
impl Decode for bool {
    fn decode(from: &mut Decoder<'_>) -> Result<Self, Malformed> {
        Ok(u32::decode(from)? != 0)
    }
}

impl Encode for bool {
    fn encode(&self, to: &mut Encoder) {
        u32::from(*self).encode(to);
    }
}

/// A text ends at the first NUL, as it does for libvirt. What is not UTF-8 is not replaced: nothing
/// that nsvirt has could be named by it.
impl Decode for String {
    fn decode(from: &mut Decoder<'_>) -> Result<Self, Malformed> {
        let bytes = from.opaque(MAX_TEXT)?;
        let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        std::str::from_utf8(text).map(str::to_owned).map_err(|_| Malformed)
    }
}

impl Encode for str {
    fn encode(&self, to: &mut Encoder) {
        to.opaque(self.as_bytes(), MAX_TEXT);
    }
}

impl Encode for &str {
    fn encode(&self, to: &mut Encoder) {
        (*self).encode(to);
    }
}

impl Encode for String {
    fn encode(&self, to: &mut Encoder) {
        self.as_str().encode(to);
    }
}

/// Sixteen bytes without a length.
impl Decode for Uuid {
    fn decode(from: &mut Decoder<'_>) -> Result<Self, Malformed> {
        Ok(Self::from_bytes(from.array()?))
    }
}

impl Encode for Uuid {
    fn encode(&self, to: &mut Encoder) {
        to.bytes.extend_from_slice(self.as_bytes());
    }
}

impl<T: Decode> Decode for Option<T> {
    fn decode(from: &mut Decoder<'_>) -> Result<Self, Malformed> {
        bool::decode(from)?.then(|| T::decode(from)).transpose()
    }
}

impl<T: Encode> Encode for Option<T> {
    fn encode(&self, to: &mut Encoder) {
        self.is_some().encode(to);
        if let Some(value) = self {
            value.encode(to);
        }
    }
}

/// Bytes, such as a map of processors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Opaque(pub(super) Vec<u8>);

impl Decode for Opaque {
    fn decode(from: &mut Decoder<'_>) -> Result<Self, Malformed> {
        Ok(Self(from.opaque(MAX_OPAQUE)?.to_vec()))
    }
}

impl Encode for Opaque {
    fn encode(&self, to: &mut Encoder) {
        to.opaque(&self.0, usize::MAX);
    }
}

/// A text with a word for each byte and a NUL at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words(pub(super) String);

impl Encode for Words {
    fn encode(&self, to: &mut Encoder) {
        to.count(self.0.len() + 1, MAX_TEXT, "characters");
        self.0.bytes().chain([0]).for_each(|byte| u32::from(byte).encode(to));
    }
}

/// A text with a word for each byte, in a field of fixed length that ends with a NUL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field<const LENGTH: usize>(pub(super) String);

impl<const LENGTH: usize> Encode for Field<LENGTH> {
    fn encode(&self, to: &mut Encoder) {
        let text = self.0.bytes().take(LENGTH.saturating_sub(1));
        text.chain(std::iter::repeat(0)).take(LENGTH).for_each(|it| u32::from(it).encode(to));
    }
}

/// A list of at most so many.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct List<T, const MOST: usize>(pub(super) Vec<T>);

impl<T: Decode, const MOST: usize> Decode for List<T, MOST> {
    fn decode(from: &mut Decoder<'_>) -> Result<Self, Malformed> {
        let length = from.length(MOST)?;
        // No element is shorter than a word.
        let believed = length.min(from.0.len() / 4);
        let mut list = Vec::with_capacity(believed);
        for _ in 0..length {
            list.push(T::decode(from)?);
        }
        Ok(Self(list))
    }
}

impl<T: Encode, const MOST: usize> Encode for List<T, MOST> {
    fn encode(&self, to: &mut Encoder) {
        to.count(self.0.len(), MOST, "elements");
        self.0.iter().for_each(|element| element.encode(to));
    }
}

macro_rules! tuples {
    ($(($($name:ident),*))*) => {$(
        #[allow(non_snake_case, reason = "a name is a type and its value")]
        #[allow(unused_variables, reason = "nothing is read for no values")]
        impl<$($name: Decode),*> Decode for ($($name,)*) {
            fn decode(from: &mut Decoder<'_>) -> Result<Self, Malformed> {
                Ok(($($name::decode(from)?,)*))
            }
        }

        #[allow(non_snake_case, reason = "a name is a type and its value")]
        #[allow(unused_variables, reason = "nothing is written for no values")]
        impl<$($name: Encode),*> Encode for ($($name,)*) {
            fn encode(&self, to: &mut Encoder) {
                let ($($name,)*) = self;
                $($name.encode(to);)*
            }
        }
    )*};
}

tuples! {
    ()
    (A)
    (A, B)
    (A, B, C)
    (A, B, C, D)
    (A, B, C, D, E)
    (A, B, C, D, E, F)
    (A, B, C, D, E, F, G)
    (A, B, C, D, E, F, G, H)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(value: &impl Encode) -> Vec<u8> {
        let mut encoder = Encoder::default();
        value.encode(&mut encoder);
        encoder.finish().unwrap()
    }

    fn read<T: Decode>(bytes: &[u8]) -> Result<T, Malformed> {
        T::decode(&mut Decoder::new(bytes))
    }

    #[test]
    fn bytes_are_as_on_the_wire() {
        assert_eq!(written(&"web"), [0, 0, 0, 3, b'w', b'e', b'b', 0]);
        assert_eq!(written(&Some(-1_i32)), [0, 0, 0, 1, 255, 255, 255, 255]);
        assert_eq!(written(&Words(String::new())), [0, 0, 0, 1, 0, 0, 0, 0]);
        assert_eq!(written(&Field::<2>("abc".to_owned())), [0, 0, 0, b'a', 0, 0, 0, 0]);
        assert_eq!(written(&Opaque(vec![3])), [0, 0, 0, 1, 3, 0, 0, 0]);
    }

    #[test]
    fn real_clients_are_understood() {
        // A flag in the other order of bytes, padding that is not 0, and bytes that follow.
        let bytes = [1, 0, 0, 0, 0, 0, 0, 3, b'a', 0, b'c', 9, 7, 7];
        assert_eq!(read::<Option<String>>(&bytes), Ok(Some("a".to_owned())));
    }

    #[test]
    fn a_length_is_not_believed() {
        let all = [255_u8; 4];
        assert_eq!(read::<String>(&all), Err(Malformed));
        assert_eq!(read::<Opaque>(&all), Err(Malformed));
        assert_eq!(read::<List<u32, 16>>(&all), Err(Malformed));
        assert_eq!(read::<List<u32, { usize::MAX }>>(&all), Err(Malformed));
        let within = [0, 0, 0, 16, 0, 0, 0, 1];
        assert_eq!(read::<List<u32, 16>>(&within), Err(Malformed));
        assert_eq!(read::<String>(&within), Err(Malformed));
    }

    #[test]
    fn what_does_not_fit_is_found() {
        let mut encoder = Encoder::default();
        List::<u32, 2>(vec![1, 2, 3]).encode(&mut encoder);
        assert!(encoder.finish().unwrap_err().0.contains("3 elements"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            text in "[^\0]{0,40}", number in any::<i64>(), list in prop::collection::vec(any::<u32>(), 0..9)
        ) {
            let value = (Some(text), number, List::<u32, 9>(list));
            let bytes = written(&value);
            prop_assert_eq!(bytes.len() % 4, 0);
            prop_assert_eq!(read(&bytes), Ok(value));
        }

        #[test]
        fn whatever_is_read_is_no_more_than_was_there(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(List(list)) = read::<List<String, 64>>(&bytes) {
                prop_assert!(list.iter().map(String::len).sum::<usize>() <= bytes.len());
            }
        }
    }
}
