"""An evidence bundle of our own for bundle_judge.py, with all its keys.

Two gateways, one of them with two keys, a lost record in a gap, a disposed one, a root succession,
a slice of audit trail, and slices of the gateways' own, one of which began anew; and FAULTS in it
that can be sealed with the right key, so that the single checks alone stand against them.
"""

import json

from bundle_judge_lines import LANES, opener
from opener import cbor2, merkle, public_of, sha256, sign

EPOCH, DEVICE, OTHER, T0 = sha256(b"epoch")[:16], 0x22FFFE334455, 7, 1_767_225_600_000_000_000
CLOCK = [1, 10**9, None, 2**64 - 1, 0]


def seed(name):
    return sha256(b"bundle ", name.encode())


def key(name):
    return public_of(seed(name))


def text_of(lines):
    return b"".join(json.dumps(line, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
                    for line in lines)


def sealed(raw, signer, named=None):
    """Lines with a seal by this seed, in the name of another key or its own."""
    marks = [sha256(line) for line in raw.split(b"\n")[:-1]]
    return raw + text_of([{
        "is": "seal", "hashes": [mark.hex() for mark in marks],
        "key": (named or public_of(signer)).hex(),
        "signed": sign(b"".join(marks), b"evidence", signer).hex()}])


# A bundle of our own

def path(leaves, at):
    if len(leaves) < 2:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if at < split:
        return [*path(leaves[:split], at), [False, merkle(leaves[split:]).hex()]]
    return [*path(leaves[split:], at - split), [True, merkle(leaves[:split]).hex()]]


class Segment:
    """One segment while it is made: lines of its records and the ranges of its receipt."""

    def __init__(self, gateway, signer, lane, name, start):
        self.gateway, self.signer, self.lane = gateway, seed(signer), lane
        self.ident, self.index, self.lines, self.ranges = name * 16, 0, [], []
        core = [1, 0, 2, LANES.index(lane), gateway, self.ident, bytes(16), start, 1, None, 0,
                opener.key_id(b"ed25519", key(signer)), CLOCK, 0, "1.0"]
        self.add("header", cbor2.dumps(core) + cbor2.dumps([]))

    def add(self, kind, payload, ciphertext=None, is_kept=True, joins=True):
        signed = sign(payload, b"record", self.signer)
        self.last = sha256(signed)
        if is_kept:
            self.lines.append({
                "is": "record", "gateway": self.gateway, "lane": self.lane,
                "segment": self.ident.hex(), "index": self.index, "kind": kind,
                "hash": self.last.hex(), "received_ns": T0 + self.index, "disposition": "stored",
                "reason": "", "signed": signed.hex(),
                "ciphertext": ciphertext and ciphertext.hex()})
            first = self.ranges.pop()[0] if joins and self.ranges else self.index
            self.ranges.append([first, self.index, 1, 0, self.last])
        self.index += 1

    def frame(self, devices=(), is_kept=True):
        """A batch of a head and a block a device; those of the device asked for in the clear."""
        blocks = [cbor2.dumps(one) for one in
                  [[1, CLOCK], *([one, 1, 0, 0, 0] for one in devices)]]
        salts = [sha256(self.last, block)[:16] for block in blocks]
        leaves = [sha256(b"\0", salt, block) for salt, block in zip(salts, blocks)]
        ciphertext = sha256(*blocks) * 2
        core = [1, 1, LANES.index(self.lane), self.ident, self.index, 1, 9, self.last,
                merkle(leaves)]
        payload = cbor2.dumps(core) + cbor2.dumps(sha256(ciphertext))
        index, is_ours = self.index, DEVICE in devices
        self.add("frame", payload, ciphertext if is_ours else None, is_kept)
        self.lines += [{
            "is": "block", "segment": self.ident.hex(), "index": index, "hash": self.last.hex(),
            "block": at, "salt": salts[at].hex(), "bytes": blocks[at].hex(),
            "path": path(leaves, at),
        } for at in range(len(blocks)) if is_ours and (at == 0 or devices[at - 1] == DEVICE)]

    def gap(self, first, last, after):
        core = [1, 2, LANES.index(self.lane), self.ident, self.index, self.last, self.ident,
                first, last, None, 0, 9, None, 1, None, after]
        self.add("gap", cbor2.dumps(core), joins=False)


def keyring(version, root, receipt_keys, *successions):
    fleet = cbor2.dumps([1, version, [], [key(one) for one in receipt_keys], key("command"),
                         [1, 1], EPOCH])
    root_part = cbor2.dumps([1, version, T0, key("fleet"), []])
    parts = [*successions, sign(root_part, b"keyring-root", seed(root))]
    document = cbor2.dumps([parts, sign(fleet, b"keyring-fleet", seed("fleet"))])
    return {"is": "keyring", "at_ns": T0 + version, "document": document.hex()}


def receipt(gateway, segments, signer="receipt new", epoch=EPOCH, moment=T0):
    wire = [1, gateway, epoch, 99, moment, [[one.ident, one.ranges] for one in segments], []]
    return {"is": "receipt", "bytes": sign(cbor2.dumps(wire), b"receipt", seed(signer)).hex()}


def audit():
    before, lines = sha256(b"before"), []
    for at in range(41, 45):
        texts = {"who": "ana", "role": "nurse", "what": "look", "object": "bett-7",
                 "words": f"Übergabe Nummer {at}"}
        counted = (len(text.encode()).to_bytes(8, "big") + text.encode()
                   for text in texts.values())
        own = sha256(before, at.to_bytes(8, "big"), (T0 + at).to_bytes(8, "big"), *counted)
        lines.append({"is": "audit", "id": at, "at_ns": T0 + at, **texts, "hash": own.hex()})
        before = own
    lines[0]["before"] = sha256(b"before").hex()
    return lines


def entries(gateway, first, before, signers, told):
    """Entries of a gateway's own trail, as lines."""
    lines = []
    for number, signer in enumerate(signers, first):
        wire = [1, gateway, number, before, bytes(16), number * 10**9, T0 + number, 1, "0.1.0",
                told]
        signed = sign(cbor2.dumps(wire), b"audit", seed(signer))
        before = sha256(signed)
        lines.append({"is": "gateway-audit", "gateway": gateway, "entry": signed.hex()})
    return lines


def trails():
    one = entries("gateway-a", 7, sha256(b"sixth"), ["a old", "a old", "a new", "a new"], "Umzug")
    first, second = (entries("gateway-b", 1, bytes(32), ["b", "b"], told)
                     for told in ("first card", "second card"))
    return [*one, first[0], second[0], first[1], second[1]]


def segments():
    one = Segment("gateway-a", "a old", "vital", b"e", 3)
    one.frame([DEVICE, OTHER, DEVICE])
    one.frame([OTHER])
    one.frame([OTHER, DEVICE, OTHER, OTHER, DEVICE])
    two = Segment("gateway-a", "a new", "vital", b"k", 5)
    two.frame([DEVICE])
    two.frame([DEVICE], is_kept=False)
    two.lines = two.lines[:-2]
    two.gap(2, 2, two.last)
    two.frame([OTHER, DEVICE])
    three = Segment("gateway-b", "b", "alert", b"b", 1)
    three.frame([DEVICE])
    three.frame([OTHER])
    three.frame([DEVICE])
    gone = three.lines[4]
    gone.update(kind="gone", signed=None)
    four = Segment("gateway-b", "b", "alert", b"f", 2)
    four.index = 7
    four.gap(4, 6, None)
    return [one, two, three, four]


def made():
    """All lines but the seal."""
    one, two, three, four = parts = segments()
    succession = sign(cbor2.dumps([1, 1, [key("root new")]]), b"root-succession",
                      seed("root old"))
    after = {"lane": "vital", "segment": two.ident.hex(), "index": 4, "hash": two.last.hex()}
    keys = [("gateway-a", "a old", "a new", 5), ("gateway-a", "a new", None, None),
            ("gateway-b", "b", None, None)]
    return [
        {"is": "request", "schema": 1, "device": f"{DEVICE:016X}", "from_ns": T0,
         "to_ns": T0 + 10**12, "store_epoch": EPOCH.hex(), "software": "1.0"},
        {"is": "roots", "needed": 1, "keys": [key("root old").hex()]},
        keyring(1, "root old", ["receipt old"]),
        keyring(2, "root new", ["receipt new"], succession),
        *({"is": "gateway", "gateway": gateway, "key": key(own).hex(), "enrolled_ns": T0,
           "successor": then and key(then).hex(), "successor_start": start}
          for gateway, own, then, start in keys),
        {"is": "revoked", "gateway": "gateway-a", "at_ns": T0, "reason": "lost",
         "after": [after]},
        *(line for part in parts for line in part.lines),
        {"is": "time", "gateway": "gateway-a", "boot": bytes(16).hex(), "start_count": 3,
         "monotonic_ns": 1, "utc_ns": T0, "error_us": 5},
        receipt("gateway-a", [one, two]), receipt("gateway-b", [three, four]),
        {"is": "disposed", "at_ns": T0, "what": "vital: 3 rows, 1 records"}, *audit(), *trails()]


# Faults that are sealed with the right key; each changes the lines and gives the one to blame

def of(lines, what, at=0):
    return [line for line in lines if line["is"] == what][at]


def put(line, **fields):
    line.update(fields)
    return line


def without(lines, line, blamed):
    lines.remove(line)
    return blamed


def block_of_another(lines):
    """With its true proof: block 2 of the first frame."""
    zero, one, three = (
        sha256(b"\0", bytes.fromhex(block["salt"]), bytes.fromhex(block["bytes"]))
        for block in (of(lines, "block", at) for at in range(3)))
    block = cbor2.dumps([OTHER, 1, 0, 0, 0])
    salt = sha256(bytes.fromhex(of(lines, "record")["hash"]), block)[:16]
    left = sha256(b"\1", zero, one)
    return put(of(lines, "block", 2), block=2, salt=salt.hex(), bytes=block.hex(),
               path=[[False, three.hex()], [True, left.hex()]])


def signed_by(line, name, **core):
    """Signed again, by another or with other fields of its core."""
    (old, _), *rest = opener.items(opener.payload_of(bytes.fromhex(line["signed"])))
    fields = [core.get(f"at_{at}", value) for at, value in enumerate(old)]
    payload = cbor2.dumps(fields) + b"".join(data for _, data in rest)
    signed = sign(payload, b"record", seed(name))
    return put(line, signed=signed.hex(), hash=sha256(signed).hex())


def receipted(lines, spoil=None, **other):
    """Another receipt for the second gateway."""
    own = segments()[2:]
    if spoil:
        spoil(*own)
    return put(of(lines, "receipt", 1), **receipt("gateway-b", own, **other))


def range_over_another(one, two):
    one.ranges[0][4] = two.last


def range_over_nothing(_, two):
    two.ranges[1][0] = 3


def added(lines, at, line):
    lines.insert(at, line)
    return line


def swapped(lines, what, at):
    one, two = (lines.index(of(lines, what, number)) for number in (at, at + 1))
    lines[one], lines[two] = lines[two], lines[one]
    return lines[two]


FAULTS = (
    ("by no enrolled key", lambda all: put(of(all, "gateway", 2), key=key("stranger").hex())
     and of(all, "record", 8)),
    ("its successor at", lambda all: put(of(all, "gateway"), successor_start=3)
     and of(all, "record")),
    ("not that of its segment", lambda all: signed_by(of(all, "record", 7), "a old")),
    ("by no enrolled key", lambda all: signed_by(of(all, "record", 4), "b")),
    ("a header of another gateway", lambda all: put(of(all, "record"), gateway="gateway-b")),
    ("a record twice", lambda all: added(all, 20, dict(of(all, "record", 4)))),
    ("nothing was disposed", lambda all: without(all, of(all, "disposed"), of(all, "record", 10))),
    ("in no gap", lambda all: without(all, of(all, "record", 2), of(all, "record", 3))),
    ("in no gap", lambda all: without(all, of(all, "record", 6), of(all, "record", 7))),
    ("names another than", lambda all: signed_by(of(all, "record", 2), "a old", at_7=EPOCH * 2)),
    ("names another end", lambda all: signed_by(of(all, "record", 6), "a new", at_15=EPOCH * 2)),
    ("another lane, segment", lambda all: signed_by(of(all, "record", 2), "a old", at_4=7)),
    ("out of order", lambda all: swapped(all, "record", 2)),
    ("of another device", block_of_another),
    ("of a frame in another place", lambda all: put(of(all, "block", 1), index=2)),
    ("of another number", lambda all: put(of(all, "block", 1), block=2)),
    ("without its ciphertext", lambda all: put(of(all, "record", 1), ciphertext=None)
     and of(all, "block")),
    ("receipts say nothing", lambda all: without(all, of(all, "receipt", 1),
                                                 of(all, "record", 8))),
    ("no receipt key of a keyring", lambda all: receipted(all, signer="stranger")),
    ("of another store", lambda all: receipted(all, epoch=bytes(16))),
    ("not that of a record", lambda all: receipted(all, moment=T0 - 1)),
    ("last hash of a range", lambda all: receipted(all, range_over_another)),
    ("which is not here", lambda all: receipted(all, range_over_nothing)),
    ("it says held", lambda all: put(of(all, "record", 1), disposition="held")),
    ("a hole before it", lambda all: without(all, of(all, "audit", 1), of(all, "audit", 2))),
    ("not one hash before", lambda all: put(of(all, "audit", 1), before=bytes(32).hex())),
    ("by no enrolled key", lambda all: put(
        of(all, "gateway-audit"),
        **entries("gateway-a", 7, sha256(b"sixth"), ["stranger"], "x")[0])),
    ("by no enrolled key", lambda all: put(of(all, "gateway-audit"), gateway="gateway-b")),
    ("an entry of another gateway", lambda all: put(
        of(all, "gateway-audit"),
        entry=entries("gateway-b", 7, sha256(b"sixth"), ["a old"], "x")[0]["entry"])),
    ("a hole before it", lambda all: without(all, of(all, "gateway-audit", 1),
                                             of(all, "gateway-audit", 2))),
    ("does not follow from", lambda all: put(
        of(all, "gateway-audit", 2), **entries("gateway-a", 9, EPOCH * 2, ["a new"], "x")[0])),
    ("does not fit the hash", lambda all: put(
        of(all, "gateway-audit", 4), **entries("gateway-b", 1, EPOCH * 2, ["b"], "x")[0])),
    ("it names too few roots", lambda all: put(of(all, "roots"), needed=2)),
    ("it names too few roots", lambda all: put(of(all, "roots"), needed=0)),
    ("no keyring stands before", lambda all: all.remove(of(all, "keyring"))
     or all.remove(of(all, "keyring"))),
    ("a version falls", lambda all: added(all, 4, keyring(1, "root new", ["receipt new"]))),
    ("0 root signatures", lambda all: added(all, 4, keyring(3, "root old", ["receipt new"]))),
    ("0 root signatures", lambda all: added(all, 4, keyring(3, "stranger", ["receipt new"]))),
    ("0 root signatures", lambda all: put(
        of(all, "keyring", 1), **keyring(2, "root new", ["receipt new"]))),
    ("0 root signatures", lambda all: put(of(all, "roots"), keys=[key("stranger").hex()])
     and of(all, "keyring")),
    ("no receipt key of the newest", lambda all: added(
        all, 4, keyring(3, "root new", ["receipt later"])) and None),
    ("other fields", lambda all: put(of(all, "time"), more=1)),
    ("of an unknown kind", lambda all: put(of(all, "time"), **{"is": "tide"})),
    ("not one request in front", lambda all: added(all, 1, dict(of(all, "request")))),
)
