"""Compares the exports of one device in all formats, reading by reading, with others' readers.

    export_judge.py FOLDER

FOLDER has csv, parquet, fhir and hl7, written by `wardline-sink export`, and audit, by
`wardline-sink audit`, whose three files must say the same and hold. The CSV must say what Parquet
says; Parquet, which says most of each reading, must say what FHIR and HL7 say: value with
its digits, unit, moment, patient, whether it is a test, and in FHIR the frame that brought it.
Each reading is there exactly once, and nothing else is. Prints one line of JSON; exits 1 if
anything differs, with what on standard error.

FHIR has no moment where it is a guess. HL7 has four digits of a second, no waveforms, and only
numbers that are valid or validated and whose moment is known. Each resource goes through the
validator, each message through both parsers, `strictly` through the strict one.
"""

import collections
import csv
import itertools
import json
import math
import pathlib
import sys
from fractions import Fraction

import duckdb
import pandas
import pyarrow
import pyarrow.dataset

from export_judge_audit import judge_audit
from export_judge_fhir import Resources, judge_numbers, judge_resources, judge_waves
from export_judge_hl7 import Messages, judge_messages, judge_notes
from export_judge_reading import (INVALID, QUESTIONABLE, Beyond, Number, Series, check, differ,
                                  digits, sample_time, wrong)

SHOWN_MAX = 20


def read_csv(path):
    """Yields the head of a CSV, then its rows: time, value, validity."""
    head, line = {}, ""
    with path.open(encoding="utf-8", newline="") as file:
        for line in file:
            if not line.startswith("#"):
                break
            key, _, value = line[1:].rstrip("\r\n").partition(": ")
            head[key.strip()] = value
        check(line.strip() == "time_unix_ns,value,unit,validity", f"{path.name}: head {line!r}")
        yield head
        for row in csv.reader(file):
            check(row[2] == head["unit"], f"{path.name}: {row} in a file of {head['unit']!r}")
            yield int(row[0]), row[1], row[3]


def judge_csv(folder, numbers, runs, devices):
    """Every CSV against Parquet; how many numbers and samples there are."""
    said, samples, runs = collections.Counter(), 0, dict(runs)
    for path in sorted(folder.glob("*.csv")):
        if path.name == "alerts.csv":
            continue
        rows = read_csv(path)
        head = next(rows)
        devices.add(head["device"])
        mode = head.get("mode", "normal").partition(",")[0]
        signal = (int(head["code"]), head["signal"], head["unit"], mode)
        if "gain" in head:
            shape = (head["gain"], int(head["baseline"]), head["rate"], int(head["bits"]))
            samples += judge_samples(path.name, rows, runs.pop(Series(*signal, *shape), []))
        else:
            said.update(Number(*signal, *row) for row in rows)
    for series in runs:
        check(False, f"Parquet: no CSV has {series}")
    differ("Parquet", said, collections.Counter(number for number, _ in numbers))
    return sum(said.values()), samples


def judge_samples(name, rows, runs):
    """A wave's CSV against its runs in Parquet; how many samples there are."""
    count, of_runs = 0, itertools.chain.from_iterable(map(samples_of, runs))
    for row, sample in itertools.zip_longest(rows, of_runs):
        count += row is not None
        same = row and sample and row[1:] == sample[1:] and abs(row[0] - sample[0]) < 1_000
        if not check(same, f"{name}: sample {count} is {row}, in Parquet {sample}"):
            break
    return count + sum(1 for _ in rows)


def samples_of(run):
    """Time, value and validity of each sample."""
    doubt = "questionable" if run["status"] & QUESTIONABLE else "valid"
    for place, sample in enumerate(run["samples"]):
        at = sample_time(run, place)
        yield (at, "", "invalid") if sample is None else (at, str(sample), doubt)


def read_parquet(folder, kind):
    """All rows of a kind, times as nanoseconds."""
    files = sorted(folder.glob(f"{kind}-*.parquet"))
    if not files:
        return []
    table = pyarrow.dataset.dataset(files).to_table()
    columns = {}
    for name, column in zip(table.column_names, table.columns):
        if pyarrow.types.is_timestamp(column.type):
            check(column.type == pyarrow.timestamp("ns", "UTC"), f"{kind}: {name}: {column.type}")
            column = column.cast(pyarrow.int64())
        columns[name] = column.to_pylist()
    return [dict(zip(columns, row)) for row in zip(*columns.values())]


