"""Oracles O1 to O4 once more, over what a world left behind, without a line of our Rust.

    evidence_judge.py FOLDER...              judges worlds that `ward world --evidence DIR` wrote
    evidence_judge.py --self-test FOLDER...  spoils each world in every way and must see it

A folder holds the sinks' SQLite store, their own ledger and the world's books: what devices said,
where it was sealed, what was acknowledged. The records are read from the store's bytes with the
second reader of the wire format (tests/vectors/opener.py); the product's columns are not believed.

O1 ledger: what was accepted is stored once or lies in a gap. O2 bytes: evidence is what was
sealed, rows are what was said. O3 nonce: no pair of key and nonce twice over all worlds.
O4 chain: forks and missing predecessors are those of the ledger, and none without a cause.
"""

import argparse
import collections
import json
import pathlib
import sqlite3
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "vectors"))

import opener  # noqa: E402

STORED, HELD, REFUSED = 1, 2, 3
HEALTH = 3
LANES = ("alert", "vital", "wave", "health")
NS_PER_TICK = 1_000_000
# Without one of these nothing may fork: a copy of the card, or a medium that gave back less than
# what it had flushed, so that a start went on from an earlier record.
FORKING = ("card cloned", "flush lies", "bit rot", "block destroyed", "read fails",
           "read misdirected", "stale read")


class Evidence(opener.Chain):
    """The records of a store, in any order."""

    def __init__(self, keys):
        super().__init__(keys)
        # Lane, hash, the record it follows, the last record of the hole it stands for.
        self.links = []

    def go_on_from(self, lane, continues):
        self.links.append((lane, None, continues and continues[2], None))

    def grow(self, lane, place, mark):
        _, _, previous, bridges = self.links.pop()
        self.links.append((lane, mark, previous, bridges))

    def follow(self, lane, place, previous, mark, bridges=None):
        self.links.append((lane, None, previous, bridges))
        self.grow(lane, place, mark)


    def keep(self, data):
        """Only the place in the chain, of a record that cannot be opened yet."""
        signed, _ = opener.record_parts(data)
        (core, _), *_ = opener.items(opener.verify(signed, b"record", self.public))
        if core[1] == 1:
            self.links.append((core[2], opener.sha256(signed), core[7], None))


class World:
    """What was written into one folder."""

    def __init__(self, folder):
        self.folder = folder
        self.books = json.loads((folder / "books.json").read_text("utf-8"))
        self.ledger = json.loads((folder / "ledger.json").read_text("utf-8"))
        self.db = sqlite3.connect(":memory:")
        with sqlite3.connect(f"file:{folder / 'store.sqlite'}?mode=ro", uri=True) as file:
            file.backup(self.db)


class Judge:
    """What is seen in all worlds of a run."""

    def __init__(self):
        self.pairs, self.wrong = {}, collections.Counter()
        self.records = self.readings = self.in_gaps = 0
        self.words = []

    def blame(self, oracle, what):
        self.wrong[oracle] += 1
        self.words.append(f"{oracle}: {what}")

    def judge(self, world):
        view = View(world, self)
        view.ledger()
        view.rows()
        view.chain()


