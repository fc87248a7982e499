"""Second reader of every format in wire/FORMAT.md; shares no code with the Rust one.

    opener.py FOLDER               checks a folder of vectors against its expected.json files
    opener.py --self-test FOLDER   damages the same files and shows that each damage is refused

Prints one line a file and a last line of JSON; exits 1 with the file and the reason.
Numbers in brackets name sections of wire/FORMAT.md.
"""

import argparse
import copy
import hashlib
import hmac
import json
import pathlib
import random
import sys

import cbor2
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from kyber_py.ml_kem import ML_KEM_768
from pycose.keys import OKPKey
from pycose.keys.curves import Ed25519
from pycose.messages import Sign1Message

from wave import WaveError, decode_wave

FRAME_MAX, BATCH_MAX, HEADER_MAX, GAP_MAX = 65536, 64512, 8192, 512
TAG = 16
KEYRING_MAX, RECEIPT_MAX, COMMAND_MAX = 65536, 65536, 4096
BLOCKS_MAX, CHANNELS_MAX, RECIPIENTS_MAX, RANGES_MAX = 1024, 256, 4, 256
VALUES_MAX, SAMPLES_MAX, LABEL_MAX, TEXT_MAX = 1 << 17, 1 << 18, 64, 96
ENTRY_MAX, OBJECT_MAX, WORDS_MAX = 1024, 128, 512


class Refused(Exception):
    """The bytes are not what the format says."""


def need(good, reason):
    if not good:
        raise Refused(reason)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


# Strict CBOR [2]

def head(data, at):
    """Major type, value and the place behind the head."""
    need(at < len(data), "cbor: cut off")
    major, short = data[at] >> 5, data[at] & 31
    at += 1
    if short < 24:
        return major, short, at
    need(short <= 27, "cbor: indefinite or reserved")
    need(major != 7, "cbor: a float or an unknown simple value")
    size = 1 << (short - 24)
    need(at + size <= len(data), "cbor: cut off")
    value = int.from_bytes(data[at:at + size], "big")
    need(value >= (24 if size == 1 else 1 << 4 * size), "cbor: a head is not the shortest")
    return major, value, at + size


def skip(data, at, depth=8):
    """The place behind one strict item."""
    major, value, at = head(data, at)
    if major in (2, 3):
        need(value <= len(data) - at, "cbor: cut off")
        if major == 3:
            try:
                data[at:at + value].decode()
            except UnicodeDecodeError as error:
                raise Refused("cbor: a text is not UTF-8") from error
        return at + value
    if major == 7:
        need(value in (20, 21, 22), "cbor: an unknown simple value")
    if major in (4, 5, 6):
        inside = {4: value, 5: 2 * value, 6: 1}[major]
        need(depth > 0 or (major == 4 and inside == 0), "cbor: too deep")
        before = b""
        for count in range(inside):
            start = at
            at = skip(data, at, depth - 1)
            if major == 5 and count % 2 == 0:
                need(data[start:at] > before, "cbor: keys out of order")
                before = data[start:at]
    return at


def items(data):
    """The strict items that stand in a row in `data`, with the bytes of each."""
    found, at = [], 0
    while at < len(data):
        end = skip(data, at)
        raw = bytes(data[at:end])
        try:
            value = cbor2.loads(raw)
        except cbor2.CBORDecodeError as error:
            raise Refused(f"cbor: {error}") from error
        need(plain(value), "cbor: a map or a tag where the format has none")
        found.append((value, raw))
        at = end
    return found


def plain(value):
    """Whether only integers, bytes, texts, nulls, truth values and arrays of them stand here."""
    if isinstance(value, list):
        return all(map(plain, value))
    return value is None or type(value) in (int, bytes, str, bool)


def item(data):
    found = items(data)
    need(len(found) == 1, "cbor: not exactly one item")
    return found[0][0]


def fields(value, *counts):
    need(type(value) is list and (not counts or len(value) in counts), "not the array wanted")
    return value


def uint(value, bits=64, most=None):
    need(type(value) is int and 0 <= value < 1 << bits, "not an unsigned number of this size")
    need(most is None or value <= most, "a number that is not in its list")
    return value


def sint(value, bits=64):
    need(type(value) is int and -1 << bits - 1 <= value < 1 << bits - 1, "not a signed number")
    return value


def blob(value, size=None):
    need(type(value) is bytes and size in (None, len(value)), "not a byte string of this size")
    return value


def text(value, most):
    need(type(value) is str and len(value.encode()) <= most, "not a text of this size")
    return value


def version(value):
    need(uint(value) == 1, "another version")


def name(value):
    text(value, 32)
    good = value and value[0] != "-" != value[-1]
    need(good and all(c in "abcdefghijklmnopqrstuvwxyz0123456789-" for c in value), "gateway name")
    return value


def optional(value, read):
    return None if value is None else read(value)


def clock(value):
    epoch, monotonic, utc, error, source = fields(value, 5)
    need((utc is None) == (source == 0), "clock: UTC without a source or the other way round")
    return {"epoch": uint(epoch, 32), "monotonic_ns": uint(monotonic),
            "utc_ns": optional(utc, sint), "error_us": uint(error), "source": uint(source, most=3)}


def wrap(value):
    """As a signed number of 64 bits; what runs over comes back from the other end."""
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


# Signatures [4]

SIGN1_HEAD = bytes.fromhex("8443a10127a0")


def payload_of(signed):
    need(signed[:6] == SIGN1_HEAD, "not a COSE_Sign1 of our shape")
    inside = items(signed[6:])
    need(len(inside) == 2, "not a COSE_Sign1 of our shape")
    blob(inside[1][0], 64)
    return blob(inside[0][0])


