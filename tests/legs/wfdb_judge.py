#!/usr/bin/env python3
"""Judges an export of a WFDB record: is every sample there, once, unaltered and on time?

    wfdb_judge.py RECORD EXPORT_DIR [--start ISO]

RECORD is the path of a PhysioNet record without extension. EXPORT_DIR holds one CSV per signal
and calibration: comment lines `# key: value`, then `time_unix_ns,value,unit,validity`. The record
is read by the PyPI package `wfdb`, not by our own reader. Sample i belongs at
start + round(i * 1e9 * denominator / numerator), a half to either side, where the rate is the
signal's own: frames per second times samples per frame. Prints one JSON line; exit 1 on any
difference, exit 2 when the record or the export cannot be read at all.

Multi-segment records are read segment by segment: `wfdb` cannot join segments of different
calibration digitally, and leaves out signals that the layout does not name. Where a segment does
not hold a signal, its samples may be absent, or present as invalid; they may not have a value.

Raw values are compared everywhere; physical ones where the CSV gives its gain and baseline. A CSV
with a rate is a wave and must give both; one without any of the three holds numerics.
"""

import argparse
import csv
import datetime
import json
import os
import re
import sys
import warnings
from fractions import Fraction

import numpy
import wfdb
from wfdb.io._signal import INVALID_SAMPLE_VALUE

HEADER = ["time_unix_ns", "value", "unit", "validity"]
SHOWN_MAX = 20


class Unreadable(Exception):
    """The record or the export is not what it should be, as a whole."""


class Piece:
    """One signal in one segment: where it begins, its raw values and its calibration."""

    def __init__(self, first, raw, valid, physical, gain, baseline, unit):
        self.first, self.raw, self.valid, self.physical = first, raw, valid, physical
        self.gain, self.baseline, self.unit = gain, baseline, unit


class Signal:
    """One signal over the whole record; `length` counts its samples, present or not."""

    def __init__(self, rate, length):
        self.rate, self.length, self.pieces = rate, length, []


def header_fields(path):
    """The record line's fields, and the lines after it, as text."""
    try:
        with open(path + ".hea", encoding="ascii", errors="ignore") as file:
            lines = [line.strip() for line in file]
    except OSError as error:
        raise Unreadable(f"{path}.hea: {error.strerror}") from error
    lines = [line for line in lines if line and not line.startswith("#")]
    if not lines:
        raise Unreadable(f"{path}.hea: empty")
    return lines[0].split(), lines[1:]


def frame_rate(fields):
    """Frames per second exactly as the header's text has it; `wfdb` only gives a float."""
    return Fraction(re.split(r"[/(]", fields[2])[0]) if len(fields) > 2 else Fraction(250)


def layout_of(path):
    """The path of a variable-layout master's layout, otherwise None."""
    fields, lines = header_fields(path)
    name, frames = (lines[0].split() + [""])[:2] if "/" in fields[0] else ("~", "0")
    return os.path.join(os.path.dirname(path), name) if name != "~" and frames == "0" else None


def segments_of(path):
    """Yields (path or None, first frame, frames or None) for every segment with samples."""
    fields, lines = header_fields(path)
    if "/" not in fields[0]:
        yield path, 0, None
        return
    first = 0
    for line in lines:
        name, frames = line.split()[:2]
        if int(frames) > 0:
            yield None if name == "~" else os.path.join(os.path.dirname(path), name), \
                first, int(frames)
        first += int(frames)