class View:
    """One world, its evidence opened."""

    def __init__(self, world, judge):
        self.world, self.judge, self.books = world, judge, world.books
        self.evidence = Evidence(self.books["keys"])
        # By device and time in ticks of a millisecond: what was said, and where it was sealed.
        self.said = {(device, ticks): (number, what, [tuple(place) for place in places])
                     for device, number, ticks, what, places in self.books["readings"]}
        self.accepted = {(device, number) for device, number in self.books["accepted"]}
        self.sealed = {(segment, index): (digest, span)
                       for segment, index, digest, span in self.books["records"]}
        self.there, self.kept, self.gaps = set(), set(), {}
        self.read_out = collections.defaultdict(list)
        self.numbers = collections.defaultdict(list)
        self.open_all()

    def open_all(self):
        rows = self.world.db.execute(
            "SELECT hex(segment.segment), idx, disposition, bytes FROM evidence"
            " JOIN segment ON segment.id = evidence.segment ORDER BY idx > 0, evidence.id")
        for segment, index, disposition, data in rows.fetchall():
            self.judge.records += 1
            place = (segment.lower(), index)
            digest, _ = self.sealed.get(place, (None, None))
            if opener.sha256(data).hex() != digest:
                self.judge.blame("O2", f"{place} is not what was sealed there")
            if disposition == REFUSED:
                continue
            self.there.add(place)
            self.spend(place, data)
            try:
                self.take(place, disposition, self.evidence.record(data))
            except opener.Refused as reason:
                if disposition == STORED:
                    self.judge.blame("O2", f"{place} is called stored and does not open: {reason}")
                else:
                    self.evidence.keep(data)
                    self.kept.add(place)

    def take(self, place, disposition, found):
        if found["kind"] == "gap":
            self.gaps[place] = found["hole"]
        if found["kind"] != "frame":
            return
        self.numbers[found["lane"]].append((found["sequence_first"], found["sequence_last"]))
        if disposition == HELD:
            self.kept.add(place)
        elif found["lane"] != HEALTH:
            for reading in readings(found["batch"]):
                self.read_out[reading[:2]].append((reading[2:], place))

    def spend(self, place, data):
        """O3: one pair of key and nonce, one ciphertext."""
        _, ciphertext = opener.record_parts(data)
        _, keys = self.evidence.segments.get(bytes.fromhex(place[0]), (None, None))
        if ciphertext is None or keys is None:
            return
        pair = opener.sha256(keys.salt_key, (keys.base ^ place[1]).to_bytes(12, "big"))
        if self.judge.pairs.setdefault(pair, ciphertext) != ciphertext:
            self.judge.blame("O3", f"{place} was sealed with a pair that was used before")

    def is_in_a_gap(self, place, asked=()):
        """Inside a gap that is here, or inside one that is itself so."""
        return any((at, index) in self.gaps or ((at, index) not in asked and self.is_in_a_gap(
            (at, index), (*asked, place))) for at, index, hole, (first, last) in self.books["gaps"]
            if hole == place[0] and first <= place[1] <= last and (at, index) != place)

    def is_missing_by_number(self, place):
        span = self.sealed.get(place, (None, None))[1]
        if span is None:
            return False
        lane, first, last = span
        come = self.numbers[lane]
        return any(begin > last for begin, _ in come) and not any(
            begin <= last and first <= end for begin, end in come)

    def ledger(self):
        """O1: accepted is stored or in a gap; what a gap names is not less than what is missing."""
        for (device, ticks), (number, _, places) in self.said.items():
            if (device, number) not in self.accepted:
                continue
            self.judge.readings += 1
            if (device, ticks) in self.read_out:
                continue
            restored = self.books["restored"] and any(
                place in self.kept or self.is_missing_by_number(place) for place in places)
            if any(map(self.is_in_a_gap, places)):
                self.judge.in_gaps += 1
            elif not (restored or self.books["lied"]):
                self.judge.blame("O1", f"{number} of device {device}, sealed at {places}, is lost")
        if not self.books["restored"]:
            self.gap_counts()

    def gap_counts(self):
        covering = collections.Counter()
        for _, _, hole, (first, last) in self.books["gaps"]:
            covering.update((hole, index) for index in range(first, last + 1))
        for place, hole in self.gaps.items():
            first, last = hole["indexes"]
            inside = ((hole["segment"], index) for index in range(first, last + 1))
            spans = [self.sealed[at][1] for at in inside
                     if at in self.sealed and at not in self.there and covering[at] == 1]
            missing = sum(last - first + 1 for _, first, last in filter(None, spans))
            if missing > hole["readings"][1]:
                self.judge.blame("O1", f"the gap {place} names {hole['readings']} readings, "
                                       f"{missing} are missing")

    def rows(self):
        """O1 and O2: each reading of the evidence is one row, equal to what was said."""
        rows = collections.defaultdict(list)
        for device, ticks, what in store_rows(self.world.db):
            rows[device, ticks].append(what)
        for key in rows.keys() | self.read_out.keys():
            stored, read_out = rows[key], self.read_out.get(key, [])
            said = self.said.get(key)
            if said is None or not read_out:
                self.judge.blame("O1", f"{key} is stored, and nobody said or sealed it")
            elif len(stored) != 1:
                self.judge.blame("O1", f"{key} is stored {len(stored)} times")
            elif any(what != (said[1],) for what, _ in read_out):
                self.judge.blame("O2", f"{key}: {read_out} in the evidence, said {said}")
            elif stored != [said[1]]:
                self.judge.blame("O2", f"{key}: {stored} in its row, said {said}")

    def chain(self):
        """O4: forks and missing predecessors, from the records' own bytes."""
        links = self.evidence.links
        hashes = {mark for _, mark, _, _ in links}
        bridged = {bridges for _, _, _, bridges in links if bridges}
        after = collections.Counter((lane, previous) for lane, _, previous, _ in links if previous)
        shown = collections.Counter()
        for lane, _, previous, _ in links:
            if previous and after[lane, previous] > 1:
                shown[LANES[lane], "forked"] += 1
            elif previous and previous not in hashes and previous not in bridged:
                shown[LANES[lane], "waiting"] += 1
        for books in self.world.ledger["lanes"]:
            for what in ("forked", "waiting"):
                if books[what] != shown[books["lane"], what]:
                    self.judge.blame("O4", f"lane {books['lane']}: {books[what]} {what} in the "
                                           f"ledger, {shown[books['lane'], what]} in the evidence")
        forked = any(what == "forked" for _, what in shown)
        if forked and not any(self.books["faults"].get(name) for name in FORKING):
            self.judge.blame("O4", "records fork although no card was copied and no medium failed")


