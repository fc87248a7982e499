//! Changes messages as somebody would who knows their grammar: CBOR inside byte strings inside
//! CBOR, with heads that lie.

use rig::random::Random;

const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
/// Deeper than anything that is read.
const DEPTH_MAX: usize = 12;
/// Lengths and numbers at which readers err.
const EDGES: [u64; 14] = [
    0,
    1,
    23,
    24,
    255,
    256,
    65_535,
    65_536,
    1 << 31,
    (1 << 32) - 1,
    1 << 32,
    1 << 53,
    1 << 63,
    u64::MAX,
];

/// How a head is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Form {
    Shortest,
    /// In so many bytes, whatever would do.
    Wide(u8),
    /// Without a length, and with a break at the end.
    Endless,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Inside {
    Number(u64),
    Bytes(Vec<u8>),
    /// A byte string that holds items.
    Wrapped(Vec<Item>),
    Items(Vec<Item>),
}

/// One item of a message, good or bad.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Item {
    major: u8,
    /// What the head says instead of the truth.
    lie: Option<u64>,
    form: Form,
    inside: Inside,
}

/// A head in its shortest form: major type, value, bytes behind it.
fn head(bytes: &[u8]) -> Option<(u8, u64, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (major, short) = (first >> 5, first & 31);
    let count = match short {
        0..=23 => return Some((major, u64::from(short), rest)),
        24..=27 => 1 << (short - 24),
        _ => return None,
    };
    let (value, rest) = rest.split_at_checked(count)?;
    let value = value.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    let least = [24, 1 << 8, 1 << 16, 1 << 32][usize::from(short - 24)];
    (value >= least).then_some((major, value, rest))
}

fn sequence(mut bytes: &[u8], depth: usize) -> Option<Vec<Item>> {
    let mut items = Vec::new();
    while !bytes.is_empty() {
        let (item, rest) = Item::read(bytes, depth)?;
        items.push(item);
        bytes = rest;
    }
    Some(items)
}

