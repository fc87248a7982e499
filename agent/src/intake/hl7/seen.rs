//! Messages that were taken, so that one that comes again is the same and no second one.
//!
//! Shape:  three generations of at most 32,768 messages, each a file: 8 bytes of magic, 8 bytes of
//! its number, then entries of length, digest of sender, control id and content, run, and the
//! numbers given, closed by a CRC-32C.
//! Order:  an entry is durable before its message may become durable: after a crash a message that
//! comes again has the same numbers, and the sink takes it once.
//! Damage: what does not check ends its file; the messages behind it are then taken for new ones.

use std::collections::HashMap;
use std::io;

use wire::identity::DeviceId;

use crate::buffer::disk::{Disk, DiskFile};

/// Messages of one generation: those of a ward for a day.
const GENERATION_MAX: usize = 32_768;
/// Devices in one message.
pub const DEVICES_MAX: usize = 32;
/// Bytes of an entry but its devices, and of each of those.
const ENTRY_BYTES: (usize, usize) = (2 + 16 + 4 + 4, 12);
const MAGIC: &[u8; 8] = b"WLHL7\0\0\x02";
const NAMES: [&str; 3] = ["messages-1", "messages-2", "messages-3"];
/// A whole generation of messages of many devices.
const FILE_BYTES_MAX: usize =
    HEAD_BYTES as usize + GENERATION_MAX * (ENTRY_BYTES.0 + DEVICES_MAX * ENTRY_BYTES.1);
const HEAD_BYTES: u64 = 16;

/// Sender, control id and content.
pub type Key = [u8; 16];

/// The numbers that a message was given.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// The run.
    pub run: u32,
    /// Of each device system the first number.
    pub first: Vec<(DeviceId, u32)>,
}

/// The memory of messages.
pub struct Seen<D: Disk> {
    disk: D,
    /// The one that is written, and the one before it.
    newer: Generation<D::File>,
    older: HashMap<Key, Entry>,
}

struct Generation<F> {
    /// None after a write that failed: nothing is known of the file then.
    file: Option<F>,
    number: u64,
    end: u64,
    messages: HashMap<Key, Entry>,
}

impl<D: Disk> Seen<D> {
    /// What a folder remembers.
    ///
    /// # Errors
    /// The folder cannot be read or written.
    pub fn open(disk: D) -> io::Result<Self> {
        let mut found = Vec::new();
        let names = disk.list()?;
        for name in NAMES.into_iter().filter(|name| names.iter().any(|(known, _)| known == name)) {
            let file = disk.open(name)?;
            let mut bytes = vec![0; usize::try_from(file.size()?).unwrap_or(0).min(FILE_BYTES_MAX)];
            let length = file.read_at(&mut bytes, 0)?;
            bytes.truncate(length);
            if let Some((number, messages, end)) = read(&bytes) {
                if end < length as u64 {
                    tracing::warn!(file = name, "its end does not check and is written over");
                }
                found.push(Generation { file: Some(file), number, end, messages });
            }
        }
        found.sort_by_key(|generation| generation.number);
        let newer = found.pop();
        let mut older = found.pop().map(|generation| generation.messages).unwrap_or_default();
        // Of a file whose writing failed early the one before it counts, too.
        if let Some(before) = found.pop().map(|generation| generation.messages)
            && older.len() + before.len() <= GENERATION_MAX
        {
            older.extend(before);
        }
        let none = || Generation { file: None, number: 0, end: 0, messages: HashMap::new() };
        Ok(Self { disk, newer: newer.unwrap_or_else(none), older })
    }

    /// What is known of a message.
    #[must_use]
    pub fn of(&self, key: &Key) -> Option<&Entry> {
        self.newer.messages.get(key).or_else(|| self.older.get(key))
    }

    /// Remembers messages; they are durable when this returns.
    ///
    /// # Errors
    /// The disk; none of these is then known to be remembered, and the next ones go to a new file.
    pub fn remember(&mut self, entries: Vec<(Key, Entry)>) -> io::Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        if self.newer.messages.len() >= GENERATION_MAX || self.newer.file.is_none() {
            self.turn()?;
        }
        let bytes: Vec<u8> = entries.iter().flat_map(|(key, entry)| written(key, entry)).collect();
        let Generation { file, end, messages, .. } = &mut self.newer;
        let Some(open) = file.as_ref() else { return Err(io::ErrorKind::NotFound.into()) };
        if let Err(error) = open.write_at(&bytes, *end).and_then(|()| open.sync()) {
            *file = None;
            return Err(error);
        }
        *end += bytes.len() as u64;
        messages.extend(entries);
        Ok(())
    }

    /// Begins a new generation in the place of the oldest.
    fn turn(&mut self) -> io::Result<()> {
        let number = self.newer.number + 1;
        let name = NAMES[((number - 1) % NAMES.len() as u64) as usize];
        let file = self.disk.create(name)?;
        file.write_at(&[&MAGIC[..], &number.to_be_bytes()].concat(), 0)?;
        file.sync()?;
        self.disk.sync_names()?;
        let messages = HashMap::new();
        let new = Generation { file: Some(file), number, end: HEAD_BYTES, messages };
        let before = std::mem::replace(&mut self.newer, new).messages;
        // A file that failed early leaves a generation that is hardly begun: both go on counting.
        if before.len() + self.older.len() > GENERATION_MAX {
            self.older = before;
        } else {
            self.older.extend(before);
        }
        Ok(())
    }
}