def readings(batch):
    """Device, time in ticks of a millisecond, and content of each reading of a batch."""
    for block in batch["blocks"]:
        device, begin = int(block["device"], 16), block["time_ticks"]
        assert block["tick_exponent"] == 6, "devices of a world tick in milliseconds"
        for table in block["tables"]:
            shape = batch["shapes"][table["shape"]]
            moments = len(table["times"])
            odd = {one[0]: one[1:] for one in table["exceptions"]}
            for at, mantissa in enumerate(table["values"]):
                channel = shape[table["channel_first"] + at // moments]
                number, _ = odd.get(at, ([mantissa, channel["kind"]["exponent"]], 0))
                what = [*number, None] if type(number) is list else [None, 0, number]
                yield device, begin + table["times"][at % moments], {"numeric": what}
        for run in block["waves"]:
            yield from wave_readings(device, run["sample_first"], run["samples"][0])
        for note in block["notes"]:
            if "alert" in note["what"]:
                yield (device, begin + note["time_ticks"], {"alert": note["what"]["alert"][5]})
            # A loss has no time of the device: its number stands for it.
            if "loss" in note["what"]:
                yield device, -note["what"]["loss"][0], note["what"]


SAMPLES = 10
START_TICKS = 1_767_225_600_000


def wave_readings(device, first, samples):
    """A world's device numbers its samples through: so many a reading, one each 500 ms."""
    for at in range(0, len(samples), SAMPLES):
        number = (first + at) // SAMPLES
        yield device, START_TICKS + 500 * number, {"samples": samples[at:at + SAMPLES]}


def store_rows(db):
    """The same from the rows of the store."""
    numerics = db.execute(
        "SELECT eui, at_ns, mantissa, exponent, absent FROM numeric"
        " JOIN series ON series.id = numeric.series JOIN device ON device.id = series.device")
    for eui, at, mantissa, exponent, absent in numerics:
        yield device_of(eui), at // NS_PER_TICK, {"numeric": [mantissa, exponent, absent]}
    waves = db.execute(
        "SELECT eui, sample_first, count, samples FROM wave"
        " JOIN series ON series.id = wave.series JOIN device ON device.id = series.device")
    for eui, first, count, packed in waves:
        yield from wave_readings(device_of(eui), first, opener.waveform(packed, count, None))
    notes = db.execute("SELECT eui, at_ns, text FROM note JOIN device ON device.id = note.device"
                       " WHERE kind = 'alert'")
    for eui, at, text in notes:
        yield device_of(eui), at // NS_PER_TICK, {"alert": text}
    losses = db.execute("SELECT eui, value, code FROM note JOIN device ON device.id = note.device"
                        " WHERE kind = 'loss'")
    for eui, readings_lost, cause in losses:
        yield device_of(eui), -readings_lost, {"loss": [readings_lost, cause]}


def device_of(eui):
    return int(eui.replace("-", ""), 16)


# Spoiled worlds, and the oracle that must see each

def lose_a_frame(world):
    """A frame whose readings were acknowledged is gone with its rows, as if it had never come."""
    said = View(world, Judge())
    accepted = {(device, ticks) for (device, ticks), (number, _, _) in said.said.items()
                if (device, number) in said.accepted}
    for frame in frames_of(world, "vital"):
        keys = [reading[:2] for reading in readings(opened(world).record(frame[3])["batch"])]
        if accepted.intersection(keys):
            break
    else:
        raise SystemExit(f"{world.folder}: no frame holds what was acknowledged")
    world.db.execute("DELETE FROM evidence WHERE id = ?", frame[:1])
    for _, ticks in keys:
        world.db.execute("DELETE FROM numeric WHERE at_ns = ?", (ticks * NS_PER_TICK,))
        world.db.execute("DELETE FROM note WHERE kind = 'loss' AND value = ?", (-ticks,))


def double_a_row(world):
    world.db.execute("INSERT INTO numeric (series, at_ns, mantissa, exponent, status, absent)"
                     " SELECT series, at_ns, mantissa, exponent, status, absent FROM numeric"
                     " LIMIT 1")


def invent_a_row(world):
    world.db.execute("INSERT INTO numeric (series, at_ns, mantissa, exponent, status)"
                     " SELECT series, at_ns + 1000000, mantissa, exponent, status FROM numeric"
                     " LIMIT 1")


def flip_a_bit(world):
    row, _, _, data = frame_of(world, "vital")
    spoiled = data[:-1] + bytes([data[-1] ^ 1])
    world.db.execute("UPDATE evidence SET bytes = ? WHERE id = ?", (spoiled, row))


def round_a_number(world):
    world.db.execute("UPDATE numeric SET mantissa = mantissa / 10, exponent = exponent + 1"
                     " WHERE id = (SELECT id FROM numeric WHERE exponent = -1 LIMIT 1)")


def seal_twice(world):
    """Another batch under the key and index of a frame, signed by the gateway's own key."""
    add_beside(world, lambda keys, index, core: keys.cipher.encrypt(
        (keys.base ^ index).to_bytes(12, "big"), b"another batch", core))


def fork_a_chain(world):
    """A second record upon the same predecessor that the ledger does not know."""
    add_beside(world, lambda keys, index, core: b"another ciphertext", index_on=1000)


def hide_a_predecessor(world):
    row, *_ = frame_of(world, "vital")
    world.db.execute("DELETE FROM evidence WHERE id = ?", (row,))


SPOILS = ((lose_a_frame, "O1"), (double_a_row, "O1"), (invent_a_row, "O1"), (flip_a_bit, "O2"),
          (round_a_number, "O2"), (seal_twice, "O3"), (fork_a_chain, "O4"),
          (hide_a_predecessor, "O4"))


def frames_of(world, lane):
    """Stored frames that another one follows: their row, segment, index and bytes."""
    found = world.db.execute(
        "SELECT a.id, hex(segment.segment), a.idx, a.bytes FROM evidence AS a"
        " JOIN segment ON segment.id = a.segment JOIN evidence AS b ON b.previous = a.hash"
        " WHERE segment.lane = ? AND a.sequence_first IS NOT NULL AND a.disposition = 1"
        " AND b.disposition = 1 AND NOT EXISTS (SELECT 1 FROM gap WHERE gap.after = a.hash)"
        " GROUP BY a.id HAVING count(*) = 1 ORDER BY a.id", (LANES.index(lane),))
    return found.fetchall()


def frame_of(world, lane):
    return frames_of(world, lane)[0]


def opened(world):
    """The world's records, and this one's keys."""
    evidence = Evidence(world.books["keys"])
    for (data,) in world.db.execute("SELECT bytes FROM evidence WHERE idx = 0"):
        evidence.record(data)
    return evidence


def add_beside(world, encrypt, index_on=0):
    row, segment, index, data = frame_of(world, "vital")
    _, keys = opened(world).segments[bytes.fromhex(segment)]
    signed, _ = opener.record_parts(data)
    (core, _), _ = opener.items(opener.payload_of(signed))
    core[4] = index + index_on
    core_bytes = opener.cbor2.dumps(core)
    ciphertext = encrypt(keys, index, core_bytes)
    payload = core_bytes + opener.cbor2.dumps(opener.sha256(ciphertext))
    seed = bytes.fromhex(world.books["keys"]["gateway_seed"])
    forged = opener.cbor2.dumps([opener.sign(payload, b"record", seed), ciphertext])
    world.db.execute(
        "INSERT INTO evidence (segment, idx, hash, previous, disposition, reason, received_ns,"
        " bytes) SELECT segment, ?, ?, previous, 1, 0, 0, ? FROM evidence WHERE id = ?",
        (core[4], opener.sha256(forged), forged, row))


def is_plain(folder):
    """Whether what is missing there has no excuse: no store was put back, no medium lied."""
    books = World(folder).books
    return not (books["restored"] or books["lied"])


def self_test(folders):
    seen = 0
    plain = [folder for folder in folders if is_plain(folder)][:2]
    if not plain:
        raise SystemExit("no world without an excuse for what is missing")
    for folder in plain:
        for spoil, oracle in SPOILS:
            world, judge = World(folder), Judge()
            spoil(world)
            judge.judge(world)
            if not judge.wrong[oracle]:
                raise SystemExit(f"{folder}: {spoil.__name__} went by unseen: {judge.words[:3]}")
            seen += 1
    return {"spoiled": seen, "seen": seen, "ok": True}


def judge_all(folders):
    judge = Judge()
    for folder in folders:
        said = len(judge.words)
        judge.judge(World(folder))
        for words in judge.words[said:said + 10]:
            print(f"{folder}: {words}", file=sys.stderr)
    return {"worlds": len(folders), "records": judge.records, "accepted": judge.readings,
            "in_gaps": judge.in_gaps, "pairs": len(judge.pairs), "wrong": dict(judge.wrong),
            "ok": not judge.wrong}


def main():
    parser = argparse.ArgumentParser(description="Judges the evidence that worlds left.")
    parser.add_argument("--self-test", action="store_true", help="spoil the worlds instead")
    parser.add_argument("folders", nargs="+", type=pathlib.Path)
    asked = parser.parse_args()
    said = (self_test if asked.self_test else judge_all)(asked.folders)
    print(json.dumps({"schema": 1, **said}))
    return 0 if said["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
