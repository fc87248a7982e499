"""What a line of an evidence bundle says, for bundle_judge.py: shapes, records, blocks, keyrings.

Shapes are those of docs/evidence.md; a field more or less is refused, so that what we write and
what is written down cannot drift apart.
"""

import functools
import json
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "vectors"))

import opener  # noqa: E402
from opener import Refused, blob, fields, items, need, optional, sha256, sint, uint  # noqa: E402

LANES, KINDS = ("alert", "vital", "wave", "health"), ("header", "frame", "gap")
DISPOSITIONS = {1: "stored", 2: "held", 3: "refused"}
SUCCESSIONS_MAX = 16


# Lines

def hexed(size=None):
    def read(value):
        good = type(value) is str and re.fullmatch("([0-9a-f]{2})*", value)
        need(good, "not lower-case hexadecimal")
        return blob(bytes.fromhex(value), size)
    return read


def words(value):
    need(type(value) is str, "not a text")
    return value


def counted(text):
    """A text with its length in front, as audit entries are hashed."""
    return len(text.encode()).to_bytes(8, "big") + text.encode()


def one_of(*wanted):
    def read(value):
        need(type(value) in (int, str) and value in wanted, f"none of {wanted}")
        return value
    return read


def listed(read):
    return lambda value: [read(one) for one in fields(value)]


def maybe(read):
    return lambda value: optional(value, read)


def device(value):
    need(re.fullmatch("[0-9A-Fa-f]{16}", words(value).replace("-", "")), "not an EUI-64")
    return int(value.replace("-", ""), 16)


def step(value):
    is_left, other = fields(value, 2)
    need(type(is_left) is bool, "neither true nor false")
    return is_left, HASH(other)


def table(wanted):
    def read(value):
        need(type(value) is dict and value.keys() == wanted.keys(),
             f"other fields than {', '.join(wanted)}")
        return {key: of(value[key]) for key, of in wanted.items()}
    return read


HASH = hexed(32)
PLACE = {"segment": hexed(16), "index": uint, "hash": HASH}
SHAPES = {
    "request": {"schema": one_of(1), "device": device, "from_ns": sint, "to_ns": sint,
                "store_epoch": hexed(16), "software": words},
    "roots": {"needed": uint, "keys": listed(HASH)},
    # The keyring in force may stand there without the time of its coming.
    "keyring": {"at_ns": maybe(sint), "document": hexed()},
    "gateway": {"gateway": opener.name, "key": HASH, "enrolled_ns": sint,
                "successor": maybe(HASH), "successor_start": maybe(uint)},
    "revoked": {"gateway": opener.name, "at_ns": sint, "reason": words,
                "after": listed(table({"lane": one_of(*LANES), **PLACE}))},
    "record": {"gateway": opener.name, "lane": one_of(*LANES), **PLACE,
               "kind": one_of(*KINDS, "gone"), "received_ns": sint,
               "disposition": one_of(*DISPOSITIONS.values()), "reason": words,
               "signed": maybe(hexed()), "ciphertext": maybe(hexed())},
    "block": {**PLACE, "block": uint, "salt": hexed(16), "bytes": hexed(), "path": listed(step)},
    "time": {"gateway": opener.name, "boot": hexed(16), "start_count": uint,
             "monotonic_ns": uint, "utc_ns": sint, "error_us": uint},
    "receipt": {"bytes": hexed()},
    "disposed": {"at_ns": sint, "what": words},
    "audit": {"id": uint, "at_ns": sint, "who": words, "role": words, "what": words,
              "object": words, "words": words, "hash": HASH},
    "gateway-audit": {"gateway": opener.name, "entry": hexed()},
    "seal": {"hashes": listed(HASH), "key": HASH, "signed": hexed()},
}


def once(pairs):
    need(len(dict(pairs)) == len(pairs), "a field twice")
    return dict(pairs)