def number_of(row):
    """A row of numerics as a number, and what is beyond."""
    is_valid = row["status"] & INVALID == 0
    text = digits(row["mantissa"], row["exponent"]) if is_valid else ""
    check((row["mantissa"] is None) == (row["absent"] is not None), f"Parquet: {row}")
    value = row["value"]
    near = text and value is not None and math.isclose(value, float(text), rel_tol=1e-15)
    check(near or (value is None and not text), f"Parquet: {value} is not near {text!r}: {row}")
    doubt = "questionable" if row["status"] & QUESTIONABLE else "valid"
    validity = row["absent"] or (doubt if is_valid else "invalid")
    signal = (row["code"], row["name"], row["unit"], row["mode"])
    beyond = Beyond(row["status"], row["absent"], row["patient"], row["dated"], row["frame"])
    return Number(*signal, row["time"], text, validity), beyond


def runs_by_series(rows):
    """Runs of samples by what they have in common, in the order of time."""
    runs = collections.defaultdict(list)
    for row in sorted(rows, key=lambda row: row["time"]):
        gain = digits(row["gain_mantissa"], row["gain_exponent"])
        rate = f"{row['rate_numerator']}/{row['rate_denominator']}"
        signal = (row["code"], row["name"], row["unit"], row["mode"])
        runs[Series(*signal, gain, row["baseline"], rate, row["bits"])].append(row)
    return runs


def judge_readers(folder):
    """pandas, pyarrow and DuckDB see the same."""
    for kind, columns in (("numerics", ["mantissa", "value"]), ("waves", ["baseline", "samples"])):
        files = [str(path) for path in sorted(folder.glob(f"{kind}-*.parquet"))]
        if not files:
            continue
        whole = {"dtype_backend": "numpy_nullable", "columns": columns}
        frame = pandas.concat([pandas.read_parquet(path, **whole) for path in files])
        table = pyarrow.dataset.dataset(files).to_table(columns=columns)
        relation = duckdb.read_parquet(files).select(", ".join(columns))
        rows = relation.fetchall()
        seen = {"pandas": sums([frame[name].tolist() for name in columns]),
                "pyarrow": sums([table[name].to_pylist() for name in columns]),
                "duckdb": sums([[row[place] for row in rows] for place in range(len(columns))])}
        check(len(set(seen.values())) == 1, f"{kind}: rows and sums differ by reader: {seen}")


def sums(columns):
    """How many rows there are, and the exact sum of each column."""
    return len(columns[0]), *map(total, map(list, map(there, columns)))


def total(values):
    """The exact sum of whole numbers and others."""
    whole = sum(one for one in values if isinstance(one, int))
    return whole + Fraction(math.fsum(one for one in values if isinstance(one, float)))


def there(values):
    """All numbers that are there, also out of lists."""
    for value in values:
        if hasattr(value, "__len__"):
            yield from there(value.tolist() if hasattr(value, "tolist") else value)
        elif value is not None and value is not pandas.NA and value == value:
            yield value


def judge(folder):
    """Everything; what there was."""
    notes = read_parquet(folder / "parquet", "notes")
    rows = read_parquet(folder / "parquet", "numerics")
    waves = read_parquet(folder / "parquet", "waves")
    devices = {row["device"] for row in itertools.chain(notes, rows, waves)}
    numbers, runs = [number_of(row) for row in rows], runs_by_series(waves)
    count, samples = judge_csv(folder / "csv", numbers, runs, devices)
    judge_readers(folder / "parquet")
    found = Resources().read(folder / "fhir")
    judge_resources(found)
    judge_numbers(found, numbers)
    judge_waves(found, runs)
    sent = Messages().read(folder / "hl7")
    judge_messages(sent, numbers, found)
    judge_notes(notes, found, sent)
    right = len(devices) == 1 and devices <= found.devices and sent.devices <= devices
    check(right, f"devices {devices}, in FHIR {found.devices}, in HL7 {sent.devices}")
    check(count + samples > 0, "there is nothing")
    deeds = judge_audit(folder / "audit")
    return {"numerics": count, "samples": samples, "observations": found.observations,
            "messages": sent.total, "resources": found.total, "strictly": sent.strictly,
            "deeds": deeds}


def main():
    seen = {}
    try:
        seen = judge(pathlib.Path(sys.argv[1]))
    except (OSError, ValueError, LookupError, TypeError, pyarrow.ArrowException) as error:
        check(False, f"cannot be read: {error!r}")
    for words in wrong[:SHOWN_MAX]:
        print(words, file=sys.stderr)
    print(json.dumps({"schema": 1, **seen, "wrong": len(wrong)}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
