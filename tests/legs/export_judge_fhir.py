"""FHIR as the judge of exports reads it: each resource validated, each observation compared."""

import collections
import datetime
import decimal
import json
import re
from fractions import Fraction

from fhir.resources.R4B import get_fhir_model_class

from export_judge_reading import (INVALID, MDC, WAITING, Observed, Signal, check, differ, digits,
                                  is_test, ratio, sample_time, seconds)

UCUM = "http://unitsofmeasure.org"
FRAME, KIND = "urn:wardline:frame:sha-256", "urn:wardline:kind"
# Units whose names in both systems are well known; of others we see that they stay the same.
UCUM_OF = {"262656": "1", "262688": "%", "263441": "cm", "263762": "mL", "263875": "kg",
           "264320": "s", "264338": "ms", "264672": "/min", "264864": "/min", "264928": "/min",
           "265987": "kPa", "266016": "mm[Hg]", "266418": "mV", "266419": "uV", "268192": "Cel"}
SAID_AS = {"not-a-number", "positive-infinity", "negative-infinity"}
RFC_3339 = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")


def nanos(text):
    """Nanoseconds of an RFC 3339 moment; none of none."""
    if text is None:
        return None
    found = RFC_3339.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no moment")
    whole, fraction, zone = found.groups()
    moment = datetime.datetime.fromisoformat(whole + zone)
    return seconds(moment) * 10**9 + int((fraction or "").ljust(9, "0"))


def parts_of(value, name):
    """Yields everything inside a resource, each with the name of its field."""
    yield name, value
    if isinstance(value, dict):
        for key, inside in value.items():
            yield from parts_of(inside, key)
    elif isinstance(value, list):
        for inside in value:
            yield from parts_of(inside, name)


def is_empty(value):
    """What may not stand in a resource: it is left out instead."""
    return value is None or (isinstance(value, (dict, list, str)) and not value)


def coded(concept, system=None):
    """The first code of a concept in a system, or in any."""
    codings = concept.get("coding", [])
    said = [one["code"] for one in codings if system is None or one.get("system") == system]
    return said[0] if said else None


def signal_of(concept):
    """Code and name; the code is 0 if the device has none."""
    return int(coded(concept, MDC) or 0), concept["text"]


class Resources:
    """What FHIR says: names, what leads where, and observations as short tuples."""

    def __init__(self):
        self.names, self.led_to, self.devices = set(), {}, set()
        self.patients, self.metrics, self.units, self.empty = {}, {}, {}, {}
        self.frames, self.notes = collections.defaultdict(list), collections.Counter()
        self.numbers, self.waves = [], []
        self.total = self.observations = 0

    def read(self, folder):
        """All lines of all files."""
        for path in sorted(folder.glob("*.ndjson")):
            for place, line in enumerate(path.open(encoding="utf-8"), 1):
                try:
                    self.add(line, f"{path.name}, line {place}")
                except Exception as error:  # a validator may raise anything
                    check(False, f"FHIR: {path.name}, line {place}: {error!r}")
        return self

    def add(self, line, where):
        """One resource; of an observation only what is compared is kept."""
        one = json.loads(line, parse_float=decimal.Decimal, parse_int=decimal.Decimal)
        kind, name = one["resourceType"], f"{one['resourceType']}/{one.get('id')}"
        self.total += 1
        self.observations += kind == "Observation"
        named = re.fullmatch(r"[A-Za-z0-9.-]{1,64}", str(one.get("id")))
        check(named, f"FHIR: {where}: no right id: {name}")
        check(name not in self.names, f"FHIR: {where}: {name} is there twice")
        self.names.add(name)
        for field, value in parts_of(one, kind):
            if field == "reference":
                self.led_to.setdefault(value, where)
            if is_empty(value):
                self.empty.setdefault((kind, field), []).append(where)
        get_fhir_model_class(kind).model_validate_json(line)
        self.keep(one, kind, name)

    def keep(self, one, kind, name):
        """What of a resource is compared."""
        if kind == "Patient":
            self.patients[name] = one["identifier"][0]["value"]
        elif kind == "Device":
            self.devices.update(said["value"] for said in one["identifier"])
        elif kind == "DeviceMetric":
            self.metrics[name] = (signal_of(one["type"]), coded(one.get("unit", {}), MDC))
        elif kind == "Provenance":
            frame = [entity["what"]["identifier"]["value"] for entity in one["entity"]
                     if entity["what"]["identifier"]["system"] == FRAME]
            for target in one["target"]:
                self.frames[target["reference"]] += frame
        elif kind == "Observation":
            kinds = [tag["code"] for tag in one["meta"].get("tag", []) if tag["system"] == KIND]
            self.notes.update(kinds)
            if not kinds:
                self.observe(one, name)

    def observe(self, one, name):
        """A number or a run of samples."""
        test = "HTEST" in {label["code"] for label in one["meta"].get("security", [])}
        subject, device = one.get("subject", {}).get("reference"), one["device"]["reference"]
        about = (name, signal_of(one["code"]), subject, device, test)
        if "valueSampledData" in one:
            sampled, period = one["valueSampledData"], one.get("effectivePeriod", {})
            scale = [ratio(sampled["origin"]["value"])]
            scale += [ratio(sampled[key]) for key in ("factor", "period", "dimensions")]
            times = (nanos(period.get("start")), nanos(period.get("end")))
            self.waves.append((about, times, scale, sampled["origin"], sampled["data"]))
            return
        quantity, value = one.get("valueQuantity"), ""
        if quantity:
            ratio(quantity["value"])
            value = f"{quantity['value']:f}"
        reason = coded(one.get("dataAbsentReason", {})) or ""
        at = nanos(one.get("effectiveDateTime"))
        self.numbers.append((about, at, value, quantity or {}, reason))

    def unit(self, signal, quantity, device):
        """The unit of a quantity, which is in all systems the same for all of a signal."""
        of_metric, mdc = self.metrics.get(device, (signal, None))
        check(of_metric == signal, f"FHIR: {device} of {of_metric} has readings of {signal}")
        unit, said = quantity.get("unit", ""), (quantity.get("system"), quantity.get("code"))
        known = self.units.setdefault(Signal(*signal, unit), (*said, mdc))
        check(known == (*said, mdc), f"FHIR: unit of {signal} is {(*said, mdc)} and {known}")
        right = (UCUM, UCUM_OF.get(mdc, said[1]))
        check(mdc is None or said[0] == MDC or said == right, f"FHIR: {said} of {signal}, {right}")
        return unit

    def unit_in_hl7(self, signal):
        """The MDC code of a signal's unit, or the device's own word."""
        system, code, mdc = self.units.get(signal, (None, None, None))
        return mdc or (code if system == MDC else signal.unit)


