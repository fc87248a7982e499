//! Limits of behaviour, each with its reason. Limits on bytes stand in `wire::limits`.

use std::time::Duration;

/// Records that wait between the broker and verification; the broker keeps the rest.
pub const INCOMING_MAX: usize = 64;
/// Bytes that may wait for the line: what a thousand gateways send at once when a sink comes back,
/// each its window's least. mosquitto was seen to send far more than the receive maximum.
pub const WAITING_BYTES_MAX: usize = 64 << 20;
/// Verified records that wait for the store.
pub const VERIFIED_MAX: usize = 64;
/// Records in one transaction: the more, the fewer syncs; the fewer, the sooner a receipt.
pub const GROUP_RECORDS_MAX: usize = 128;
/// Segments whose keys stay in memory.
pub const SEGMENTS_OPEN_MAX: usize = 4096;
/// Records of segments without a header that are kept, a gateway.
pub const PARKED_MAX: u64 = 4096;
/// Wait before a new connection to the broker, first and longest.
pub const RECONNECT_WAIT: (Duration, Duration) =
    (Duration::from_millis(200), Duration::from_secs(5));
/// Keep-alive of the connection.
pub const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// A connection attempt ends after this long.
pub const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// Keys of one gateway: each is tried in turn for a record that the newest one did not sign.
pub const KEYS_MAX: usize = 32;