class Line:
    """A line of the file; `what_it_is` is None unless it has its shape."""

    def __init__(self, number, raw):
        self.number, self.raw, self.what_it_is, self.value = number, raw, None, {}

    def read(self):
        try:
            value = json.loads(self.raw.decode(), object_pairs_hook=once)
            # An escape can be half a surrogate pair, which is no text.
            json.dumps(value, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as error:
            raise Refused(f"no JSON: {error}") from error
        need(type(value) is dict, "no JSON object")
        what = value.pop("is", None)
        need(type(what) is str and what in SHAPES, f"of an unknown kind: {what}")
        shape = SHAPES[what]
        if what == "audit" and "before" in value:
            shape = {**shape, "before": HASH}
        self.value = table(shape)(value)
        self.what_it_is = what

    def __getattr__(self, key):
        try:
            return self.value[key]
        except KeyError:
            raise AttributeError(key) from None


# What a record says of itself

class Record:
    """A record's signed part, read; its signature is checked with `is_by`."""

    def __init__(self, line):
        self.line, self.hash, self.index, self.kind = line, line.hash, line.index, line.kind
        self.place = (line.gateway, line.lane, line.segment)
        self.previous = self.key_id = self.start = self.root = self.hole = None
        if line.signed is None:
            return
        need(sha256(line.signed) == line.hash, "its hash is not that of its signed part")
        parts = items(opener.payload_of(line.signed))
        core = parts[0][0]
        need(type(core) is list and len(core) >= 6, "a core that is too short")
        kind = KINDS[uint(core[1], most=2)]
        at = 3 if kind == "header" else 2
        inside = (LANES[uint(core[at], most=3)], blob(core[at + 1 + at % 2], 16),
                  0 if kind == "header" else uint(core[4], 32), kind)
        need(inside == (line.lane, line.segment, line.index, line.kind),
             "another lane, segment, index or kind was signed")
        if kind == "frame":
            need(len(parts) == 2, "a frame of another shape")
            need(line.ciphertext is None or sha256(line.ciphertext) == blob(parts[1][0], 32),
                 "not the ciphertext that was signed")
        need(kind == "frame" or line.ciphertext is None, "a ciphertext of what is no frame")
        # What another version says beyond its place is not known.
        if uint(core[0]) == 1:
            getattr(self, kind)(core, len(parts))

    def header(self, core, count):
        need(count == 2, "a header of another shape")
        need(fields(core, 15)[4] == self.line.gateway, "a header of another gateway")
        self.start, self.key_id = uint(core[7]), blob(core[11], 8)
        opener.clock(core[12])

    def frame(self, core, _):
        need(uint(fields(core, 9)[6]) >= uint(core[5]) and core[4] > 0, "sequences or index")
        self.previous, self.root = blob(core[7], 32), blob(core[8], 32)

    def gap(self, core, count):
        need(count == 1 and uint(fields(core, 16)[4]) > 0, "a gap of another shape")
        self.previous = blob(core[5], 32)
        after = optional(core[15], lambda value: blob(value, 32))
        need(uint(core[7], 32) <= uint(core[8], 32), "a hole from back to front")
        if core[6] is not None:
            self.hole = (blob(core[6], 16), core[7], core[8], after)

    def is_by(self, key):
        if self.key_id not in (None, opener.key_id(b"ed25519", key)):
            return False
        return held(self.line.signed, b"record", key) is not None


# Kept, since the self-test judges almost the same bundle again and again.
@functools.lru_cache(None)
def held(signed, purpose, key):
    """The payload, or None if this key has not signed it for this purpose."""
    try:
        return opener.verify(signed, purpose, key)
    except Refused:
        return None


def climb(block):
    """The root above a block. Its number must fit the turns of the path: while a neighbour still
    comes to the right, what is below is a whole tree, and each turn is a bit of the number."""
    found = sha256(b"\0", block.salt, block.bytes)
    turns = [is_left for is_left, _ in block.path]
    whole = max((at + 1 for at, is_left in enumerate(turns) if not is_left), default=0)
    low = sum(1 << at for at in range(whole) if turns[at])
    need(block.block % (1 << whole) == low
         and (block.block >> whole).bit_count() == len(turns) - whole,
         "its path leads to a block of another number")
    for is_left, other in block.path:
        found = sha256(b"\1", *((other, found) if is_left else (found, other)))
    return found


# Keyrings

def signers(parts, purpose, payload, keys):
    """The parts with this payload that distinct keys have signed."""
    by = {key: part for key in keys for part in parts if held(part, purpose, key) == payload}
    return list(by.values())


def follow(parts, roots, bearing):
    """The roots at the end of a document's successions."""
    for _ in range(SUCCESSIONS_MAX):
        for payload in map(opener.payload_of, parts):
            good = signers(parts, b"root-succession", payload, roots[1])
            if len(good) >= roots[0]:
                number, needed, keys = fields(opener.item(payload), 3)
                opener.version(number)
                named = (uint(needed), [blob(key, 32) for key in fields(keys)])
                need(1 <= named[0] <= len(named[1]), "a succession to too few roots")
                if named != roots:
                    bearing += good if len(good) == roots[0] else []
                    roots = named
                    break
        else:
            return roots
    return roots


def keyring(document, roots):
    """Roots at the end, versions, receipt keys, and the parts of which none can be spared."""
    need(len(document) <= opener.KEYRING_MAX, "larger than any keyring")
    parts, fleet = fields(opener.item(document), 2)
    parts, bearing = [blob(part) for part in fields(parts)], [blob(fleet)]
    roots = follow(parts, roots, bearing)
    payloads = [opener.payload_of(part) for part in parts]
    good = [signers(parts, b"keyring-root", payload, roots[1]) for payload in payloads]
    best = max(good, default=[], key=lambda by: (
        len(by), uint(fields(opener.item(opener.payload_of(by[0])), 5)[1]) if by else 0))
    need(len(best) >= roots[0], f"{len(best)} root signatures hold, {roots[0]} are needed")
    bearing += best if len(best) == roots[0] else []
    number, root_version, expires, fleet_key, recovery = fields(
        opener.item(opener.payload_of(best[0])), 5)
    opener.version(number)
    sint(expires), opener.recipients(recovery)
    number, fleet_version, sinks, receipt_keys, command_key, formats, epoch = fields(
        opener.item(opener.verify(fleet, b"keyring-fleet", blob(fleet_key, 32))), 7)
    opener.version(number)
    opener.recipients(sinks), blob(command_key, 32), fields(formats, 2), blob(epoch, 16)
    versions = (uint(root_version), uint(fleet_version))
    return roots, versions, [blob(key, 32) for key in fields(receipt_keys)], bearing