fn written(key: &Key, entry: &Entry) -> Vec<u8> {
    let (fixed, each) = ENTRY_BYTES;
    let length = fixed + each * entry.first.len();
    let mut bytes = Vec::with_capacity(length);
    bytes.extend_from_slice(&(length as u16).to_be_bytes());
    bytes.extend_from_slice(key);
    bytes.extend_from_slice(&entry.run.to_be_bytes());
    for (device, first) in &entry.first {
        bytes.extend_from_slice(&device.0.to_be_bytes());
        bytes.extend_from_slice(&first.to_be_bytes());
    }
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_be_bytes());
    bytes
}

type Read = (u64, HashMap<Key, Entry>, u64);

/// Everything up to the first entry that does not check.
fn read(bytes: &[u8]) -> Option<Read> {
    let number = bytes.strip_prefix(MAGIC)?.first_chunk().copied().map(u64::from_be_bytes)?;
    let (mut messages, mut at) = (HashMap::new(), HEAD_BYTES as usize);
    while let Some((key, entry, length)) = read_entry(&bytes[at..]) {
        messages.insert(key, entry);
        at += length;
    }
    Some((number, messages, at as u64))
}

fn read_entry(bytes: &[u8]) -> Option<(Key, Entry, usize)> {
    let (fixed, each) = ENTRY_BYTES;
    let length = usize::from(u16::from_be_bytes(*bytes.first_chunk()?));
    let devices = length.checked_sub(fixed).filter(|rest| rest.is_multiple_of(each))? / each;
    let (body, sum) = bytes.get(..length)?.split_last_chunk()?;
    if devices > DEVICES_MAX || crc32c::crc32c(body) != u32::from_be_bytes(*sum) {
        return None;
    }
    let rest = &body[2..];
    let (key, rest) = rest.split_first_chunk()?;
    let (run, rest) = rest.split_first_chunk()?;
    let first = rest.chunks_exact(each).filter_map(|one| {
        let (device, first) = one.split_first_chunk()?;
        let first = u32::from_be_bytes(*first.first_chunk()?);
        Some((DeviceId(u64::from_be_bytes(*device)), first))
    });
    let entry = Entry { run: u32::from_be_bytes(*run), first: first.collect() };
    Some((*key, entry, length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::disk::Folder;

    fn key(number: u64) -> Key {
        u128::from(number).to_be_bytes()
    }

    fn entry(number: u64) -> Entry {
        Entry { run: 3, first: vec![(DeviceId(7), number as u32)] }
    }

    fn open(folder: &tempfile::TempDir) -> Seen<Folder> {
        Seen::open(Folder::open(folder.path()).unwrap()).unwrap()
    }

    #[test]
    fn what_was_remembered_is_known_after_a_restart_and_a_torn_end_takes_only_itself() {
        let folder = tempfile::tempdir().unwrap();
        let mut seen = open(&folder);
        seen.remember((0..3).map(|n| (key(n), entry(n))).collect()).unwrap();
        let path = folder.path().join(NAMES[0]);
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let seen = open(&folder);
            let known = (0..3).take_while(|n| seen.of(&key(*n)) == Some(&entry(*n))).count();
            let entries =
                length.saturating_sub(HEAD_BYTES as usize) / written(&key(0), &entry(0)).len();
            assert_eq!(known, entries, "{length} bytes");
        }
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        let mut seen = open(&folder);
        seen.remember(vec![(key(9), entry(9))]).unwrap();
        let seen = open(&folder);
        assert_eq!([0, 1, 9].map(|n| seen.of(&key(n)).is_some()), [true; 3]);
        assert_eq!(seen.of(&key(2)), None);
    }

    #[test]
    fn at_least_a_generation_is_known_and_no_more_than_two() {
        let folder = tempfile::tempdir().unwrap();
        let mut seen = open(&folder);
        let all = 3 * GENERATION_MAX as u64;
        for from in (0..all).step_by(1024) {
            seen.remember((from..from + 1024).map(|n| (key(n), entry(n))).collect()).unwrap();
        }
        for seen in [&seen, &open(&folder)] {
            let known = |n: u64| seen.of(&key(n)).is_some();
            assert!((all - GENERATION_MAX as u64..all).all(known));
            assert!(!known(0));
            assert!(seen.newer.messages.len() + seen.older.len() <= 2 * GENERATION_MAX);
        }
    }

    #[test]
    fn any_bytes_in_its_files_stop_nothing() {
        let folder = tempfile::tempdir().unwrap();
        for bytes in [&b""[..], b"x", MAGIC, &[0xFF; 4096], &[&MAGIC[..], &[0xFF; 99]].concat()] {
            NAMES.iter().for_each(|name| std::fs::write(folder.path().join(name), bytes).unwrap());
            let mut seen = open(&folder);
            seen.remember(vec![(key(1), entry(1))]).unwrap();
            assert_eq!(open(&folder).of(&key(1)), Some(&entry(1)));
        }
    }
}
