"""Compares the exports of one device in all formats, value by value, with other people's readers.

    export_judge.py FOLDER

FOLDER has csv, parquet, fhir and hl7, written by `wardline-sink export`. Prints one line of JSON;
exits 1 if anything differs, with what.
"""

import collections
import csv
import datetime
import decimal
import json
import pathlib
import sys

import duckdb
import hl7
import pandas
import pyarrow.dataset
from fhir.resources.R4B import get_fhir_model_class
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message

# hl7apy takes milliseconds for a message, fhir.resources for a resource: of more, every k-th.
MESSAGES_MAX = 400
RESOURCES_MAX = 4_000
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
MDC = "urn:iso:std:iso:11073:10101"
ABSENT_OF_FHIR = {"not-a-number", "positive-infinity", "negative-infinity", "error", "unknown",
                  "temp-unknown"}
wrong = []


def check(is_right, words):
    """Notes what is wrong; the first hundred of it."""
    if not is_right and len(wrong) < 100:
        wrong.append(words)


def nanos(text):
    """Nanoseconds of an RFC 3339 moment."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    since = datetime.datetime.fromisoformat(whole + "+00:00") - EPOCH
    seconds = since.days * 86_400 + since.seconds
    return seconds * 1_000_000_000 + int((fraction + "0" * 9)[:9])


def read_csv(folder):
    """Numbers and waves as the CSV files have them."""
    numbers, waves = collections.Counter(), {}
    for path in sorted(folder.glob("*.csv")):
        if path.name == "alerts.csv":
            continue
        head, rows = {}, []
        with path.open(newline="") as file:
            for line in file:
                if not line.startswith("# "):
                    break
                key, _, value = line[2:].rstrip("\n").partition(": ")
                head[key] = value
            rows = list(csv.reader(file))
        code = (int(head["code"]), head["signal"])
        if "gain" in head:
            # A moment may be said twice by neighbouring runs; the order is that of the samples.
            waves[code] = ([(int(row[0]), row[1]) for row in rows], head)
        else:
            numbers.update((code, int(row[0]), row[1], row[2]) for row in rows)
    return numbers, waves


def digits(mantissa, exponent):
    """A decimal as the device wrote it."""
    sign = (1 if mantissa < 0 else 0, tuple(int(one) for one in str(abs(mantissa))), exponent)
    return f"{decimal.Decimal(sign):f}"


def read_parquet(folder):
    """The same out of Parquet."""
    numbers, waves = collections.Counter(), collections.defaultdict(list)
    if list(folder.glob("numerics-*.parquet")):
        table = pyarrow.dataset.dataset(sorted(folder.glob("numerics-*.parquet"))).to_table()
        for row in table.to_pylist():
            at = row["time"].value if hasattr(row["time"], "value") else int(row["time"])
            value = ""
            if row["mantissa"] is not None and not row["status"] & 1:
                value = digits(row["mantissa"], row["exponent"])
                near = float(decimal.Decimal(value))
                check(abs(row["value"] - near) <= abs(near) * 1e-15, f"{row} is not near {value}")
            numbers[((row["code"], row["name"]), at, value, row["unit"])] += 1
    for path in sorted(folder.glob("waves-*.parquet")):
        for row in pyarrow.dataset.dataset(path).to_table().to_pylist():
            waves[(row["code"], row["name"])].append(row)
    for runs in waves.values():
        runs.sort(key=lambda run: run["time"])
    return numbers, waves


def resources(folder):
    """All resources of FHIR, by type."""
    found = collections.defaultdict(list)
    for path in sorted(folder.glob("*.ndjson")):
        for line in path.read_text().splitlines():
            one = json.loads(line, parse_float=decimal.Decimal)
            found[one["resourceType"]].append(one)
    return found


def references(value):
    """Every reference inside a resource."""
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for inside in value.values():
            yield from references(inside)
    elif isinstance(value, list):
        for inside in value:
            yield from references(inside)


def plain(value):
    """JSON as a validator takes it."""
    return json.loads(json.dumps(value, default=float))


def judge_fhir(folder, numbers, waves):
    """Validates and compares; how many resources, and how many of them were validated."""
    found = resources(folder)
    total = sum(len(of) for of in found.values())
    every = max(1, total // RESOURCES_MAX)
    names, validated = set(), 0
    for kind, of in found.items():
        model = get_fhir_model_class(kind)
        for at, one in enumerate(of):
            if "id" in one:
                name = f"{kind}/{one['id']}"
                check(name not in names, f"{name} is there twice")
                names.add(name)
            if kind not in ("Observation", "Provenance") or at % every == 0:
                validated += 1
                try:
                    model.model_validate(plain(one))
                except Exception as error:  # a validator may raise anything
                    check(False, f"{kind} {one.get('id')}: {error}")
    covered = set()
    for of in found.values():
        for one in of:
            for reference in references(one):
                check(reference in names, f"{one['resourceType']} leads to {reference}: nothing")
                if one["resourceType"] == "Provenance":
                    covered.add(reference)
    said, runs = collections.Counter(), collections.defaultdict(list)
    for one in found["Observation"]:
        check(f"Observation/{one['id']}" in covered, f"nobody says where {one['id']} came from")
        if "tag" in one["meta"]:
            continue
        code = (mdc(one["code"]), one["code"]["text"])
        if "valueSampledData" in one:
            runs[code].append(one)
            continue
        quantity, absent = one.get("valueQuantity"), one.get("dataAbsentReason")
        check((quantity is None) != (absent is None), f"{one['id']}: value and reason, or neither")
        value = str(quantity["value"]) if quantity else ""
        if quantity:
            said[(code, nanos(one["effectiveDateTime"]), value, quantity["unit"])] += 1
        else:
            check(absent["coding"][0]["code"] in ABSENT_OF_FHIR, f"{one['id']}: {absent}")
            said[(code, nanos(one["effectiveDateTime"]), "")] += 1
    wanted = collections.Counter()
    for (code, at, value, unit), count in numbers.items():
        wanted[(code, at, value, unit) if value else (code, at, "")] += count
    differ("FHIR", wanted, said)
    for code, (samples, head) in waves.items():
        of = sorted(runs.get(code, []), key=lambda one: nanos(one["effectivePeriod"]["start"]))
        judge_sampled(code, samples, head, of)
    return total, validated


def mdc(concept):
    """The MDC code; 0 if there is none."""
    codings = [one["code"] for one in concept.get("coding", []) if one["system"] == MDC]
    return int(codings[0]) if codings else 0


def judge_sampled(code, samples, head, runs):
    """Runs of samples against the CSV's."""
    raw = [one for run in runs for one in run["valueSampledData"]["data"].split(" ")]
    check(raw == [value or "E" for _, value in samples], f"FHIR: samples of {code} differ")
    gain, baseline = float(head["gain"]) or 1.0, float(head["baseline"])
    for run in runs:
        sampled = run["valueSampledData"]
        origin, factor = float(sampled["origin"]["value"]), float(sampled["factor"])
        for value in (-5.0, 0.0, 1234.0):
            physical, same = (value - baseline) / gain, origin + value * factor
            check(abs(physical - same) <= 1e-9 * max(1.0, abs(physical)), f"FHIR: scale of {code}")