def read_record(path):
    """All signals of the record by description, as `wfdb` reads them."""
    fields, _ = header_fields(path)
    rate = frame_rate(fields)
    signals, total = {}, 0
    layout = layout_of(path)
    if layout:
        announced = wfdb.rdheader(layout)
        for name, width in zip(announced.sig_name or [], announced.samps_per_frame or []):
            signals[name] = Signal(rate * (width or 1), 0)
    for segment, first, frames in segments_of(path):
        if segment is None:
            total = first + frames
            continue
        digital = wfdb.rdrecord(segment, sampto=frames, physical=False, smooth_frames=False)
        physical = wfdb.rdrecord(segment, sampto=frames, physical=True, smooth_frames=False)
        total = first + (digital.sig_len if frames is None else frames)
        for index in range(digital.n_sig):
            width = digital.samps_per_frame[index] or 1
            name = digital.sig_name[index]
            name = name or f"record {digital.record_name}, signal {index}"
            signal = signals.setdefault(name, Signal(rate * width, 0))
            if signal.rate != rate * width:
                raise Unreadable(f"{name}: samples per frame change between segments")
            raw = numpy.asarray(digital.e_d_signal[index], dtype=numpy.int64)
            missing = INVALID_SAMPLE_VALUE[digital.fmt[index]]
            valid = numpy.ones(len(raw), bool) if missing is None else raw != missing
            piece = Piece(first * width, raw, valid, physical.e_p_signal[index],
                          digital.adc_gain[index], digital.baseline[index], digital.units[index])
            if signal.pieces and signal.pieces[-1].first >= piece.first:
                raise Unreadable(f"{name}: two signals of one name cannot be told apart")
            signal.pieces.append(piece)
    for signal in signals.values():
        signal.length = int(total * signal.rate / rate)
    return signals


def times_at(start, rate, index):
    """The nanosecond of sample `index`, in integers only; two when it falls between them."""
    whole, rest = divmod(index * 10**9 * rate.denominator, rate.numerator)
    twice = 2 * rest - rate.numerator
    if twice == 0:
        return start + whole, start + whole + 1
    return (start + whole + (twice > 0),)


def index_at(start, rate, time):
    """The sample nearest to a time."""
    second = 10**9 * rate.denominator
    return (2 * (time - start) * rate.numerator + second) // (2 * second)


class Comparison:
    """Counts what differs, and shows the first of each on standard error."""

    def __init__(self):
        self.counts = {"samples": 0, "missing": 0, "extra": 0, "altered": 0, "times_off": 0}
        self.shown = 0

    def note(self, kind, text, count=1):
        self.counts[kind] += int(count)
        if self.shown < SHOWN_MAX:
            self.shown += 1
            print(f"{kind}: {text}", file=sys.stderr)


def read_csv(path):
    """The comments of a CSV, and an iterator over its rows with their line numbers."""
    comments = {}
    with open(path, encoding="utf-8", newline="") as file:
        for number, line in enumerate(file, 1):
            if not line.startswith("#"):
                break
            key, colon, value = line[1:].partition(":")
            if colon:
                comments[key.strip()] = value.strip()
        else:
            raise Unreadable(f"{path}: no header line")
    if line.strip().split(",") != HEADER:
        raise Unreadable(f"{path}, line {number}: not the header {','.join(HEADER)}")
    return comments, rows_after(path, number)


def rows_after(path, header_line):
    """Yields (line number, fields) for the rows; a long record does not fit memory as a list."""
    with open(path, encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.reader(file), 1):
            if number > header_line and row:
                yield number, row


class Expected:
    """What one signal's samples must be, one array entry per sample of the whole record."""

    def __init__(self, signal):
        length = signal.length
        self.covered = numpy.zeros(length, bool)
        self.valid = numpy.zeros(length, bool)
        self.raw = numpy.zeros(length, numpy.int64)
        self.physical = numpy.full(length, numpy.nan)
        self.piece = numpy.full(length, -1, numpy.int32)
        self.seen = numpy.zeros(length, bool)
        for number, piece in enumerate(signal.pieces):
            span = slice(piece.first, piece.first + len(piece.raw))
            self.covered[span] = True
            self.valid[span], self.raw[span] = piece.valid, piece.raw
            self.physical[span], self.piece[span] = piece.physical, number