def verify(signed, purpose, public):
    """The payload, if `public` signed it for this purpose."""
    payload = payload_of(signed)
    message = Sign1Message.from_cose_obj(cbor2.loads(signed), False)
    message.external_aad = b"wardline/1/" + purpose
    message.key = OKPKey(crv=Ed25519, x=public)
    need(message.verify_signature(), "the signature does not hold")
    return payload


def public_of(seed):
    raw = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes(*raw)


def record_parts(data):
    """Signed part and, of a frame, the ciphertext."""
    need(len(data) <= FRAME_MAX, "larger than any record")
    parts = [blob(part) for part in fields(item(data), 1, 2)]
    need(len(parts) < 2 or len(parts[1]) >= TAG, "record: a ciphertext shorter than its tag")
    return parts[0], parts[1] if len(parts) == 2 else None


# Secrets [7]

KEMS = {1: 0x647A, 2: 0x0020}
KDF, AEAD = 1, 2


def extract(salt, key):
    return hmac.digest(salt or bytes(32), key, "sha256")


def expand(key, info, size):
    out, block = b"", b""
    while len(out) < size:
        block = hmac.digest(key, block + info + bytes([len(out) // 32 + 1]), "sha256")
        out += block
    return out[:size]


def labelled(suite):
    """LabeledExtract and LabeledExpand of RFC 9180 section 4 for one suite id."""
    def labelled_extract(salt, label, key):
        return extract(salt, b"HPKE-v1" + suite + label + key)

    def labelled_expand(key, label, info, size):
        prefix = size.to_bytes(2, "big") + b"HPKE-v1" + suite
        return expand(key, prefix + label + info, size)

    return labelled_extract, labelled_expand


def x25519(private, public):
    try:
        return X25519PrivateKey.from_private_bytes(private).exchange(
            X25519PublicKey.from_public_bytes(public))
    except ValueError as error:
        raise Refused("x25519: not a usable key") from error


def x25519_public(private):
    raw = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes(*raw)


def x_wing_keys(private):
    expanded = hashlib.shake_256(private).digest(96)
    public, decapsulate = ML_KEM_768.key_derive(expanded[:64])
    return public, decapsulate, expanded[64:], x25519_public(expanded[64:])


def recipient_public(suite, private):
    if suite == 2:
        return x25519_public(private)
    public, _, _, public_x = x_wing_keys(private)
    return public + public_x


def decapsulate(suite, private, encapsulated):
    if suite == 1:
        need(len(encapsulated) == 1120, "x-wing: another size")
        _, key, private_x, public_x = x_wing_keys(private)
        shared = ML_KEM_768.decaps(key, encapsulated[:1088])
        shared_x = x25519(private_x, encapsulated[1088:])
        parts = shared + shared_x + encapsulated[1088:] + public_x + rb"\.//^" + b"\\"
        return hashlib.sha3_256(parts).digest()
    need(len(encapsulated) == 32, "x25519: another size")
    labelled_extract, labelled_expand = labelled(b"KEM" + KEMS[2].to_bytes(2, "big"))
    key = labelled_extract(b"", b"eae_prk", x25519(private, encapsulated))
    return labelled_expand(key, b"shared_secret", encapsulated + x25519_public(private), 32)


def hpke_open(suite, private, encapsulated, info, sealed):
    ids = b"".join(number.to_bytes(2, "big") for number in (KEMS[suite], KDF, AEAD))
    labelled_extract, labelled_expand = labelled(b"HPKE" + ids)
    context = b"\0" + labelled_extract(b"", b"psk_id_hash", b"")
    context += labelled_extract(b"", b"info_hash", info)
    shared = decapsulate(suite, private, encapsulated)
    secret = labelled_extract(shared, b"secret", b"")
    key = labelled_expand(secret, b"key", context, 32)
    nonce = labelled_expand(secret, b"base_nonce", context, 12)
    try:
        return AESGCM(key).decrypt(nonce, sealed, b"")
    except InvalidTag as error:
        raise Refused("the wrapped secret does not open") from error


def key_id(suite, public):
    return sha256(suite, public)[:8]


class SegmentKeys:
    """What opens the frames of one segment [8]."""

    def __init__(self, secret, core):
        chosen = extract(sha256(core), secret)
        self.cipher = AESGCM(expand(chosen, b"wardline/1/key", 32))
        self.base = int.from_bytes(expand(chosen, b"wardline/1/nonce", 12), "big")
        self.salt_key = expand(chosen, b"wardline/1/salt", 32)

    def open(self, index, core, ciphertext):
        try:
            return self.cipher.decrypt((self.base ^ index).to_bytes(12, "big"), ciphertext, core)
        except InvalidTag as error:
            raise Refused("the tag of the frame does not fit") from error

    def content_root(self, index, plaintext):
        def leaf(number, block):
            place = index.to_bytes(4, "big") + number.to_bytes(4, "big")
            salt = hmac.digest(self.salt_key, place, "sha256")[:16]
            return sha256(b"\0", salt, block)

        blocks = [blob(block) for block in fields(item(plaintext))]
        return merkle([leaf(number, block) for number, block in enumerate(blocks)])


def merkle(leaves):
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\1", merkle(leaves[:split]), merkle(leaves[split:]))


# Batch [9]

class Bits:
    """Bits of a packed column, most significant first."""

    def __init__(self, data):
        self.value, self.left = int.from_bytes(data, "big"), 8 * len(data)

    def take(self, count):
        need(count <= self.left, "column: cut off")
        self.left -= count
        return self.value >> self.left & (1 << count) - 1

    def done(self):
        need(self.left < 8 and self.value & (1 << self.left) - 1 == 0, "column: bits left over")


def unzigzag(value):
    return value >> 1 ^ -(value & 1)


def columns(data, moments, widths):
    """Each channel's first value in its width, then Rice-coded differences."""
    bits, values = Bits(data), []
    for width in widths:
        raw = bits.take(width & 127)
        last = unzigzag(raw) if width & 128 else wrap(raw)
        values.append(last)
        parameter = bits.take(5) if moments > 1 else 0
        for _ in range(moments - 1):
            unary = 0
            while unary < 20 and bits.take(1):
                unary += 1
            step = bits.take(64) if unary == 20 else unary << parameter | bits.take(parameter)
            last = wrap(last + unzigzag(step))
            values.append(last)
    bits.done()
    return values


def sums(value):
    """Numbers from their differences."""
    found, last = [], 0
    for step in fields(value):
        last = wrap(last + sint(step))
        found.append(last)
    return found


def progression(value, count):
    if type(value) is int:
        need(count == 1, "progression: one number for several")
        return [sint(value)]
    numbers = sums(value)
    if len(numbers) == 2 and count >= 2:
        step = numbers[1] - numbers[0]
        return [wrap(numbers[0] + at * step) for at in range(count)]
    need(len(numbers) == count > 2, "progression: another count")
    return numbers


def wave_kind(rate, per, mantissa, exponent, baseline, bits):
    need(rate and per, "a rate of nothing")
    return {"rate": [uint(rate), uint(per)], "gain": [sint(mantissa), sint(exponent, 8)],
            "baseline": sint(baseline, 32), "bits": uint(bits, 8)}


def shape(value):
    """Channels and the widths of their first values."""
    value = fields(value, 5, 6)
    codes, units = sums(value[0]), sums(value[1])
    small, kinds, waves = blob(value[2]), blob(value[3]), list(fields(value[4]))
    count = len(codes)
    need(count <= CHANNELS_MAX and len(units) == len(kinds) == count, "shape: counts differ")
    need(len(small) == 2 * count and len(waves) == kinds.count(1), "shape: counts differ")
    need(all(width & 127 <= 64 for width in small[:count]), "shape: a width above 64 bits")
    labels = [""] * 2 * count
    if len(value) == 6 and value[5] is not None:
        labels = [text(label, LABEL_MAX) for label in fields(value[5], 2 * count)]
    channels = []
    for at, kind in enumerate(kinds):
        need(kind < 2, "shape: an unknown kind")
        what = wave_kind(*fields(waves.pop(0), 6)) if kind else {
            "exponent": (small[count + at] ^ 128) - 128}
        channels.append({"code": uint(codes[at], 32), "unit": uint(units[at], 32),
                         "label": labels[2 * at], "unit_label": labels[2 * at + 1], "kind": what})
    return channels, list(small[:count])


class Batch:
    """One batch as it is read; counts what it may still make a reader allocate."""

    def __init__(self, data):
        need(len(data) <= BATCH_MAX, "batch: too large")
        blocks = [item(blob(block)) for block in fields(item(data))]
        need(1 <= len(blocks) <= BLOCKS_MAX + 1, "batch: no head or too many blocks")
        first = fields(blocks[0])
        need(len(first) >= 2, "batch: no head")
        version(first[0])
        self.clock = clock(first[1])
        both = [shape(value) for value in first[2:]]
        self.shapes, self.widths = [one[0] for one in both], [one[1] for one in both]
        self.values_left, self.samples_left = VALUES_MAX, SAMPLES_MAX
        self.blocks = [self.block(fields(block)) for block in blocks[1:]]

    def json(self):
        return {"clock": self.clock, "shapes": self.shapes, "blocks": self.blocks}

    def spend_samples(self, count):
        self.samples_left -= count
        need(self.samples_left >= 0, "batch: too many samples")

    def channels(self, number, first, count, wave):
        need(uint(number) < len(self.shapes), "batch: a shape that is not there")
        chosen = self.shapes[number][uint(first):first + count]
        need(len(chosen) == count > 0, "batch: channels that are not there")
        need(all(("rate" in one["kind"]) == wave for one in chosen), "batch: another kind")

    def block(self, value):
        need(len(value) >= 5, "block: no head")
        device, boot, flags, received, ticks = value[:5]
        kind, exponent, mode = uint(flags) & 7, flags >> 3 & 15, flags >> 7
        need(kind <= 4 and exponent <= 9 and mode <= 2, "block: flags")
        base = 0
        if kind in (3, 4) and self.clock["utc_ns"] is not None:
            utc = self.clock["utc_ns"]
            base = abs(utc) // 10 ** exponent * (1 if utc >= 0 else -1)
        found = {"device": f"{uint(device):016X}", "boot": uint(boot, 32), "clock": kind,
                 "tick_exponent": exponent, "mode": mode, "context": "",
                 "received_ms": sint(received), "time_ticks": wrap(sint(ticks) + base),
                 "tables": [], "waves": [], "notes": []}
        for section in map(fields, value[5:]):
            need(section, "block: an empty section")
            if uint(section[0]) == 6:
                found["context"] = blob(fields(section, 2)[1]).hex()
            elif section[0] == 0:
                found["tables"].append(self.table(section))
            elif section[0] == 1:
                found["waves"].append(self.wave(section))
            else:
                found["notes"].append(note(section))
        return found

    def table(self, value):
        _, number, first, count, moments, times, sequences, packed, *rest = fields(value, 8, 9)
        self.values_left -= uint(count) * uint(moments)
        need(self.values_left >= 0 and moments > 0, "table: too many values or none")
        self.channels(number, first, count, False)
        widths = self.widths[number][first:first + count]
        total = count * moments
        return {"shape": number, "channel_first": first, "channels": count,
                "times": progression(times, moments),
                "sequences": progression(sequences, moments),
                "values": columns(blob(packed), moments, widths),
                "exceptions": [exception(one, total) for one in fields(rest[0])] if rest else []}

    def wave(self, value):
        need(len(value) >= 10, "wave: too few fields")
        _, number, first, parts, ticks, start, status, sequences, counts = value[:9]
        self.spend_samples(uint(parts))
        sequences, counts = progression(sequences, parts), progression(counts, parts)
        need(all(count >= 0 for count in counts), "wave: a negative count")
        blocks, samples = value[9:], []
        invalid = fields(blocks.pop()) if type(blocks[-1]) is list else []
        for data in blocks:
            self.spend_samples(sum(counts))
            samples.append(waveform(blob(data), sum(counts), samples[-1] if samples else None))
        self.channels(number, first, len(samples), True)
        for channel, begin, length in (fields(one, 3) for one in invalid):
            uint(begin, 32), uint(length, 32)
            good = uint(channel, 32) < len(samples) and begin + length <= sum(counts)
            need(good, "wave: a hole outside")
        return {"shape": number, "channel_first": first, "time_ticks": sint(ticks),
                "sample_first": uint(start), "status": uint(status, 16),
                "parts": [list(pair) for pair in zip(sequences, counts)],
                "samples": samples, "invalid": invalid}


def waveform(data, count, previous):
    try:
        return decode_wave(data, count, previous)
    except WaveError as error:
        raise Refused(f"waveform: {error}") from error


def exception(value, total):
    position, *what, status = fields(value, 3, 4)
    need(uint(position, 32) < total, "exception: outside the table")
    number = uint(what[0], most=5) if len(what) == 1 else [sint(what[0]), sint(what[1], 8)]
    return [position, number, uint(status, 16)]


def note(value):
    need(len(value) >= 4, "note: too few fields")
    kind, ticks, sequence, *what = value
    if kind == 2:
        code, source, phase, state, priority, words = fields(what, 6)
        levels = [uint(level, 8) for level in (phase, state, priority)]
        said = {"alert": [uint(code, 32), uint(source, 32), *levels, text(words, TEXT_MAX)]}
    elif kind == 3:
        said = {"event": [uint(fields(what, 2)[0], 32), sint(what[1])]}
    elif kind == 4:
        said = {"loss": [uint(fields(what, 2)[0]), uint(what[1], 8)]}
    else:
        need(kind == 5, "note: an unknown section")
        inside = blob(fields(what, 1)[0])
        # Whose key has signed an entry, somebody says who has the gateway's.
        is_entry = inside[:1] == SIGN1_HEAD[:1]
        said = ({"audit": audit_entry(inside, payload_of(inside))} if is_entry
                else {"health": health(item(inside))})
    return {"time_ticks": sint(ticks), "sequence": sint(sequence), "what": said}


def health(value):
    number, lanes, devices, counters, software = fields(value, 5)
    version(number)

    def lane(one):
        which, top, oldest, sequence, backlog, lost = fields(one, 6)
        top = optional(top, lambda v: [blob(fields(v, 3)[0], 16).hex(), uint(v[1], 32),
                                       blob(v[2], 32).hex()])
        oldest = optional(oldest, lambda v: [blob(fields(v, 2)[0], 16).hex(), uint(v[1], 32)])
        return {"lane": uint(which, most=3), "head": top, "oldest_unreceipted": oldest,
                "sequence_next": uint(sequence), "backlog_bytes": uint(backlog),
                "gap_readings": uint(lost)}

    def device(one):
        which, minute, accepted, lost, broken = map(uint, fields(one, 5))
        return {"device": f"{which:016X}", "minute": minute, "accepted": accepted,
                "lost": [lost, broken]}

    return {"lanes": [lane(one) for one in fields(lanes)],
            "devices": [device(one) for one in fields(devices)],
            "counters": [[uint(fields(one, 2)[0], 16), uint(one[1])] for one in fields(counters)],
            "software": text(software, 1 << 16)}


def audit_entry(signed, payload):
    need(len(signed) <= ENTRY_MAX, "larger than any entry")
    form, gateway, number, previous, boot, monotonic, utc, kind, about, told = fields(
        item(payload), 10)
    version(form)
    is_first = blob(previous, 32) == bytes(32)
    need(uint(number) > 0 and (number == 1) == is_first,
         "its number does not fit the hash before it")
    return {"gateway": name(gateway), "number": number, "previous": previous.hex(),
            "boot": blob(boot, 16).hex(), "monotonic_ns": uint(monotonic),
            "utc_ns": optional(utc, sint), "kind": uint(kind, 16),
            "object": text(about, OBJECT_MAX), "words": text(told, WORDS_MAX)}


# Records, receipt, keyring, command, status [5, 6, 11 to 15]

class Chain:
    """The records of one gateway, read in the order of their chain."""

    def __init__(self, keys):
        self.keys, self.suite = keys, keys["suite"]
        self.public = public_of(bytes.fromhex(keys["gateway_seed"]))
        self.segments, self.heads, self.hashes, self.frames = {}, {}, {}, 0
        self.recipients = []
        for one in keys["recipients"]:
            private = bytes.fromhex(one["private"])
            public = recipient_public(self.suite, private)
            need(public.hex() == one["public"], "keys.json: public and private key differ")
            ident = key_id(bytes([self.suite]), public)
            self.recipients.append((one["audience"], ident, private))

    def copy(self):
        """Another that may go on without changing this one."""
        other = copy.copy(self)
        other.segments, other.heads = dict(self.segments), dict(self.heads)
        other.hashes = dict(self.hashes)
        return other

    def read(self, file, data):
        readers = {"receipt.bin": self.receipt, "keyring.bin": self.keyring,
                   "command.bin": self.command, "status.bin": self.status}
        return readers.get(file, self.record)(data)

    def record(self, data):
        signed, ciphertext = record_parts(data)
        payload = verify(signed, b"record", self.public)
        parts = items(payload)
        first = fields(parts[0][0])
        need(len(first) >= 2, "record: no version and kind")
        version(first[0])
        kind = uint(first[1], most=2)
        need((ciphertext is not None) == (kind == 1), "record: another kind than its parts")
        read = (self.header, self.frame, self.gap)[kind]
        return read(parts, ciphertext, sha256(signed), len(data))

    def grow(self, lane, place, mark):
        need(place not in self.hashes, "chain: a second record in one place")
        self.heads[lane], self.hashes[place] = (*place, mark), mark

    def go_on_from(self, lane, continues):
        need(self.heads.get(lane) == continues, "header: it continues another record")

    def follow(self, lane, place, previous, mark, bridges=None):
        wanted = (place[0], place[1] - 1, previous)
        need(self.heads.get(lane) == wanted, "chain: it does not follow the record before")
        self.grow(lane, place, mark)

    def header(self, parts, _, mark, size):
        need(len(parts) == 2 and size <= HEADER_MAX, "header: another shape or too large")
        (core, core_bytes), (wrapped, _) = parts
        (_, _, suite, lane, gateway, segment, boot, starts, sequence, continues, found, signing,
         moment, seen, software) = fields(core, 15)
        continues = optional(continues, lambda v: (
            blob(fields(v, 3)[0], 16), uint(v[1], 32), blob(v[2], 32)))
        need(uint(suite) == self.suite, "header: the suite is not the key's")
        need(name(gateway) == self.keys["gateway"], "header: another gateway")
        need(blob(signing, 8) == key_id(b"ed25519", self.public), "header: another signing key")
        self.go_on_from(uint(lane, most=3), continues)
        copies = {}
        need(len(fields(wrapped)) <= RECIPIENTS_MAX, "header: too many recipients")
        for ident, encapsulated, sealed in (fields(one, 3) for one in wrapped):
            copies[blob(ident, 8)] = blob(encapsulated), blob(sealed)
        need(len(copies) == len(wrapped), "header: a recipient twice")
        secrets = set()
        for audience, ident, private in self.recipients:
            if audience == (1 if lane == 3 else 0):
                need(ident in copies, "header: not wrapped for one of its recipients")
                encapsulated, sealed = copies[ident]
                info = sha256(core_bytes)
                secrets.add(hpke_open(suite, private, encapsulated, info, sealed))
        need(len(secrets) == 1, "header: the recipients find different secrets")
        secret = blob(secrets.pop(), 32)
        self.grow(lane, (blob(segment, 16), 0), mark)
        self.segments[segment] = lane, SegmentKeys(secret, core_bytes)
        known = continues and dict(
            zip(("segment", "index", "hash"),
                (continues[0].hex(), continues[1], continues[2].hex())))
        return {"kind": "header", "hash": mark.hex(), "suite": suite, "lane": lane,
                "gateway": gateway, "segment": segment.hex(), "boot": blob(boot, 16).hex(),
                "start_count": uint(starts), "sequence_next": uint(sequence),
                "continues": known, "found": uint(found, most=4),
                "signing_key": signing.hex(), "clock": clock(moment),
                "receipt_seen": uint(seen), "software": text(software, 64),
                "recipients": [one[0].hex() for one in wrapped], "secret": secret.hex()}

    def frame(self, parts, ciphertext, mark, _):
        need(len(parts) == 2, "frame: another shape")
        (core, core_bytes), (digest, _) = parts
        _, _, lane, segment, index, first, last, previous, root = fields(core, 9)
        need(blob(digest, 32) == sha256(ciphertext), "frame: not the ciphertext that was signed")
        need(uint(last) >= uint(first) and uint(index, 32) > 0, "frame: sequences or index")
        need(blob(segment, 16) in self.segments, "frame: its segment has no header")
        own, keys = self.segments[segment]
        need(uint(lane, most=3) == own, "frame: another lane than its segment")
        self.follow(lane, (segment, index), blob(previous, 32), mark)
        plaintext = keys.open(index, core_bytes, ciphertext)
        need(keys.content_root(index, plaintext) == blob(root, 32), "frame: content root")
        self.frames += 1
        return {"kind": "frame", "hash": mark.hex(), "lane": lane, "segment": segment.hex(),
                "index": index, "sequence_first": first, "sequence_last": last,
                "previous": previous.hex(), "content_root": root.hex(),
                "batch": Batch(plaintext).json()}

    def gap(self, parts, _, mark, size):
        need(len(parts) == 1 and size <= GAP_MAX, "gap: another shape or too large")
        (_, _, lane, segment, index, previous, hole, first, last, sequences, least, most, moments,
         cause, before, after) = fields(parts[0][0], 16)
        need(1 <= uint(cause) <= 6, "gap: an unknown cause")
        place = blob(segment, 16), uint(index, 32)
        self.follow(uint(lane, most=3), place, blob(previous, 32), mark, after)

        def some(value, size):
            return optional(value, lambda v: blob(v, size).hex())

        return {"kind": "gap", "hash": mark.hex(), "lane": lane, "segment": segment.hex(),
                "index": index, "previous": previous.hex(), "hole": {
                    "segment": some(hole, 16), "indexes": [uint(first, 32), uint(last, 32)],
                    "sequences": optional(sequences, lambda v: list(map(uint, fields(v, 2)))),
                    "readings": [uint(least), uint(most)],
                    "moments_ns": optional(moments, lambda v: list(map(sint, fields(v, 2)))),
                    "cause": cause, "before": some(before, 32), "after": some(after, 32)}}

    def document(self, data, most, purpose, public, count):
        need(len(data) <= most, "larger than allowed")
        value = fields(item(verify(data, purpose, public)), count)
        version(value[0])
        return value[1:]

    def receipt(self, data):
        public = public_of(bytes.fromhex(self.keys["receipt_seed"]))
        gateway, epoch, commit, moment, segments, wanted = self.document(
            data, RECEIPT_MAX, b"receipt", public, 7)
        found, total = [], 0
        for segment, ranges in (fields(one, 2) for one in fields(segments)):
            rows = []
            for first, last, fate, reason, mark in (fields(one, 5) for one in fields(ranges)):
                need(uint(first, 32) <= uint(last, 32), "receipt: a range from back to front")
                need(1 <= uint(fate) <= 3, "receipt: an unknown disposition")
                ours = self.hashes.get((segment, last))
                need(blob(mark, 32) == ours, "receipt: the hash of another record")
                rows.append([first, last, fate, uint(reason, most=7), mark.hex()])
            total += len(rows)
            found.append([blob(segment, 16).hex(), rows])
        need(total <= RANGES_MAX, "receipt: too many ranges")
        need(name(gateway) == self.keys["gateway"], "receipt: another gateway")
        return {"kind": "receipt", "gateway": gateway, "store_epoch": blob(epoch, 16).hex(),
                "commit": uint(commit), "sink_time_ns": sint(moment), "segments": found,
                "headers_wanted": [blob(one, 16).hex() for one in fields(wanted)]}

    def keyring(self, data):
        need(len(data) <= KEYRING_MAX, "keyring: too large")
        roots, signed = fields(item(data), 2)
        roots = [blob(part) for part in fields(roots)]
        payloads = []
        for seed in self.keys["root_seeds"]:
            public = public_of(bytes.fromhex(seed))
            for part in roots:
                try:
                    payloads.append(verify(part, b"keyring-root", public))
                    break
                except Refused:
                    continue
        good = sum(payload == payloads[0] for payload in payloads)
        need(good >= self.keys["roots_needed"], "keyring: too few root signatures hold")
        number, edition, expires, fleet_key, recovery = fields(item(payloads[0]), 5)
        version(number)
        root = {"version": uint(edition), "expires_ns": sint(expires),
                "fleet_key": blob(fleet_key, 32).hex(), "recovery": recipients(recovery)}
        edition, sinks, receipt_keys, command_key, formats, epoch = self.document(
            signed, KEYRING_MAX, b"keyring-fleet", fleet_key, 7)
        fleet = {"version": uint(edition), "recipients": recipients(sinks),
                 "receipt_keys": [blob(key, 32).hex() for key in fields(receipt_keys)],
                 "command_key": blob(command_key, 32).hex(),
                 "formats": [uint(one, 8) for one in fields(formats, 2)],
                 "store_epoch": blob(epoch, 16).hex()}
        return {"kind": "keyring", "root": root, "fleet": fleet}

    def command(self, data):
        public = public_of(bytes.fromhex(self.keys["command_seed"]))
        gateway, boot, number, action, argument = self.document(
            data, COMMAND_MAX, b"command", public, 6)
        need(skip(blob(argument), 0) == len(argument), "command: bytes behind the argument")
        return {"kind": "command", "gateway": name(gateway), "boot": blob(boot, 16).hex(),
                "number": uint(number), "action": uint(action, 16), "argument": argument.hex()}

    def status(self, data):
        boot, starts, online = self.document(data, COMMAND_MAX, b"status", self.public, 4)
        need(type(online) is bool, "status: neither true nor false")
        return {"kind": "status", "boot": blob(boot, 16).hex(), "start_count": uint(starts),
                "online": online}


def recipients(value):
    found = []
    for audience, suite, public in (fields(one, 3) for one in fields(value)):
        need(uint(suite, most=2) > 0, "keyring: an unknown suite")
        blob(public, {1: 1216, 2: 32}[suite])
        found.append([uint(audience, most=1), suite, public.hex()])
    return found


# Link [3]

def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def uncobs(data):
    out, at = b"", 0
    while at < len(data):
        code = data[at]
        need(code > 0 and at + code <= len(data), "link: not COBS")
        out += data[at + 1:at + code]
        at += code
        if code < 255 and at < len(data):
            out += b"\0"
    return out


def link(data):
    need(len(data) > 2 and data[0] == data[-1] == 0, "link: no delimiters")
    raw = uncobs(data[1:-1])
    need(16 <= len(raw) <= 254, "link: too short or too long")
    need(crc32c(raw[:-4]) == int.from_bytes(raw[-4:], "little"), "link: checksum")
    need(raw[0] == 1, "link: another version")
    need(raw[1] <= 7, "link: an unknown kind")
    payload = raw[12:-4]
    need(int.from_bytes(raw[10:12], "big") == len(payload), "link: another length")
    return link_frame(raw[1], raw[2:6], raw[6:10], payload)


def link_frame(kind, boot, sequence, payload):
    readers = {0: link_data, 2: link_hello, 3: link_gap, 6: link_standing}
    if kind == 7:
        said = link_open(boot, sequence, payload)
    elif kind == 4 and payload:
        level, challenge = fields(item(payload), 2)
        need(uint(level, 8) >= 2 and len(blob(challenge)) == 12, "link: an offer")
        said = payload.hex()
    else:
        said = readers[kind](item(payload)) if kind in readers else payload.hex()
    return {"kind": kind, "boot": int.from_bytes(boot, "big"),
            "sequence": int.from_bytes(sequence, "big"), "payload": said}


LINK_KEY, LINK_CHALLENGE = bytes(range(0x20, 0x40)), bytes(range(0x40, 0x4C))


def link_open(boot, sequence, payload):
    """What stands in a sealed frame: XChaCha20-Poly1305 under the test key and challenge."""
    need(len(payload) >= 17 and payload[0] < 7, "link: sealed")
    nonce = LINK_CHALLENGE + bytes([1, payload[0], 0, 0]) + boot + sequence
    cipher = ChaCha20Poly1305(hchacha20(LINK_KEY, nonce[:16]))
    try:
        opened = cipher.decrypt(bytes(4) + nonce[16:], payload[1:], None)
    except InvalidTag:
        need(False, "link: forged")
    return link_frame(payload[0], boot, sequence, opened)


def hchacha20(key, nonce):
    words = [int.from_bytes(part, "little") for part in
             (b"expa", b"nd 3", b"2-by", b"te k", *(key[at:at + 4] for at in range(0, 32, 4)),
              *(nonce[at:at + 4] for at in range(0, 16, 4)))]

    def turn(a, b, c, d):
        for left, right, to, by in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            words[left] = words[left] + words[right] & 0xFFFFFFFF
            mixed = words[to] ^ words[left]
            words[to] = (mixed << by | mixed >> 32 - by) & 0xFFFFFFFF

    for _ in range(10):
        for column in range(4):
            turn(column, 4 + column, 8 + column, 12 + column)
        for row in range(4):
            turn(row, 4 + (row + 1) % 4, 8 + (row + 2) % 4, 12 + (row + 3) % 4)
    return b"".join(word.to_bytes(4, "little") for word in words[:4] + words[12:])


def link_gap(value):
    readings, cause = fields(value, 2)
    return {"readings": uint(readings), "cause": uint(cause, 8)}


def link_standing(value):
    level, device, now, oldest, capacity, counted, resolution, firmware = fields(value, 8)
    need(uint(level, 8) >= 2, "standing")
    return {"device": f"{uint(device):016X}", "now": sint(now, 64), "oldest": uint(oldest, 32), "capacity": uint(capacity),
            "is_counted": bool(uint(counted, most=1)), "resolution_ns": uint(resolution),
            "firmware": text(firmware, 32)}


def link_hello(value):
    device, kind, exponent, mode, parts, model, first, channels = fields(value, 8)
    need(uint(parts, 8) > 0 and uint(first, 16) + len(fields(channels)) <= CHANNELS_MAX, "hello")
    found = []
    for one in channels:
        code, unit, label, unit_label, *what = fields(one, 5, 10)
        what = wave_kind(*what) if len(what) == 6 else {"exponent": sint(what[0], 8)}
        found.append({"code": uint(code, 32), "unit": uint(unit, 32), "kind": what,
                      "label": text(label, LABEL_MAX), "unit_label": text(unit_label, LABEL_MAX)})
    return {"device": f"{uint(device):016X}", "clock": uint(kind, most=4),
            "tick_exponent": uint(exponent, most=9), "mode": uint(mode, most=2),
            "parts": parts, "model": text(model, TEXT_MAX), "channel_first": first,
            "channels": found}


def link_data(value):
    need(len(fields(value)) > 0, "data: no time")
    return {"time_ticks": sint(value[0]), "entries": [entry(fields(one)) for one in value[1:]]}


def entry(value):
    need(value, "data: an empty entry")
    kind, *what = value
    if uint(kind) == 0:
        first, values = fields(what, 2)
        return {"numerics": [uint(first, 16), [link_value(one) for one in fields(values)]]}
    if kind == 1:
        first, channels, start, status, count, data = fields(what, 6)
        return {"wave": {"channel_first": uint(first, 16), "channels": uint(channels, 16),
                         "sample_first": uint(start), "status": uint(status, 16),
                         "count": uint(count), "samples": samples(blob(data), channels, count)}}
    if kind == 2:
        *numbers, words = fields(what, 6)
        for number, bits in zip(numbers, (32, 32, 8, 8, 8)):
            uint(number, bits)
        return {"alert": [*numbers, text(words, TEXT_MAX)]}
    if kind == 3:
        return {"event": [uint(fields(what, 2)[0], 32), sint(what[1])]}
    need(kind == 4, "data: an unknown entry")
    return {"context": blob(fields(what, 1)[0]).hex()}


def link_value(value):
    if type(value) is int:
        return sint(value)
    *number, status = fields(value, 2, 3)
    number = uint(number[0], most=5) if len(number) == 1 else [sint(number[0]), sint(number[1], 8)]
    return [number, uint(status, 16)]


def samples(data, channels, count):
    need(0 < channels * count <= len(data), "samples: another count")
    found, at, last = [], 0, 0
    for number in range(channels * count):
        last = 0 if number % count == 0 else last
        value, shift = 0, 0
        while True:
            need(at < len(data) and shift < 35, "samples: cut off")
            value |= (data[at] & 127) << shift
            at, shift = at + 1, shift + 7
            if data[at - 1] < 128:
                break
        if value:
            last = sint(last + unzigzag(value - 1), 32)
        found.append(last if value else None)
    need(at == len(data), "samples: bytes left over")
    return found


# The folder

class Report:
    """What was checked so far."""

    def __init__(self):
        self.files = self.frames = 0
        self.file = ""

    def say(self, folder, file, holds, size):
        self.files += 1
        print(f"{folder}/{file}: {holds}, {size} bytes, as expected")


def listing(folder):
    """File names in order with what each should hold."""
    wanted = json.loads((folder / "expected.json").read_text("utf-8"))
    there = {path.name for path in folder.glob("*.bin")}
    need(there == set(wanted) and there, f"{folder.name}: other files than expected.json names")
    return sorted(wanted.items())


def check_folder(folder, report, read):
    for file, wanted in listing(folder):
        report.file = f"{folder.name}/{file}"
        data = (folder / file).read_bytes()
        found = read(file, data, wanted)
        need(found == wanted, f"it holds something else than expected.json says: {found}")
        report.say(folder.name, file, wanted.get("kind", folder.name), len(data))


def suites(folder):
    for number in (1, 2):
        inside = folder / f"suite{number}"
        keys = json.loads((inside / "keys.json").read_text("utf-8"))
        need(keys["suite"] == number, f"{inside.name}: keys of another suite")
        yield inside, Chain(keys)


def check(folder, report):
    for inside, chain in suites(folder):
        check_folder(inside, report, lambda file, data, _: chain.read(file, data))
        report.frames += chain.frames
    check_folder(folder / "batch", report, lambda _, data, __: Batch(data).json())
    check_folder(folder / "link", report, lambda _, data, __: link(data))
    seen = {}

    def wave(file, data, wanted):
        previous = wanted["previous"]
        leader = seen[previous] if previous else None
        seen[file] = waveform(data, len(wanted["samples"]), leader)
        return {"samples": seen[file], "previous": previous}

    check_folder(folder / "wave", report, wave)


# Damage

FLIPS_PER_FILE = 24


def damages(data, chance):
    """Single flipped bits, a byte lost and a byte gained."""
    bits = range(8 * len(data))
    for bit in sorted(chance.sample(bits, min(FLIPS_PER_FILE, len(bits)))):
        bad = bytearray(data)
        bad[bit // 8] ^= 1 << bit % 8
        yield f"bit {bit}", bytes(bad)
    yield "last byte lost", data[:-1]
    yield "one byte more", data + b"\0"


def sign(payload, purpose, seed):
    covered = cbor2.dumps(["Signature1", SIGN1_HEAD[2:5], b"wardline/1/" + purpose, payload])
    signature = Ed25519PrivateKey.from_private_bytes(seed).sign(covered)
    return SIGN1_HEAD + cbor2.dumps(payload) + cbor2.dumps(signature)


def forgeries(chain, file, data):
    """What a thief of the signing key could try, and the word that each refusal must name."""
    seed = bytes.fromhex(chain.keys["gateway_seed"])

    def record(payload, *ciphertext):
        return cbor2.dumps([sign(payload, b"record", seed), *ciphertext])

    def frame(core, ciphertext):
        return record(cbor2.dumps(core) + cbor2.dumps(sha256(ciphertext)), ciphertext)

    def flip(some):
        return bytes([some[0] ^ 1]) + some[1:]

    if file in ("receipt.bin", "status.bin"):
        own = chain.keys["receipt_seed" if file == "receipt.bin" else "gateway_seed"]
        yield "another purpose", "signature", sign(payload_of(data), b"record", bytes.fromhex(own))
    if "header" in file or "frame" in file:
        signed, ciphertext = record_parts(data)
        (core, core_bytes), (second, _) = items(payload_of(signed))
    if "frame" in file:
        yield "another ciphertext", "tag", frame(core, flip(ciphertext))
        yield "another core", "tag", frame([*core[:6], core[6] + 1, *core[7:]], ciphertext)
        yield "no tag", "tag", frame(core, ciphertext[:15])
        yield "unsigned ciphertext", "ciphertext", record(payload_of(signed), flip(ciphertext))
        keys = chain.segments[core[3]][1]
        nonce = (keys.base ^ core[4]).to_bytes(12, "big")
        other = keys.cipher.encrypt(nonce, cbor2.dumps([b"other"]), core_bytes)
        yield "another plaintext", "content root", frame(core, other)
    if "header" in file:
        wrapped = [[one[0], flip(one[1]), one[2]] for one in second]
        yield "another wrap", "does not open", record(core_bytes + cbor2.dumps(wrapped))
        other = cbor2.dumps([*core[:7], core[7] + 1, *core[8:]])
        yield "another core", "does not open", record(other + cbor2.dumps(second))


def refused(read, data):
    """The reason, or None if the bytes were taken. Any other exception is a fault of ours."""
    try:
        read(data)
    except Refused as reason:
        return str(reason)
    return None


def self_test(folder, report):
    chance = random.Random(20260101)
    tried = 0
    for inside, chain in suites(folder):
        before = b""
        for file, _ in listing(inside):
            report.file = f"{inside.name}/{file}"
            data = (inside / file).read_bytes()
            need(refused(lambda good: chain.copy().read(file, good), data) is None, "not good")
            cases = [*damages(data, chance), ("the file before in its place", before)]
            reasons = set()
            for case, bad in cases:
                reason = refused(lambda bad: chain.copy().read(file, bad), bad)
                need(reason is not None, f"{case}: was taken")
                reasons.add(reason.split(":")[0])
            forged = list(forgeries(chain, file, data))
            for case, word, bad in forged:
                reason = refused(lambda bad: chain.copy().read(file, bad), bad)
                need(reason and word in reason, f"{case}: {word} should have refused it: {reason}")
            chain.read(file, data)
            tried, report.files = tried + len(cases) + len(forged), report.files + 1
            before = data
            print(f"{report.file}: {len(cases)} damages and {len(forged)} forgeries refused: "
                  + "; ".join(sorted(reasons)))
    for file, _ in listing(folder / "link"):
        report.file = f"link/{file}"
        data = (folder / "link" / file).read_bytes()
        cases = list(damages(data, chance))
        for case, bad in cases:
            need(refused(link, bad) is not None, f"{case}: was taken")
        tried, report.files = tried + len(cases), report.files + 1
        print(f"{report.file}: {len(cases)} damages refused")
    return tried


def main():
    parser = argparse.ArgumentParser(description="Opens test vectors without any Rust.")
    parser.add_argument("--self-test", action="store_true", help="damage the files instead")
    parser.add_argument("folder", type=pathlib.Path)
    asked = parser.parse_args()
    report = Report()
    try:
        if asked.self_test:
            tried = self_test(asked.folder, report)
            print(json.dumps({"files": report.files, "damages": tried, "ok": True}))
        else:
            check(asked.folder, report)
            print(json.dumps({"files": report.files, "frames": report.frames, "ok": True}))
    except Exception as error:  # whatever it is, the file that caused it is named
        reason = str(error) if isinstance(error, Refused) else repr(error)
        print(f"{report.file}: {reason}", file=sys.stderr)
        print(json.dumps({"files": report.files, "frames": report.frames, "ok": False,
                          "file": report.file, "reason": reason[:400]}))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
