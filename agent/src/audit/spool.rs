//! What a command has done, left for whoever writes the trail.
//!
//! Shape:  a file `MOMENT-RANDOM.entry` for each, JSON.
//! Order:  it has its name once it is whole and durable; it loses it once its entry is.

use std::io;

use serde::{Deserialize, Serialize};
use wire::audit::AuditKind;
use wire::hex::{hex, unhex};
use wire::identity::BootId;
use wire::time::{MonotonicNanos, UnixNanos};

use super::{Deed, Moment};
use crate::buffer::disk::{Disk, DiskFile};

/// How names end.
const WHOLE: &str = ".entry";
/// More is no slip of ours.
const BYTES_MAX: usize = 8 * 1024;
/// Slips that are taken in at once.
const AT_ONCE: usize = 16;

#[derive(Deserialize, Serialize)]
struct Slip {
    schema: u32,
    boot: String,
    monotonic_ns: u64,
    utc_ns: Option<i64>,
    kind: u16,
    object: String,
    words: String,
}

/// Leaves a slip; it is durable when this returns.
pub(super) fn leave<D: Disk>(disk: &D, deed: &Deed, moment: &Moment) -> io::Result<()> {
    let slip = Slip {
        schema: 1,
        boot: hex(&moment.boot.0),
        monotonic_ns: moment.monotonic.0,
        utc_ns: moment.utc.map(|utc| utc.0),
        kind: deed.kind.number(),
        object: deed.object.clone(),
        words: deed.words.clone(),
    };
    let text = serde_json::to_string(&slip).map_err(io::Error::other)?;
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let name = format!("{:020}-{}", slip.utc_ns.unwrap_or(0).max(0), hex(&random));
    let fresh = format!("{name}.new");
    let file = disk.create(&fresh)?;
    file.write_at(text.as_bytes(), 0)?;
    file.sync()?;
    disk.rename(&fresh, &format!("{name}{WHOLE}"))?;
    disk.sync_names()
}

/// A slip's file, and what it says if it can be understood.
pub(super) type Left = (String, Option<(Deed, Moment)>);

/// The oldest slips, so many at most.
pub(super) fn slips<D: Disk>(disk: &D) -> io::Result<Vec<Left>> {
    let names = disk.list()?.into_iter().map(|(name, _)| name);
    let whole = names.filter(|name| name.ends_with(WHOLE)).take(AT_ONCE);
    let mut slips = Vec::new();
    for name in whole {
        // Whoever leaves it may not have given it to us yet.
        let Ok(file) = disk.open(&name) else { continue };
        let mut bytes = vec![0; BYTES_MAX];
        let length = file.read_at(&mut bytes, 0)?;
        slips.push((name, understand(&bytes[..length])));
    }
    Ok(slips)
}

fn understand(bytes: &[u8]) -> Option<(Deed, Moment)> {
    let Slip { schema, boot, monotonic_ns, utc_ns, kind, object, words } =
        serde_json::from_slice(bytes).ok()?;
    let moment = Moment {
        boot: BootId(unhex(&boot)?.try_into().ok()?),
        monotonic: MonotonicNanos(monotonic_ns),
        utc: utc_ns.map(UnixNanos),
    };
    let deed = Deed::new(AuditKind::from_number(kind), object, words);
    (schema == 1).then_some((deed, moment))
}