def judge_row(row, where, signal, expected, calibration, start, found):
    """Compares one row; `calibration` is (gain, baseline) as the CSV's comments say, or None."""
    try:
        time, unit, validity = int(row[0]), row[2], row[3]
        value = None if row[1] == "" else int(row[1])
        if len(row) != 4 or validity not in ("valid", "invalid"):
            raise ValueError
    except (ValueError, IndexError):
        found.note("altered", f"{where}: not a row of four fields: {row}")
        return
    index = index_at(start, signal.rate, time)
    if not 0 <= index < signal.length:
        found.note("extra", f"{where}: outside the record")
        return
    if expected.seen[index]:
        found.note("extra", f"{where}: sample {index} again")
        return
    expected.seen[index] = True
    right_times = times_at(start, signal.rate, index)
    if time not in right_times:
        found.note("times_off", f"{where}: sample {index} is at {time}, not {right_times}")
    valid = bool(expected.valid[index])
    if (validity == "valid") != valid or (value is not None) != valid:
        kind = "altered" if expected.covered[index] or valid else "extra"
        found.note(kind, f"{where}: sample {index} is {value!r} {validity}, not valid={valid}")
        return
    if not expected.covered[index]:
        return
    piece = signal.pieces[expected.piece[index]]
    want = int(expected.raw[index]) if valid else None
    if value != want or ascii_only(unit) != ascii_only(piece.unit):
        found.note("altered", f"{where}: sample {index} is {value} {unit}, "
                              f"not {want} {piece.unit}")
    elif valid and not same_physical(value, calibration, expected.physical[index]):
        found.note("altered", f"{where}: sample {index} with gain and baseline {calibration} is "
                              f"not the physical value {expected.physical[index]}")


def ascii_only(text):
    """`wfdb` drops what is not ASCII when it reads a header."""
    return (text or "").encode("ascii", "ignore").decode()


def same_physical(value, calibration, want):
    """Whether the raw value means the same quantity under the export's own calibration."""
    if calibration is None:
        return True
    gain, baseline = calibration
    got = (value - baseline) / gain
    return abs(got - want) <= 1e-9 * max(abs(got), abs(want))


def calibration_of(comments, path):
    """(gain, baseline) of a CSV; None when it holds numerics."""
    if not {"gain", "baseline", "rate"} & comments.keys():
        return None
    try:
        gain, baseline = float(comments["gain"]), int(comments["baseline"])
        if gain != 0:
            return gain, baseline
    except (KeyError, ValueError):
        pass
    raise Unreadable(f"{path}: `# gain:` and `# baseline:` must both be numbers, gain not 0")


def judge(record, export, start):
    """Compares the whole export with the whole record."""
    signals = read_record(record)
    expected = {name: Expected(signal) for name, signal in signals.items()}
    found = Comparison()
    for file in sorted(os.listdir(export)):
        # Alerts and the gateway's own words about a device's runs are no samples.
        if not file.endswith(".csv") or file == "alerts.csv":
            continue
        path = os.path.join(export, file)
        comments, rows = read_csv(path)
        name = comments.get("signal")
        if name is None:
            raise Unreadable(f"{path}: no `# signal:`")
        if name not in signals:
            count = sum(1 for _ in rows)
            found.note("extra", f"{file}: no signal {name!r} in the record", max(count, 1))
            continue
        signal = signals[name]
        if "rate" in comments and Fraction(comments["rate"]) != signal.rate:
            found.note("times_off", f"{file}: rate {comments['rate']}, not {signal.rate}")
        calibration = calibration_of(comments, path)
        for number, row in rows:
            where = f"{file}, line {number}"
            judge_row(row, where, signal, expected[name], calibration, start, found)
            if len(row) == 4 and row[2] != comments.get("unit", row[2]):
                found.note("altered", f"{where}: {row[2]} in a file of {comments['unit']}")
    for name, want in expected.items():
        found.counts["samples"] += int(want.covered.sum())
        absent = numpy.flatnonzero(want.covered & ~want.seen)
        if len(absent):
            found.note("missing", f"{name}: {len(absent)} samples, first is {absent[0]}",
                       len(absent))
    return {"record": os.path.basename(record), "signals": len(signals), **found.counts}


def unix_ns(text):
    """An ISO moment as nanoseconds; without a zone it is UTC."""
    moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.timezone.utc)
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return (moment - epoch) // datetime.timedelta(microseconds=1) * 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("record", metavar="RECORD")
    parser.add_argument("export", metavar="EXPORT_DIR")
    parser.add_argument("--start", type=unix_ns, default="2026-01-01T00:00:00Z", metavar="ISO")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    record = asked.record.removesuffix(".hea")
    try:
        verdict = judge(record, asked.export, asked.start)
    except (Unreadable, OSError, ValueError, KeyError, csv.Error) as error:
        print(f"{asked.record}: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    print(json.dumps(verdict))
    return int(any(verdict[kind] for kind in ("missing", "extra", "altered", "times_off")))


if __name__ == "__main__":
    sys.exit(main())
