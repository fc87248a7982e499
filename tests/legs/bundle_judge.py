"""Second judge of an evidence bundle (docs/evidence.md); shares no code with the Rust one.

    bundle_judge.py FILE [--roots HEX...]  says in words what holds
    bundle_judge.py --self-test [FILE]     damages FILE in every way and must see and name each;
                                           then the same with a bundle of its own, and faults
                                           in it that were sealed with the right key

Prints a line a check with its counts, a line for each thing wrong with the number of its line,
and a line of JSON; exits 1 if anything is wrong. Without --roots compare the root keys that are
printed: a bundle cannot vouch for its own. Needs what tests/vectors/opener.py needs.
"""

import argparse
import collections
import contextlib
import json
import pathlib
import sys

import bundle_judge_lines as said
from bundle_judge_lines import DISPOSITIONS, SHAPES, Line, Record, held, opener
from opener import Refused, blob, fields, need, sha256, sint, uint


class Bundle:
    """One bundle; `wrong` has number, kind and fault of each line that does not hold."""

    def __init__(self, data, roots=()):
        *raw, rest = data.split(b"\n")
        self.lines = [Line(at + 1, line) for at, line in enumerate([*raw, rest] if rest else raw)]
        self.roots_given = set(roots)
        self.wrong, self.changed, self.reports = [], [], []
        self.records, self.by_hash, self.keys = [], {}, {}
        self.at = collections.defaultdict(dict)
        self.roots = self.newest = None
        self.receipt_keys, self.bearing = set(), {}
        with self.blaming(self.lines[-1] if self.lines else Line(1, b"")):
            need(self.lines, "an empty file")
            need(not rest, "its end of line is missing")

    @contextlib.contextmanager
    def blaming(self, line):
        try:
            yield
        except Refused as why:
            self.blame(line, why)

    def blame(self, line, why):
        self.wrong.append((line.number, line.what_it_is or "?", str(why)))

    def of(self, *what):
        return [line for line in self.lines if line.what_it_is in what]

    def judge(self, without=()):
        """All checks in turn; each answers with what it has counted."""
        checks = (self.lines_hold, self.keyrings_hold, self.seal_holds, self.records_hold,
                  self.chains_hold, self.blocks_hold, self.receipts_hold, self.audit_holds,
                  self.trails_hold)
        for check in checks:
            name, before = check.__name__.split("_")[0], len(self.wrong)
            if name in without:
                continue
            counted, wrong = check(), len(self.wrong) - before
            self.reports.append(f"{name}: {counted}: " + (f"{wrong} WRONG" if wrong else "holds"))
        self.wrong.sort(key=lambda one: one[0])
        return self

    def lines_hold(self):
        for line in self.lines:
            with self.blaming(line):
                line.read()
        for at, line in enumerate(self.lines):
            with self.blaming(line):
                need((line.what_it_is == "request") == (at == 0), "not one request in front")
                need((line.what_it_is == "seal") == (at == len(self.lines) - 1),
                     "not one seal at the end")
                need((line.what_it_is == "roots") == (at == 1), "not the roots behind the request")
        counts = collections.Counter(line.what_it_is for line in self.lines)
        return ", ".join(f"{counts[what]} {what}" for what in SHAPES if counts[what])

    def seal_holds(self):
        if not self.of("seal"):
            return "none"
        seal, rest = self.lines[-1], self.lines[:-1]
        if seal.what_it_is != "seal":
            return "not at the end"
        joined = held(seal.signed, b"evidence", seal.key)
        with self.blaming(seal):
            need(joined is not None, "its signature does not hold")
            need(joined == b"".join(seal.hashes), "it names other hashes than it has signed")
            need(self.newest is None or seal.key in self.newest,
                 "by no receipt key of the newest keyring")
        # What was signed is believed before what stands beside it.
        signed = seal.hashes if joined is None else [
            joined[at:at + 32] for at in range(0, len(joined), 32)]
        for line, mark in zip(self.lines, [*signed, None]):
            if line is not seal and (mark is None or sha256(line.raw) != mark):
                self.changed.append(line.number)
                here = len(rest) == len(signed)
                self.blame(line, "changed since it was sealed" if here else
                           f"the first that is not as sealed, {len(signed)} lines were, "
                           f"{len(rest)} are here")
                if not here:
                    break
            elif line is seal and mark is not None:
                self.changed.append(line.number)
                self.blame(line, f"{len(signed) - len(rest)} lines before it are missing")
        return f"{len(rest)} lines under key {seal.key.hex()}"

    def roots_hold(self, line):
        need(1 <= line.needed <= len(set(line.keys)), "it names too few roots, or needs none")
        self.roots = (line.needed, line.keys)
        need(self.roots_given in (set(), set(line.keys)), "the roots are not those that were given")

    def keyrings_hold(self):
        for line in self.of("roots"):
            with self.blaming(line):
                self.roots_hold(line)
        if self.roots is None:
            return "no roots to judge by"
        begin, versions = self.roots, (0, 0)
        for line in self.of("keyring"):
            # If the newest does not hold, nobody knows who may seal.
            self.newest = None
            with self.blaming(line):
                found = said.keyring(line.document, self.roots)
                need(all(now >= then for now, then in zip(found[1], versions)), "a version falls")
                self.roots, versions, self.newest, self.bearing[line.number] = found
                self.receipt_keys.update(self.newest)
        with self.blaming(self.lines[-1]):
            need(self.of("keyring"), "no keyring stands before it")
        trust = "as given" if self.roots_given else "compare them"
        return (f"{len(self.bearing)} from {begin[0]} of the roots "
                f"{', '.join(key.hex() for key in begin[1])} ({trust}) on, newest version "
                f"{versions[0]}.{versions[1]}")

    def records_hold(self):
        """Headers first: each says whose key its segment has."""
        enrolled, spoke, disposed = collections.defaultdict(dict), {}, self.of("disposed")
        for line in self.of("gateway"):
            with self.blaming(line):
                need(line.successor is not None or line.successor_start is None,
                     "a successor's start without a successor")
            enrolled[line.gateway][line.key] = line
        lines = sorted(self.of("record"), key=lambda line: (line.index > 0, line.number))
        for line in lines:
            with self.blaming(line):
                record = Record(line)
                need(line.signed is not None or disposed, "gone, and nothing was disposed of")
                self.signed_by(record, enrolled[line.gateway])
                self.records.append(record)
                self.by_hash[record.hash] = record
                if record.start is not None:
                    by = (line.gateway, self.keys[record.place])
                    spoke[by] = min(record.start, spoke.get(by, record.start))
        for record in self.records:
            with self.blaming(record.line):
                self.not_succeeded(record, enrolled[record.place[0]], spoke)
        self.records.sort(key=lambda record: record.line.number)
        kinds = collections.Counter(record.line.kind for record in self.records)
        return (", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
                + f" by {len(set(self.keys.values()))} keys, "
                + f"{sum(one.line.ciphertext is not None for one in self.records)} ciphertexts")

    def signed_by(self, record, enrolled):
        line = record.line
        need(line.hash not in self.by_hash, "a record twice")
        if line.signed is None:
            need(line.kind == "gone" and line.ciphertext is None, "gone, but not all of it")
            return
        keys = [self.keys[record.place]] if record.place in self.keys else enrolled
        key = next((key for key in keys if record.is_by(key)), None)
        need(key, "signed by no enrolled key of its gateway, or not that of its segment's header")
        if line.kind == "header":
            self.keys[record.place] = key

    def not_succeeded(self, record, enrolled, spoke):
        if record.start is None:
            return
        own = enrolled[self.keys[record.place]]
        starts = [own.successor_start, spoke.get((own.gateway, own.successor))]
        first = min((start for start in starts if start is not None), default=None)
        need(first is None or record.start < first,
             f"its key spoke at start {record.start}, its successor at {first} already")

    def chains_hold(self):
        """By segment; of one that holds nothing of the device only gap records need be here."""
        holes, full, before = collections.defaultdict(list), set(), ()
        for record in self.records:
            self.at[record.place].setdefault(record.index, []).append(record)
            if record.hole:
                holes[record.place[:2] + record.hole[:1]].append(record.hole[1:])
            if record.line.ciphertext is not None or record.line.signed is None:
                full.add(record.place)
            with self.blaming(record.line):
                gateway, lane, segment = record.place
                place = (gateway, said.LANES.index(lane), segment, record.index)
                need(before <= place, "out of order")
                before = place
        for place, at in self.at.items():
            for record in (one for index in sorted(at) for one in at[index]):
                with self.blaming(record.line):
                    follows(record, at, holes[place],
                            place not in full and record.line.kind == "gap")
        count = sum(map(len, holes.values()))
        return f"{len(self.at)} segments, {len(full)} in full, {count} holes declared"

    def blocks_hold(self):
        wanted = [line.device for line in self.of("request")]
        heads = 0
        for line in self.of("block"):
            with self.blaming(line):
                record = self.by_hash.get(line.hash)
                need(record and record.root, "of no frame that holds")
                need((record.place[2], record.index) == (line.segment, line.index),
                     "of a frame in another place")
                need(record.line.ciphertext is not None, "of a frame without its ciphertext")
                need(said.climb(line) == record.root, "not under the content root of its frame")
                inside = fields(opener.item(line.bytes))
                heads += line.block == 0
                need(line.block == 0 or inside[:1] == wanted, "of another device")
        return f"{len(self.of('block'))} under their roots, {heads} of them heads"

    def receipts_hold(self):
        request = self.of("request")
        moments = {line.received_ns for line in self.of("record")}
        covered, alike, ranges = {}, set(), 0
        for line in self.of("receipt"):
            with self.blaming(line):
                good = [payload for key in self.receipt_keys
                        if (payload := held(line.bytes, b"receipt", key)) is not None]
                need(good, "signed by no receipt key of a keyring that is here")
                gateway, epoch, commit, moment, segments = self.receipt(line.bytes, good[0])
                alike.add((commit, moment))
                need([epoch] == [one.store_epoch for one in request], "of another store")
                need(moment in moments and len(alike) == 1, "its time is not that of a record")
                for segment, found in segments:
                    for one in found:
                        self.cover(covered, gateway, segment, one)
                        ranges += 1
        for record in self.records:
            fate = record.line.disposition
            with self.blaming(record.line):
                need(fate == "refused" or covered.get(record.hash) == fate, f"it says {fate}, "
                     f"receipts say {covered.get(record.hash, 'nothing')}")
        return f"{len(self.of('receipt'))}, {ranges} ranges over {len(covered)} records"

    @staticmethod
    def receipt(data, payload):
        need(len(data) <= opener.RECEIPT_MAX, "larger than any receipt")
        number, gateway, epoch, commit, moment, segments, _ = fields(opener.item(payload), 7)
        opener.version(number)
        rows = [(blob(fields(one, 2)[0], 16), [fields(row, 5) for row in fields(one[1])])
                for one in fields(segments)]
        need(sum(len(found) for _, found in rows) <= opener.RANGES_MAX, "too many ranges")
        return opener.name(gateway), blob(epoch, 16), uint(commit), sint(moment), rows

    def cover(self, covered, gateway, segment, found):
        """Marks the records of a range, from its last back by what each names."""
        first, last, fate, reason, mark = found
        need(uint(first, 32) <= uint(last, 32), "a range from back to front")
        need(uint(fate) in DISPOSITIONS and uint(reason, most=7) >= 0, "an unknown fate")
        top = self.by_hash.get(blob(mark, 32))
        need(top and (top.place[0], top.place[2], top.index) == (gateway, segment, last),
             "the last hash of a range is not the record's")
        here = [top]
        for index in range(last, first - 1, -1):
            need(here, f"a range runs over record {index}, which is not here")
            covered.update((record.hash, DISPOSITIONS[fate]) for record in here)
            names = {record.previous for record in here}
            here = [one for one in self.at[top.place].get(index - 1, [])
                    if None in names or one.hash in names]

    def audit_holds(self):
        before = last = None
        for line in self.of("audit"):
            with self.blaming(line):
                need(("before" in line.value) == (last is None), "not one hash before the first")
                need(last is None or line.id == last + 1, "a hole before it")
                own = sha256(line.before if last is None else before, line.id.to_bytes(8, "big"),
                             line.at_ns.to_bytes(8, "big", signed=True),
                             *map(said.counted, (line.who, line.role, line.what, line.object,
                                                 line.words)))
                need(own == line.hash, "its hash does not follow from the one before")
            before, last = line.hash, line.id
        return f"{len(self.of('audit'))} entries"

    def trails_hold(self):
        """Of each gateway by number; numbers come again where a gateway's state was lost."""
        keys, trails = collections.defaultdict(list), collections.defaultdict(dict)
        for line in self.of("gateway"):
            keys[line.gateway].append(line.key)
        for line in self.of("gateway-audit"):
            with self.blaming(line):
                good = [payload for key in keys[line.gateway]
                        if (payload := held(line.entry, b"audit", key)) is not None]
                need(good, "signed by no enrolled key of its gateway")
                entry = opener.audit_entry(line.entry, good[0])
                need(entry["gateway"] == line.gateway, "an entry of another gateway")
                number, previous = entry["number"], bytes.fromhex(entry["previous"])
                numbers = trails[line.gateway]
                before = numbers.get(number - 1)
                need(before or number in (1, min(numbers, default=number)), "a hole before it")
                need(not before or number == 1 or previous in before,
                     "it does not follow from the one before")
                numbers.setdefault(number, set()).add(sha256(line.entry))
        return f"{len(self.of('gateway-audit'))} entries of {len(trails)} gateways"


