//! Every bound on bytes, with its reason; the asserts say how they fit together.

/// A whole frame as it is appended, published and kept, bytes.
///
/// 64 KiB: small enough for every broker's default, large enough that a signature weighs little.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
/// The sealed batch inside a frame before encryption, bytes; leaves room for what is signed.
pub const BATCH_BYTES_MAX: usize = FRAME_BYTES_MAX - 1024;
/// The least ciphertext of a frame, bytes: the tag of AES-256-GCM.
pub const CIPHERTEXT_BYTES_MIN: usize = 16;
/// A segment header with its wrapped secrets, bytes: four recipients of 1,200 bytes and the core.
pub const HEADER_BYTES_MAX: usize = 8 * 1024;
/// A gap record, bytes: numbers, two hashes and a signature.
pub const GAP_BYTES_MAX: usize = 512;
/// A receipt, bytes; a sink splits what does not fit.
pub const RECEIPT_BYTES_MAX: usize = 64 * 1024;
/// A keyring, bytes.
pub const KEYRING_BYTES_MAX: usize = 64 * 1024;
/// A command or a status, bytes.
pub const COMMAND_BYTES_MAX: usize = 4 * 1024;
/// An entry of a gateway's audit trail with its signature, bytes: numbers, a hash and two texts.
pub const AUDIT_BYTES_MAX: usize = 1024;
/// What such an entry is about, bytes of UTF-8: a version, a digest in digits, a file's name.
pub const AUDIT_OBJECT_BYTES_MAX: usize = 128;
/// Its words, bytes of UTF-8: a few sentences for people.
pub const AUDIT_WORDS_BYTES_MAX: usize = 512;
/// Frames in one segment: bounds what one key encrypts and what one open secret reveals.
pub const SEGMENT_FRAMES_MAX: u32 = 4096;
/// A segment file, bytes: bounds the work of recovery.
pub const SEGMENT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A segment's life, seconds: bounds what a thief of a running gateway can open.
pub const SEGMENT_SECONDS_MAX: u64 = 600;
/// Recipients of one segment secret: sink and recovery key, each during a change of keys.
pub const RECIPIENTS_MAX: usize = 4;
/// Blocks in one batch: one a device and context, and the head.
pub const BLOCKS_MAX: usize = 1024;
/// Channels that one device may declare.
pub const CHANNELS_MAX: usize = 256;
/// A label or unit text of a channel, bytes of UTF-8.
pub const LABEL_BYTES_MAX: usize = 64;
/// Values in one table of a batch: bounds what a hostile batch can make a reader allocate.
pub const TABLE_VALUES_MAX: usize = 1 << 17;
/// Samples in one run of one channel, and in all runs of one batch.
pub const WAVE_SAMPLES_MAX: usize = 1 << 18;
/// Nesting of any CBOR item that we read.
pub const DEPTH_MAX: usize = 8;
/// Payload of a link frame, bytes: COBS then costs one byte, and a small sensor can hold it.
pub const LINK_PAYLOAD_BYTES_MAX: usize = 238;
/// What a sealed link frame adds to a payload, bytes: its kind and its tag.
pub const LINK_SEAL_BYTES: usize = 1 + 16;
/// What a device may say in one frame, bytes: it can still be sealed.
pub const LINK_TEXT_BYTES_MAX: usize = LINK_PAYLOAD_BYTES_MAX - LINK_SEAL_BYTES;
/// A link frame before COBS, bytes: version, type, boot, sequence, length, payload, checksum.
pub const LINK_FRAME_BYTES_MAX: usize = 12 + LINK_PAYLOAD_BYTES_MAX + 4;
/// What a gateway asks of the sink, bytes: names, a key and a certificate request.
pub const REQUEST_BYTES_MAX: usize = 16 * 1024;
/// A gateway's name, bytes: it is a certificate's name, a topic level and a folder.
pub const GATEWAY_NAME_BYTES_MAX: usize = 32;
/// Ranges in one receipt.
pub const RECEIPT_RANGES_MAX: usize = 256;

const _: () = assert!(LINK_FRAME_BYTES_MAX == 254, "one COBS group");
const _: () = assert!(BATCH_BYTES_MAX < FRAME_BYTES_MAX);
const _: () = assert!(RECEIPT_RANGES_MAX * 64 + 1024 < RECEIPT_BYTES_MAX);
const _: () = assert!(AUDIT_OBJECT_BYTES_MAX + AUDIT_WORDS_BYTES_MAX + 256 <= AUDIT_BYTES_MAX);
const _: () = assert!(FRAME_BYTES_MAX * 16 < SEGMENT_BYTES_MAX);
