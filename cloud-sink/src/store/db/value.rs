//! Values and rows as both databases know them.

use std::borrow::Cow;

use crate::store::StoreError;

/// A value on its way to the database or back.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// Nothing.
    Null,
    /// A number; 0 and 1 for no and yes.
    Int(i64),
    /// A number with a fraction; comes back only.
    Real(f64),
    /// A text.
    Text(Cow<'a, str>),
    /// Bytes.
    Bytes(Cow<'a, [u8]>),
}

macro_rules! from_number {
    ($($number:ty),*) => {$(
        impl From<$number> for Value<'_> {
            fn from(number: $number) -> Self {
                Self::Int(number.into())
            }
        }
    )*};
}
from_number!(i64, i32, i16, i8, u32, u16, u8, bool);

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text.into())
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text.as_str().into())
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl<'a> From<&'a Vec<u8>> for Value<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self::Bytes(bytes.as_slice().into())
    }
}

impl From<Vec<u8>> for Value<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl<const N: usize> From<[u8; N]> for Value<'_> {
    fn from(bytes: [u8; N]) -> Self {
        Self::Bytes(bytes.to_vec().into())
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl Value<'_> {
    pub(super) fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Int(number) => Value::Int(number),
            Self::Real(number) => Value::Real(number),
            Self::Text(text) => Value::Text(text.into_owned().into()),
            Self::Bytes(bytes) => Value::Bytes(bytes.into_owned().into()),
        }
    }
}

/// Values for a statement, in order.
macro_rules! values {
    ($($value:expr),* $(,)?) => { &[$($crate::store::db::Value::from($value)),*] };
}
pub(crate) use values;

/// What a value can become.
pub trait FromValue: Sized {
    /// The value as this type, if it is one.
    fn from_value(value: Value<'static>) -> Option<Self>;
}

macro_rules! number_from {
    ($($number:ty),*) => {$(
        impl FromValue for $number {
            fn from_value(value: Value<'static>) -> Option<Self> {
                let Value::Int(number) = value else { return None };
                number.try_into().ok()
            }
        }
    )*};
}
number_from!(i64, i32, i8, u64, u32, u16, u8);

impl FromValue for bool {
    fn from_value(value: Value<'static>) -> Option<Self> {
        i64::from_value(value).map(|number| number != 0)
    }
}

impl FromValue for f64 {
    fn from_value(value: Value<'static>) -> Option<Self> {
        if let Value::Real(number) = value { Some(number) } else { None }
    }
}

impl FromValue for String {
    fn from_value(value: Value<'static>) -> Option<Self> {
        if let Value::Text(text) = value { Some(text.into_owned()) } else { None }
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: Value<'static>) -> Option<Self> {
        if let Value::Bytes(bytes) = value { Some(bytes.into_owned()) } else { None }
    }
}

impl<const N: usize> FromValue for [u8; N] {
    fn from_value(value: Value<'static>) -> Option<Self> {
        Vec::from_value(value)?.try_into().ok()
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value<'static>) -> Option<Self> {
        if value == Value::Null { Some(None) } else { T::from_value(value).map(Some) }
    }
}

/// A row.
#[derive(Debug)]
pub struct Row(pub(super) Vec<Value<'static>>);

impl Row {
    /// All values.
    pub(in crate::store) fn values(&self) -> &[Value<'static>] {
        &self.0
    }

    /// The value of a column, the first is 0.
    ///
    /// # Errors
    /// The store holds something else there.
    pub fn at<T: FromValue>(&self, column: usize) -> Result<T, StoreError> {
        let value = self.0.get(column).cloned().ok_or(StoreError::Shape("too few columns"))?;
        T::from_value(value).ok_or(StoreError::Shape(std::any::type_name::<T>()))
    }
}
