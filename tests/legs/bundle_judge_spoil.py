"""Spoils evidence bundles for bundle_judge.py, which must see each damage and name its line."""

import collections
import json
import random
import re

from bundle_judge_made import FAULTS, key, made, sealed, seed, text_of
from opener import need, sha256

LINES_MAX, OF_FIELD_MAX, FLIPS = 400, 12, 4
OTHERS = ("records", "chains", "blocks", "receipts", "audit", "trails")


def numbers(found):
    return {number for number, _, _ in found.wrong}


def flipped(data, at, bit):
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1:]


def places(raw, chance):
    """Some places of hexadecimal digits, some of all else, and the end of the line."""
    digits = {at for found in re.finditer(rb"[0-9a-f]{16,}", raw) for at in range(*found.span())}
    rest = sorted(set(range(len(raw))) - digits)
    for some in (sorted(digits), rest):
        yield from chance.sample(some, min(FLIPS, len(some)))
    yield len(raw)


def sample(lines, chance, most=LINES_MAX):
    return sorted(chance.sample(lines, min(most, len(lines))), key=lambda line: line.number)


def flip_lines(bundle, data, lines, chance):
    """The seal names the line of a single bit, and no other."""
    offsets, count, end = {}, 0, len(lines)
    for line in lines:
        offsets[line.number], count = count, count + len(line.raw) + 1
    tried = 0
    for line in sample(lines[:-1], chance) + lines[-1:]:
        for at in places(line.raw, chance):
            bad = flipped(data, offsets[line.number] + at, chance.randrange(8))
            found = bundle(bad).judge(OTHERS)
            need(line.number in numbers(found), f"line {line.number}, byte {at}: not seen")
            alone = found.changed == [line.number]
            need(alone or line.number == end or not found.of("seal"),
                 f"line {line.number}, byte {at}: {found.changed} were named")
            tried += 1
    need(end in numbers(bundle(data[:-1]).judge(OTHERS)), "a lost end of the last line: not seen")
    return tried + 1


def move_lines(bundle, lines, chance):
    """A lost line is named by where it stood; of equal ones, the last."""
    raw = [line.raw + b"\n" for line in lines]
    tried = collections.Counter()
    for at in (line.number - 1 for line in sample(lines, chance, 100)):
        left = raw[:at] + raw[at + 1:]
        found = bundle(b"".join(left)).judge(OTHERS)
        pairs = enumerate(zip(raw, left), 1)
        named = next((spot for spot, (was, now) in pairs if was != now), len(left))
        need(named in numbers(found), f"line {at + 1} dropped: {found.wrong}")
        tried["dropped"] += 1
    for _ in range(100):
        one, two = sorted(chance.sample(range(len(raw) - 1), 2))
        if raw[one] != raw[two]:
            other = [*raw]
            other[one], other[two] = raw[two], raw[one]
            found = bundle(b"".join(other)).judge(OTHERS)
            need(found.changed == [one + 1, two + 1], f"{one + 1} and {two + 1} were swapped")
            tried["swapped"] += 1
    return tried


def by_strangers(bundle, lines):
    """Spoiled, and sealed by somebody else under his own name or under ours."""
    first = json.loads(lines[0].raw)
    rest = b"".join(line.raw + b"\n" for line in lines[1:-1])
    raw = text_of([{**first, "to_ns": first["to_ns"] + 1}]) + rest
    for named, words in ((None, "newest keyring"), (lines[-1].key, "signature")):
        found = bundle(sealed(raw, seed("stranger"), named)).judge()
        need(any(one[0] == len(lines) and words in one[2] for one in found.wrong),
             f"a stranger's seal: {found.wrong}")
    return 2


FIELDS = (("record", "signed"), ("record", "signed and hash"), ("record", "ciphertext"),
          ("record", "hash"), ("block", "bytes"), ("block", "salt"), ("block", "path"),
          ("receipt", "bytes"), ("audit", "words"), ("audit", "hash"), ("gateway-audit", "entry"),
          ("keyring", "document"))