impl Item {
    /// A message that is one item, as all good ones are.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (item, rest) = Self::read(bytes, DEPTH_MAX)?;
        rest.is_empty().then_some(item)
    }

    fn read(bytes: &[u8], depth: usize) -> Option<(Self, &[u8])> {
        let depth = depth.checked_sub(1)?;
        let (major, value, mut rest) = head(bytes)?;
        let inside = match major {
            BYTES | TEXT => {
                let (body, behind) = rest.split_at_checked(usize::try_from(value).ok()?)?;
                rest = behind;
                let holds = major == BYTES && body.first().is_some_and(|byte| byte >> 5 == ARRAY);
                match holds.then(|| sequence(body, depth)).flatten() {
                    Some(items) => Inside::Wrapped(items),
                    None => Inside::Bytes(body.to_vec()),
                }
            }
            ARRAY | MAP => {
                let count = if major == MAP { value.checked_mul(2)? } else { value };
                let mut items = Vec::new();
                for _ in 0..count {
                    let (item, behind) = Self::read(rest, depth)?;
                    items.push(item);
                    rest = behind;
                }
                Inside::Items(items)
            }
            TAG => return None,
            _ => Inside::Number(value),
        };
        Some((Self { major, lie: None, form: Form::Shortest, inside }, rest))
    }

    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut body = Vec::new();
        let truth = match &self.inside {
            Inside::Number(number) => *number,
            Inside::Bytes(bytes) => {
                body.extend_from_slice(bytes);
                body.len() as u64
            }
            Inside::Wrapped(items) => {
                items.iter().for_each(|item| item.write(&mut body));
                body.len() as u64
            }
            Inside::Items(items) => {
                items.iter().for_each(|item| item.write(&mut body));
                items.len() as u64 / if self.major == MAP { 2 } else { 1 }
            }
        };
        write_head(out, self.major, self.lie.unwrap_or(truth), self.form);
        out.append(&mut body);
        if self.form == Form::Endless {
            out.push(0xff);
        }
    }

    fn children(&mut self) -> Option<&mut Vec<Self>> {
        match &mut self.inside {
            Inside::Wrapped(items) | Inside::Items(items) => Some(items),
            Inside::Number(_) | Inside::Bytes(_) => None,
        }
    }

    /// Items in it, itself included.
    fn count(&self) -> u64 {
        match &self.inside {
            Inside::Wrapped(items) | Inside::Items(items) => {
                1 + items.iter().map(Self::count).sum::<u64>()
            }
            Inside::Number(_) | Inside::Bytes(_) => 1,
        }
    }

    fn nth(&mut self, at: &mut u64) -> Option<&mut Self> {
        if *at == 0 {
            return Some(self);
        }
        *at -= 1;
        self.children()?.iter_mut().find_map(|item| item.nth(at))
    }

    /// Changes one item somewhere in it; `other` is a message from which it may take something.
    pub fn change(&mut self, random: &mut Random, other: &Self) {
        let mut place = random.below(self.count());
        let same = place;
        let Some(item) = self.nth(&mut place) else { return };
        let mut other = other.clone();
        match random.below(9) {
            // What stands in the same place of another message: its signature, hash or ciphertext.
            0 => {
                if let Some(theirs) = other.nth(&mut { same }) {
                    *item = theirs.clone();
                }
            }
            1 => {
                let mut any = random.below(other.count());
                if let Some(theirs) = other.nth(&mut any) {
                    *item = theirs.clone();
                }
            }
            2 => item.major = random.below(8) as u8,
            3 => item.lie = random.pick(&EDGES).copied(),
            4 => item.form = Form::Wide(random.below(4) as u8),
            5 => item.form = Form::Endless,
            6 => item.nest(1 + random.below(40)),
            _ => item.change_inside(random),
        }
    }

    fn nest(&mut self, levels: u64) {
        for _ in 0..levels {
            let inside = Inside::Items(vec![self.clone()]);
            *self = Self { major: ARRAY, lie: None, form: Form::Shortest, inside };
        }
    }

    fn change_inside(&mut self, random: &mut Random) {
        match &mut self.inside {
            Inside::Number(number) => {
                *number = match random.below(3) {
                    0 => number.wrapping_add(1),
                    1 => number.wrapping_sub(1),
                    _ => random.pick(&EDGES).copied().unwrap_or(0),
                }
            }
            Inside::Bytes(bytes) => change_bytes(bytes, random),
            Inside::Wrapped(items) | Inside::Items(items) => {
                let (at, to) = (random.below(items.len() as u64) as usize, items.len() as u64);
                match random.below(3) {
                    _ if items.is_empty() => {}
                    0 => items.push(items[at].clone()),
                    1 => drop(items.remove(at)),
                    _ => items.swap(at, random.below(to) as usize),
                }
            }
        }
    }
}

fn write_head(out: &mut Vec<u8>, major: u8, value: u64, form: Form) {
    let wide = match (form, value) {
        (Form::Endless, _) => return out.push(major << 5 | 31),
        (Form::Wide(wide), _) => wide,
        (Form::Shortest, 0..=23) => return out.push(major << 5 | value as u8),
        (Form::Shortest, 24..=0xff) => 0,
        (Form::Shortest, 0x100..=0xffff) => 1,
        (Form::Shortest, 0x1_0000..=0xffff_ffff) => 2,
        (Form::Shortest, _) => 3,
    };
    out.push(major << 5 | (24 + wide));
    out.extend_from_slice(&value.to_be_bytes()[8 - (1 << wide)..]);
}

/// Flips, cuts, lengthens or overwrites bytes.
pub fn change_bytes(bytes: &mut Vec<u8>, random: &mut Random) {
    let length = bytes.len() as u64;
    let at = random.below(length) as usize;
    match random.below(5) {
        0 => bytes.truncate(at),
        1 => bytes.extend((0..=random.below(64)).map(|byte| byte as u8)),
        2 => bytes.extend_from_within(at..),
        _ if bytes.is_empty() => bytes.push(0),
        3 => bytes[at] = random.number() as u8,
        _ => bytes[at] ^= 1 << random.below(8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rig::fleet::Fleet;
    use wire::segment::Suite;

    #[test]
    fn a_good_message_is_taken_apart_and_comes_back_the_same() {
        let document = Fleet::new(Suite::XWing).document;

        let tree = Item::parse(&document).expect("a keyring is strict CBOR");

        assert_eq!(tree.encode(), document);
        assert!(tree.count() > 30, "the signed parts are open: {} items", tree.count());
    }
}