def judge_resources(found):
    """Whether references lead somewhere, one frame brought each observation, nothing is empty."""
    for field, where in found.empty.items():
        check(False, f"FHIR: {'.'.join(field)} is empty {len(where)} times, first in {where[0]}")
    for reference, where in found.led_to.items():
        outside = reference.startswith(("urn:", "http:", "https:", "#"))
        there = outside or reference in found.names
        check(there, f"FHIR: {where}: {reference} leads nowhere")
    for name in found.names:
        frames = found.frames.get(name, [])
        right = len(frames) == 1 or not name.startswith("Observation/")
        check(right, f"FHIR: {name} came by {len(frames)} frames")


def reason_of(number, beyond):
    """Why there is no number, as FHIR says it."""
    if number.digits:
        return ""
    if beyond.absent in SAID_AS:
        return beyond.absent
    if beyond.absent != "missing" or beyond.status & INVALID:
        return "error"
    return "temp-unknown" if beyond.status & WAITING else "unknown"


def judge_numbers(found, numbers):
    """FHIR's numbers against Parquet's."""
    wanted, said = collections.Counter(), collections.Counter()
    for number, beyond in numbers:
        at = None if beyond.dated == "guess" else number.at
        unit, test = number.unit if number.digits else "", is_test(number.mode, beyond.status)
        wanted[Observed(number.code, number.name, unit, at, number.digits,
                        reason_of(number, beyond), beyond.patient, test, beyond.frame)] += 1
    for (name, signal, subject, device, test), at, value, quantity, reason in found.numbers:
        unit = found.unit(signal, quantity, device) if quantity else ""
        patient, frame = found.patients.get(subject, subject), found.frames.get(name, [None])[0]
        said[Observed(*signal, unit, at, value, reason, patient, test, frame)] += 1
    differ("FHIR", wanted, said)


def judge_waves(found, runs):
    """FHIR's runs of samples against Parquet's."""
    wanted = collections.defaultdict(list)
    for series, rows in runs.items():
        for row in rows:
            at = None if row["dated"] == "guess" else row["time"]
            data = " ".join("E" if one is None else str(one) for one in row["samples"])
            test = is_test(series.mode, row["status"])
            wanted[(*series[:3], at, data, row["patient"], test, row["frame"])].append(row)
    for (name, signal, subject, device, test), times, scale, origin, data in found.waves:
        unit = found.unit(signal, origin, device)
        patient, frame = found.patients.get(subject, subject), found.frames.get(name, [None])[0]
        rows = wanted.get((*signal, unit, times[0], data, patient, test, frame))
        if check(rows, f"FHIR: too often: {name}: samples {data[:40]} of {signal} at {times}"):
            row = rows.pop()
            if row["dated"] != "guess":
                apart = abs((times[1] or 0) - sample_time(row, len(row["samples"]) - 1))
                check(apart <= 1_000, f"FHIR: {name} ends {apart} ns off")
            judge_scale(name, row, *scale)
    for key, rows in wanted.items():
        check(not rows, f"FHIR: {len(rows)} times missing: samples {key[4][:40]} of {key[:4]}")


def judge_scale(name, row, origin, factor, period, dimensions):
    """Whether samples mean the same by FHIR's scale as by gain and baseline, at the same time."""
    gain = Fraction(digits(row["gain_mantissa"], row["gain_exponent"])) or Fraction(1)
    samples = [one for one in row["samples"] if one is not None]
    for raw in {0, min(samples, default=0), max(samples, default=0)}:
        physical, same = (raw - row["baseline"]) / gain, origin + raw * factor
        near = abs(physical - same) * 10**9 <= max(abs(physical), abs(1 / gain))
        check(near, f"FHIR: {name}: {raw} is {float(same)}, not {float(physical)}")
    true = Fraction(1000 * row["rate_denominator"], row["rate_numerator"])
    near = abs(period - true) * max(1, len(row["samples"]) - 1) * 1_000 <= 1
    check(near and dimensions == 1, f"FHIR: {name}: period {float(period)} is not {float(true)}")
