//! Secrets of segments: as long as one is here, whoever has the store's key can try whether a guess
//! is what was erased. They go when nothing more needs them.

use super::record::Kept;
use crate::store::StoreError;
use crate::store::db::{Db, Turn, values};
use crate::verify::keyring::Keys;

/// Nothing of a segment has come for so long: nothing of it is on its way.
const QUIET_NS: i64 = 86_400_000_000_000;

/// Segments with something erased that another one continues, of which nothing is held, and whose
/// secret is here or needed by a frame that came late.
const OVER: &str = "
SELECT segment.id FROM segment
WHERE segment.id IN (SELECT DISTINCT evidence.segment
    FROM remnant JOIN evidence ON evidence.id = remnant.evidence)
  AND (length(segment.kept_secret) > 0
    OR EXISTS (SELECT 1 FROM evidence AS sealed WHERE sealed.segment = segment.id
      AND sealed.sequence_first IS NOT NULL AND sealed.disposition = 1
      AND length(sealed.bytes) > 0))
  AND EXISTS (SELECT 1 FROM segment AS next WHERE next.gateway = segment.gateway
    AND next.lane = segment.lane AND next.continues_segment = segment.segment)
  AND NOT EXISTS (SELECT 1 FROM evidence AS late WHERE late.segment = segment.id
    AND (late.disposition = 2 OR coalesce(late.opened_ns, late.received_ns) > ?1))
ORDER BY segment.id";

/// Destroys the kept secrets of segments of which something was erased and nothing more comes; the
/// blocks that are left keep their own salts. How many were destroyed.
///
/// # Errors
/// The store does not answer.
pub fn destroy_secrets(db: &Db, opener: &mut Keys, now_ns: i64) -> Result<u64, StoreError> {
    let mut destroyed = 0;
    for row in db.rows(OVER, values![now_ns.saturating_sub(QUIET_NS)])? {
        let segment: i64 = row.at(0)?;
        let done = db.transaction(Turn::Commit, |db| destroy(db, opener, segment))?;
        destroyed += u64::from(done);
    }
    Ok(destroyed)
}

/// Whether the secret went: it stays if a record needs it that does not open just now.
fn destroy(db: &Db, opener: &mut Keys, segment: i64) -> Result<bool, StoreError> {
    let sealed = "SELECT id FROM evidence WHERE segment = ?1 AND sequence_first IS NOT NULL
                    AND disposition = 1 AND length(bytes) > 0 ORDER BY id";
    for row in db.rows(sealed, values![segment])? {
        let evidence: i64 = row.at(0)?;
        let kept = Kept::read(db, evidence)?;
        let Some(opened) = kept.and_then(|kept| kept.open(opener)) else { return Ok(false) };
        opened.keep(db, evidence)?;
    }
    // Empty, and not missing: nothing waits for a recipient's key that would open it again.
    let nothing: &[u8] = &[];
    db.execute("UPDATE segment SET kept_secret = ?2 WHERE id = ?1", values![segment, nothing])?;
    Ok(true)
}