def flip_field(value, field, bearing, chance):
    """One bit of a field; of a keyring, of a part that it cannot spare."""
    if field == "words":
        at = chance.randrange(len(value[field]))
        value[field] = value[field][:at] + chr(ord(value[field][at]) ^ 1) + value[field][at + 1:]
    elif field == "path":
        one = chance.choice(value[field])
        if chance.random() < 0.3:
            one[0] = not one[0]
        else:
            flip_hex(one, 1, None, chance)
    elif field == "signed and hash":
        flip_hex(value, "signed", None, chance)
        value["hash"] = sha256(bytes.fromhex(value["signed"])).hex()
    else:
        flip_hex(value, field, bearing, chance)


def flip_hex(holder, field, inside, chance):
    data = bytes.fromhex(holder[field])
    first = data.index(inside) if inside else 0
    bit = chance.randrange(8 * len(inside or data))
    holder[field] = flipped(data, first + bit // 8, bit % 8).hex()


def flip_fields(bundle, lines, bearing, chance):
    """Without the seal: each check alone sees a bit of what it is for."""
    raw = [line.raw + b"\n" for line in lines]
    tried = collections.Counter()
    for what, field in FIELDS:
        name = field.split()[0]
        wanted = [line for line in lines if line.what_it_is == what and line.value[name]
                  and (what != "keyring" or line.number in bearing)]
        for line in sample(wanted, chance, OF_FIELD_MAX):
            for _ in range(FLIPS):
                value = json.loads(line.raw)
                part = chance.choice(bearing[line.number]) if what == "keyring" else None
                flip_field(value, field, part, chance)
                at = line.number - 1
                bad = b"".join([*raw[:at], text_of([value]), *raw[at + 1:]])
                found = bundle(bad).judge(["seal"])
                need(line.number in numbers(found), f"line {line.number}, {field}: not seen")
                tried[f"{what}.{field}"] += 1
    return tried


def self_sealed(lines):
    return sealed(text_of(lines), seed("receipt new"))


def faults(bundle):
    """Each fault under a seal that holds: its line is blamed for what it is."""
    for words, spoil in FAULTS:
        lines = made()
        blamed = spoil(lines)
        number = next((at for at, line in enumerate(lines, 1) if line is blamed), len(lines) + 1)
        found = bundle(self_sealed(lines)).judge()
        need(not found.changed, f"{words}: the seal should hold")
        need(any(one[0] == number and words in one[2] for one in found.wrong),
             f"{words}: line {number} should be blamed: {found.wrong}")
    return len(FAULTS)


def damage(bundle, data):
    chance = random.Random(20260101)
    found = bundle(data).judge()
    need(not found.wrong, f"it does not hold as it is: {found.wrong[:5]}")
    lines = found.lines
    return {"bits": flip_lines(bundle, data, lines, chance), **move_lines(bundle, lines, chance),
            "strangers": by_strangers(bundle, lines),
            "without_seal": dict(flip_fields(bundle, lines, found.bearing, chance))}


def given_roots(bundle):
    data = self_sealed(made())
    found = bundle(data, [key("root old")]).judge()
    need(not found.wrong, f"the right roots were given: {found.wrong}")
    found = bundle(data, [key("root new")]).judge()
    need(numbers(found) == {2}, f"other roots were given: {found.wrong}")
    return 2


def self_test(bundle, file):
    tried = {}
    if file:
        tried[file.name] = damage(bundle, file.read_bytes())
    tried["made"] = damage(bundle, self_sealed(made()))
    tried["given roots"] = given_roots(bundle)
    tried["faults sealed with the right key"] = faults(bundle)
    for name, counts in tried.items():
        print(f"{name}: all seen and named: {json.dumps(counts)}")
    return {"schema": 1, "ok": True, "tried": tried}
