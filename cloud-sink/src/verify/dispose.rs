//! From received bytes to a disposition: stored, held or refused, each with its reason.

use wire::batch;
use wire::frame::{Foreign, Record, RecordError, RecordKind, hash_of, read_frame_payload};
use wire::gap::Gap;
use wire::identity::{GatewayId, Lane, RecordHash, SegmentId};
use wire::receipt::{Disposition, Reason};
use wire::seal::{OpenError, SignedFrame, open_frame, verify_frame, verify_header};
use wire::segment::{Header, Wrapped};
use wire::signed::{Purpose, verify};

use super::keyring::Keys;
use super::{Content, Disposed, Enrolled, Gateway, Unsigned, Verified};

/// What verification asks of the store.
pub trait Registry {
    /// What is enrolled under a name; with `again`, as it is now.
    fn enrolled(&mut self, id: GatewayId, again: bool) -> Option<&Enrolled>;
    /// The header record and kept secret of a gateway's segment.
    fn segment(&mut self, gateway: i64, id: SegmentId) -> Option<(Vec<u8>, Option<Vec<u8>>)>;
    /// Whether another gateway has shown this segment's header.
    fn is_anothers(&mut self, gateway: i64, id: SegmentId) -> bool;
}

/// Verifies records one by one.
pub struct Verifier<R> {
    registry: R,
    keys: Keys,
}

/// What every disposed record has in common.
struct Common {
    gateway: Gateway,
    hash: RecordHash,
    bytes: Vec<u8>,
}

impl<R: Registry> Verifier<R> {
    /// A verifier with these keys.
    pub const fn new(registry: R, keys: Keys) -> Self {
        Self { registry, keys }
    }

    /// Verifies one record that came from a gateway on a lane's topic.
    ///
    /// Order:  size and shape, known gateway, signature, segment, tag, content root, strict batch.
    ///
    /// # Errors
    /// [`Unsigned`] if no known gateway has signed the bytes: they are not kept.
    pub fn dispose(
        &mut self,
        from: GatewayId,
        lane: Lane,
        bytes: Vec<u8>,
    ) -> Result<Disposed, Unsigned> {
        let record = match Record::parse(&bytes) {
            Ok(record) => record,
            Err(RecordError::Version { .. }) => return self.foreign(from, lane, bytes),
            Err(error) => return Err(Unsigned::Shape(error.to_string())),
        };
        let gateway = self.signer(from, record.signed)?;
        let hash = record.hash();
        let unsigned = |error: OpenError| Unsigned::Signature(error.to_string());
        match record.kind {
            RecordKind::Header => {
                let (header, core, wrapped) =
                    verify_header(&record, &gateway.key).map_err(unsigned)?;
                own_topic(header.lane, lane)?;
                let core = core.to_vec();
                let common = Common { gateway, hash, bytes };
                Ok(self.header(common, header, &core, &wrapped))
            }
            RecordKind::Frame => self
                .frame(&record, &gateway, lane, hash)
                .map(|disposed| Disposed { bytes: bytes.clone(), ..disposed }),
            RecordKind::Gap => {
                let gap = Gap::decode(record.payload)
                    .map_err(|error| Unsigned::Shape(error.to_string()))?;
                own_topic(gap.lane, lane)?;
                Ok(self.gap(Common { gateway, hash, bytes }, gap))
            }
        }
    }

    /// The gateway of this name, if one of its keys has signed. If none of those that we know has,
    /// the store is asked once more: it may have lost its key and been enrolled again.
    fn signer(&mut self, from: GatewayId, signed: &[u8]) -> Result<Gateway, Unsigned> {
        let mut refused = Unsigned::Unknown(from);
        for again in [false, true] {
            let Some(Enrolled { row, keys }) = self.registry.enrolled(from, again) else {
                continue;
            };
            for key in keys {
                match verify(key, Purpose::Record, signed) {
                    Ok(_) => return Ok(Gateway { row: *row, id: from, key: *key }),
                    Err(error) => refused = Unsigned::Signature(error.to_string()),
                }
            }
        }
        Err(refused)
    }

    /// A record of another version: its signature is checked, and it waits for a newer program.
    fn foreign(
        &mut self,
        from: GatewayId,
        lane: Lane,
        bytes: Vec<u8>,
    ) -> Result<Disposed, Unsigned> {
        let record = Foreign::parse(&bytes).map_err(|error| Unsigned::Shape(error.to_string()))?;
        let gateway = self.signer(from, record.signed)?;
        own_topic(record.lane, lane)?;
        Ok(Disposed {
            gateway,
            lane,
            segment: record.segment,
            index: record.index,
            hash: hash_of(record.signed),
            previous: None,
            content: Content::Foreign,
            disposition: Disposition::Held,
            reason: Reason::Version,
            bytes,
        })
    }

