//! Limits of behaviour, each with its reason. Limits on bytes stand in `wire::limits`.

use std::time::Duration;

/// Chunks of link frames that intake may be ahead of the line; then devices wait.
///
/// 64 chunks of 16 KiB: one megabyte, a few seconds of a busy ward.
pub const INTAKE_CHUNKS_MAX: usize = 64;
/// Link payload in one chunk, bytes.
pub const INTAKE_CHUNK_BYTES_MAX: usize = 16 * 1024;
/// Connections that one listener takes at a time.
pub const CONNECTIONS_MAX: usize = 256;
/// Link payload that a batch may hold before it is closed early, bytes.
///
/// A packed batch is never larger than its link payload by more than its heads; see
/// `wire::limits::BATCH_BYTES_MAX`.
pub const BATCH_PAYLOAD_BYTES_MAX: usize = 44 * 1024;
/// Blocks in a batch before it is closed early.
pub const BATCH_BLOCKS_MAX: usize = 512;
/// A segment file grows by this much at a time, bytes, written as zeros beforehand.
///
/// So that `fdatasync` moves data only: no size and no extent changes in the journal.
pub const SEGMENT_STEP_BYTES: u64 = 256 * 1024;
/// Trimmed files that are kept for the next segments; their blocks are allocated already.
pub const SPARE_FILES_MAX: usize = 6;
/// Room in an open segment that only gaps may use, bytes.
pub const GAP_RESERVE_BYTES: u64 = 16 * 1024;
/// Records that MQTT may hold without PUBACK; small, so that a black hole shows early.
pub const PUBLISHES_MAX: usize = 48;
/// Bytes sent beyond receipts.
pub const WINDOW_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Part of the window that only live alerts may use, bytes.
pub const WINDOW_ALERT_RESERVE_BYTES: usize = 128 * 1024;
/// What backlog may have out at least, whatever its receipts take; a record is begun below it.
pub const WINDOW_OLD_BYTES_MIN: usize = 8 * 1024;
/// A receipt that waited for no longer lets the backlog's part of the window grow.
pub const QUEUE_SHORT: Duration = Duration::from_millis(40);
/// A receipt that waited for longer lets it shrink; a third of what live vitals may take.
pub const QUEUE_LONG: Duration = Duration::from_millis(80);
/// First and longest wait before a new connection; the wait is drawn from zero to it.
///
/// 1,000 gateways that lose their broker at once call it less than 400 times a second; on two cores
/// that it shares with them, mosquitto takes about 130 new TLS connections a second.
pub const RECONNECT_WAIT: (Duration, Duration) = (Duration::from_secs(4), Duration::from_secs(30));
/// Least and longest wait after a call that nobody answered: there is nobody to be spared.
pub const ABSENT_WAIT: (Duration, Duration) =
    (Duration::from_millis(700), Duration::from_millis(1300));
/// Between two calls of one attempt; the first that is answered counts.
///
/// Kernels repeat a call of theirs after 1, 3 and 7 s, and a link that returns after a minute is to
/// be used within a second.
pub const CALL_AGAIN: Duration = Duration::from_secs(1);
/// An attempt whose calls nobody answers ends after this long.
pub const ANSWER_DEADLINE: Duration = Duration::from_secs(9);
/// Without a receipt for this long while records are out, they are sent again.
pub const RECEIPT_DEADLINE: Duration = Duration::from_secs(10);
/// A connection, or a record whose bytes go on leaving, may take this long on a thin link.
///
/// 22 KB at 1 kbit/s: a handshake, or a keyring and a segment's header, and what TCP sends twice on
/// such a link. Longer, and a link that only trickles would hide a sink that is gone.
pub const THIN_LINK_DEADLINE: Duration = Duration::from_secs(180);
/// Bytes that a link is given without the broker's acknowledgement: least, and at first.
///
/// The first two seconds of 32 kbit/s; a healthy link doubles it at every answer. The least lets
/// one record through at a time, since a record is begun whenever less is out.
pub const PACE_BYTES: (usize, usize) = (1024, 8 * 1024);
/// What is acknowledged sooner than this lets the pace grow; a quarter of the receipt's deadline.
pub const PACE_QUICK: Duration = Duration::from_millis(2500);
/// What is acknowledged later than this halves the pace; half of the receipt's deadline.
pub const PACE_SLOW: Duration = Duration::from_secs(5);
/// Between two looks at what moves on the link; a tenth of the receipt's deadline.
pub const TRAFFIC_LOOK: Duration = Duration::from_secs(1);
/// Between two rounds that a sink's greeting may start.
pub const ROUND_WAIT: Duration = Duration::from_secs(2);
/// Deadlines in a row without any receipt before the client is rebuilt.
pub const STALLS_BEFORE_REBUILD: u32 = 2;
/// A connection attempt in which nothing moves ends after this long.
pub const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// Keep-alive of the connection; a broker cuts after one and a half of it without a whole packet.
///
/// A black hole is seen by the receipt's deadline long before: a health report is always under way.
pub const KEEP_ALIVE: Duration = Duration::from_secs(120);

const _: () = assert!(BATCH_PAYLOAD_BYTES_MAX < wire::limits::BATCH_BYTES_MAX);
const _: () = assert!(KEEP_ALIVE.as_secs() * 3 / 2 >= THIN_LINK_DEADLINE.as_secs());
const _: () = assert!(ANSWER_DEADLINE.as_secs() < CONNECT_DEADLINE.as_secs());
const _: () = assert!(RECEIPT_DEADLINE.as_secs() < THIN_LINK_DEADLINE.as_secs());
const _: () = assert!(WINDOW_ALERT_RESERVE_BYTES >= wire::limits::FRAME_BYTES_MAX);
const _: () = assert!(GAP_RESERVE_BYTES as usize > 8 * wire::limits::GAP_BYTES_MAX);