def differ(of, wanted, said):
    """Every value that is missing, or too many."""
    for value, count in (wanted - said).items():
        check(False, f"{of}: {value} is missing {count} times")
    for value, count in (said - wanted).items():
        check(False, f"{of}: {value} is there {count} times too often")


def judge_hl7(folder, numbers):
    """Parses and compares; how many messages, and how many of them strictly."""
    text = "".join(path.read_bytes().decode() for path in sorted(folder.glob("messages-*.hl7")))
    messages = ["MSH|" + part for part in text.split("MSH|")[1:]]
    every, strictly, said = max(1, len(messages) // MESSAGES_MAX), 0, collections.Counter()
    for at, message in enumerate(messages):
        parsed = hl7.parse(message)
        check(str(parsed[0][9]).startswith("ORU^R01"), f"message {at} is {parsed[0][9]}")
        if at % every == 0:
            strictly += 1
            try:
                parse_message(message, validation_level=VALIDATION_LEVEL.STRICT)
            except Exception as error:  # a validator may raise anything
                check(False, f"hl7apy: message {at}: {error!r}")
        for row in parsed.segments("OBX"):
            if str(row[2]) == "NM":
                check(str(row[11]) in ("R", "F") and not str(row[8]), f"HL7: {row} is not valid")
                unit = str(row[6]).split("^")[0]
                said[(int(str(row[3]).split("^")[0]), tenths(str(row[14])), str(row[5]), unit)] += 1
    units = {"/min": {"264864", "264672", "264928"}, "mm[Hg]": {"266016"}, "%": {"262688"}}
    wanted = collections.Counter()
    for ((code, _), at, value, _), count in numbers.items():
        if value:
            wanted[(code, at // 100_000, value)] += count
    differ("HL7", wanted, collections.Counter(
        {key: count for key, count in shorter(said).items()}))
    known = {((code, at // 100_000, value), unit) for ((code, _), at, value, unit) in numbers}
    for (code, at, value, unit), _ in said.items():
        right = [one for one in units if ((code, at, value), one) in known]
        check(not right or unit in units[right[0]], f"HL7: unit {unit} of {code}")
    return len(messages), strictly


def shorter(said):
    """Without the unit."""
    counts = collections.Counter()
    for (code, at, value, _), count in said.items():
        counts[(code, at, value)] += count
    return counts


def tenths(text):
    """Ten-thousandths of a second of an HL7 moment in UTC."""
    civil, zone = text[:-5], text[-5:]
    check(zone == "+0000", f"HL7: {text} is not UTC")
    whole, _, fraction = civil.partition(".")
    moment = datetime.datetime.strptime(whole, "%Y%m%d%H%M%S")
    since = moment.replace(tzinfo=datetime.timezone.utc) - EPOCH
    return (since.days * 86_400 + since.seconds) * 10_000 + int((fraction + "0000")[:4])


def judge_waves(waves, runs):
    """Parquet's samples against the CSV's."""
    check(set(waves) == set(runs), f"Parquet: waves {set(runs)} in place of {set(waves)}")
    samples = 0
    for code, (rows, head) in waves.items():
        said = []
        for run in runs.get(code, []):
            rate = run["rate_numerator"] / run["rate_denominator"]
            at = run["time"].value
            for number, sample in enumerate(run["samples"]):
                said.append((at + number * 1e9 / rate, "" if sample is None else str(sample)))
        check([value for _, value in said] == [value for _, value in rows],
              f"Parquet: samples of {code} differ")
        apart = (abs(one[0] - other[0]) for one, other in zip(said, rows))
        check(max(apart, default=0) < 1000, f"Parquet: times of {code} differ")
        samples += len(rows)
    return samples


def judge_readers(folder):
    """pandas, pyarrow and DuckDB see the same."""
    for kind, column in (("numerics", "mantissa"), ("waves", "sample_first")):
        files = sorted(folder.glob(f"{kind}-*.parquet"))
        if not files:
            continue
        frames = pandas.concat([pandas.read_parquet(path) for path in files])
        table = pyarrow.dataset.dataset(files).to_table(columns=[column])
        by_arrow = sum(one for one in table[column].to_pylist() if one is not None)
        sql = f"SELECT count(*), sum({column}) FROM read_parquet('{folder}/{kind}-*.parquet')"
        rows, total = duckdb.sql(sql).fetchall()[0]
        check(len(frames) == table.num_rows == rows, f"{kind}: counts differ between readers")
        by_pandas = int(frames[column].dropna().astype("int64").sum())
        check(by_pandas == by_arrow == int(total or 0), f"{kind}: sums differ between readers")
        if kind == "numerics":
            value = duckdb.sql(sql.replace(f"sum({column})", "sum(value)")).fetchall()[0][1] or 0.0
            check(abs(float(frames["value"].sum()) - value) <= 1e-9 * max(1.0, abs(value)),
                  "numerics: sums of values differ between readers")


def main():
    folder = pathlib.Path(sys.argv[1])
    numbers, waves = read_csv(folder / "csv")
    in_parquet, runs = read_parquet(folder / "parquet")
    differ("Parquet", numbers, in_parquet)
    samples = judge_waves(waves, runs)
    judge_readers(folder / "parquet")
    total, validated = judge_fhir(folder / "fhir", numbers, waves)
    messages, strictly = judge_hl7(folder / "hl7", numbers)
    check(sum(numbers.values()) + samples > 0, "there is nothing")
    print(json.dumps({"schema": 1, "numerics": sum(numbers.values()), "samples": samples,
                      "resources": total, "validated": validated, "messages": messages,
                      "strictly": strictly, "wrong": len(wrong)}))
    for words in wrong[:20]:
        print(words, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