def follows(record, at, holes, is_alone):
    """A record names the one before it, or gaps hold all between."""
    index, previous = record.index, record.previous
    before = at.get(index - 1, [])
    if index == 0 or is_alone and not before or previous in [one.hash for one in before]:
        return
    # A gap names the last record of what is missing, if it knows it.
    ends = {after for _, last, after in holes if last == index - 1 and after}
    if before:
        need(previous is None or previous in ends, "it names another than the record before it")
        return
    reach = 1 + max((one for one in at if one < index), default=-1)
    for first, last, _ in sorted(holes, key=lambda hole: hole[:2]):
        reach = max(reach, last + 1) if first <= reach else reach
    need(reach >= index, f"record {reach} before it is missing and in no gap")
    need(not ends or previous is None or previous in ends, "the gap before it names another end")


def report(path, roots):
    bundle = Bundle(path.read_bytes(), roots).judge()
    for words in bundle.reports:
        print(words)
    wrong = [f"line {number}, {what}: {why}" for number, what, why in bundle.wrong]
    for words in wrong:
        print(f"WRONG: {words}")
    counts = {f"{what}s" if what != "audit" else what: len(bundle.of(what))
              for what in ("record", "block", "receipt", "audit")}
    counts["trail"] = len(bundle.of("gateway-audit"))
    return {"ok": not wrong, "lines": len(bundle.lines), **counts, "wrong": wrong}


def main():
    parser = argparse.ArgumentParser(description="Judges an evidence bundle without any Rust.")
    parser.add_argument("--self-test", action="store_true", help="damage it instead")
    parser.add_argument("--roots", nargs="+", type=bytes.fromhex, default=[], metavar="HEX")
    parser.add_argument("file", nargs="?", type=pathlib.Path)
    asked = parser.parse_args()
    if asked.self_test:
        # Only here: who judges a bundle need not be able to make one.
        import bundle_judge_spoil
        try:
            found = bundle_judge_spoil.self_test(Bundle, asked.file)
        except Refused as why:
            found = {"ok": False, "wrong": [str(why)]}
    elif asked.file:
        found = report(asked.file, asked.roots)
    else:
        parser.error("which file?")
    print(json.dumps(found))
    return 0 if found["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