    /// The first header of a segment counts; another one is evidence and changes nothing.
    fn header(
        &mut self,
        common: Common,
        header: Header,
        core: &[u8],
        wrapped: &[Wrapped],
    ) -> Disposed {
        let (id, segment) = (common.gateway.id, header.segment);
        let misplaced = header.gateway != id;
        self.recall(&common.gateway, segment);
        let known = self.keys.segment(id, segment).is_some();
        let kept_secret = match (misplaced, known) {
            (true, _) => None,
            (false, false) => self.keys.admit(&header, core, wrapped),
            // Known, and perhaps only in memory: it was held, or no key opened it when it came.
            (false, true) => match self.registry.segment(common.gateway.row, segment) {
                Some((_, Some(_))) => None,
                _ => self.keys.secret_to_keep(&header, core, wrapped),
            },
        };
        let (disposition, reason) = if misplaced {
            (Disposition::Refused, Reason::Misplaced)
        } else {
            (Disposition::Stored, Reason::None)
        };
        Disposed {
            gateway: common.gateway,
            lane: header.lane,
            segment,
            index: 0,
            hash: common.hash,
            previous: header.continues.map(|continues| continues.hash),
            content: Content::Header { header: Box::new(header), kept_secret },
            disposition,
            reason,
            bytes: common.bytes,
        }
    }

    fn frame(
        &mut self,
        record: &Record<'_>,
        gateway: &Gateway,
        lane: Lane,
        hash: RecordHash,
    ) -> Result<Disposed, Unsigned> {
        let (core, _, _) = read_frame_payload(record.payload)
            .map_err(|error| Unsigned::Shape(error.to_string()))?;
        own_topic(core.lane, lane)?;
        // Signed, but with another ciphertext: damaged on the way, the gateway has the true one.
        let frame = verify_frame(record, &gateway.key)
            .map_err(|error| Unsigned::Signature(error.to_string()))?;
        let opened = self.open(&frame, gateway);
        let (batch, disposition, reason) = match opened {
            Ok(batch) => (Some(Box::new(batch)), Disposition::Stored, Reason::None),
            Err((disposition, reason)) => (None, disposition, reason),
        };
        Ok(Disposed {
            gateway: gateway.clone(),
            lane,
            segment: core.segment,
            index: core.index,
            hash,
            previous: Some(core.previous),
            content: Content::Frame { core, batch },
            disposition,
            reason,
            bytes: Vec::new(),
        })
    }

    /// Opens a frame whose signature holds.
    fn open(
        &mut self,
        frame: &SignedFrame<'_>,
        gateway: &Gateway,
    ) -> Result<Verified<batch::Batch>, (Disposition, Reason)> {
        let id = frame.core.segment;
        self.recall(gateway, id);
        let Some(segment) = self.keys.segment(gateway.id, id) else {
            return Err(if self.registry.is_anothers(gateway.row, id) {
                (Disposition::Refused, Reason::Misplaced)
            } else {
                (Disposition::Held, Reason::NoHeader)
            });
        };
        if segment.lane != frame.core.lane {
            return Err((Disposition::Refused, Reason::Misplaced));
        }
        let Some(keys) = &segment.keys else {
            return Err((Disposition::Held, Reason::NoKey));
        };
        let plaintext =
            open_frame(keys, frame).map_err(|_| (Disposition::Refused, Reason::Forged))?;
        let batch =
            batch::decode(&plaintext).map_err(|_| (Disposition::Refused, Reason::Content))?;
        Ok(Verified(batch))
    }

    /// Opens a segment again that was seen before this process began.
    fn recall(&mut self, gateway: &Gateway, id: SegmentId) {
        let registry = &mut self.registry;
        self.keys.recall(gateway.id, id, || registry.segment(gateway.row, id));
    }

    fn gap(&mut self, common: Common, gap: Gap) -> Disposed {
        let known = self.keys.segment(common.gateway.id, gap.segment).is_some();
        let misplaced = !known && self.registry.is_anothers(common.gateway.row, gap.segment);
        let (disposition, reason) = if misplaced {
            (Disposition::Refused, Reason::Misplaced)
        } else {
            (Disposition::Stored, Reason::None)
        };
        Disposed {
            gateway: common.gateway,
            lane: gap.lane,
            segment: gap.segment,
            index: gap.index,
            hash: common.hash,
            previous: Some(gap.previous),
            content: Content::Gap(Box::new(gap)),
            disposition,
            reason,
            bytes: common.bytes,
        }
    }
}

/// Whether a record came on the topic of its own lane.
fn own_topic(own: Lane, topic: Lane) -> Result<(), Unsigned> {
    if own == topic { Ok(()) } else { Err(Unsigned::Misplaced(own)) }
}
