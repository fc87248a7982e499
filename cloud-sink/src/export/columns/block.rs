//! Columns of words, and what all readings say of their block.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, DictionaryArray, Int32Array, StringArray, TimestampNanosecondArray};
use arrow_schema::{ArrowError, DataType, Field, TimeUnit};

use crate::export::reading::About;

/// Words of a column, each kept once.
#[derive(Debug, Default)]
pub(super) struct Words {
    known: HashMap<Arc<str>, i32>,
    words: Vec<Arc<str>>,
    keys: Vec<Option<i32>>,
}

impl Words {
    fn key(&mut self, word: &str) -> i32 {
        if let Some(key) = self.known.get(word) {
            return *key;
        }
        let (word, key): (Arc<str>, i32) = (word.into(), self.words.len() as i32);
        self.words.push(word.clone());
        self.known.insert(word, key);
        key
    }

    pub(super) fn push(&mut self, word: Option<&str>) {
        let key = word.map(|word| self.key(word));
        self.keys.push(key);
    }

    pub(super) fn take(&mut self) -> Result<ArrayRef, ArrowError> {
        let taken = std::mem::take(self);
        let words = StringArray::from_iter_values(taken.words.iter());
        let keys = Int32Array::from(taken.keys);
        Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::new(words))?))
    }
}

pub(super) fn words(name: &str, nullable: bool) -> Field {
    let kind = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    Field::new(name, kind, nullable)
}

pub(super) fn moment(name: &str) -> Field {
    Field::new(name, DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())), false)
}

pub(super) fn moments(moments: Vec<i64>) -> ArrayRef {
    Arc::new(TimestampNanosecondArray::from(moments).with_timezone("UTC"))
}

/// What every row says of its block: the same words for all rows of one, looked up once.
#[derive(Debug, Default)]
pub(super) struct Common {
    pub(super) device: Words,
    pub(super) gateway: Words,
    pub(super) name: Words,
    pub(super) unit: Words,
    pub(super) mode: Words,
    pub(super) patient: Words,
    pub(super) dated: Words,
    pub(super) frame: Words,
    pub(super) codes: Vec<u32>,
    pub(super) errors: Vec<Option<i64>>,
    pub(super) stored: Vec<i64>,
    last: Option<(Arc<About>, [Option<i32>; 8])>,
}

const MODES: [&str; 3] = ["normal", "demo", "service"];

impl Common {
    pub(super) fn push(&mut self, about: &Arc<About>) {
        let same = self.last.as_ref().filter(|(known, _)| Arc::ptr_eq(known, about));
        let keys = same.map(|(_, keys)| *keys).unwrap_or_else(|| {
            let mode = MODES[usize::from(about.signal.mode).min(2)];
            let keys = [
                Some(self.device.key(&about.device)),
                Some(self.gateway.key(&about.origin.gateway)),
                Some(self.name.key(&about.signal.label)),
                Some(self.unit.key(&about.signal.unit)),
                Some(self.mode.key(mode)),
                about.patient.as_ref().map(|patient| self.patient.key(patient)),
                Some(self.dated.key(about.dated.word())),
                Some(self.frame.key(&about.origin.frame)),
            ];
            self.last = Some((about.clone(), keys));
            keys
        });
        let columns = [
            &mut self.device,
            &mut self.gateway,
            &mut self.name,
            &mut self.unit,
            &mut self.mode,
            &mut self.patient,
            &mut self.dated,
            &mut self.frame,
        ];
        columns.into_iter().zip(keys).for_each(|(column, key)| column.keys.push(key));
        self.codes.push(about.signal.code);
        self.errors.push(about.error_us());
        self.stored.push(about.origin.stored_ns);
    }
}
