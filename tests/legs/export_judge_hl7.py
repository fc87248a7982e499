"""HL7 as the judge of exports reads it: each message parsed twice, each value compared."""

import collections
import datetime
import re

import hl7
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message

from export_judge_reading import VALIDATED, Sent, Signal, check, differ, is_test, seconds

HL7_MOMENT = re.compile(r"(\d{14})(?:\.(\d{4}))?\+0000")
# Flags of values that are valid all the same, and their bits.
SAID = {"EARLY": 1 << 9, "BUSY": 1 << 10, "ALACT": 1 << 14, "ALINH": 1 << 15}
VALID = VALIDATED | sum(SAID.values())
ESCAPES = {"F": "|", "S": "^", "R": "~", "T": "&", "E": "\\"}


def tenths(text):
    """Ten-thousandths of a second of an HL7 moment in UTC."""
    found = HL7_MOMENT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no moment in UTC")
    moment = datetime.datetime.strptime(found[1] + "+0000", "%Y%m%d%H%M%S%z")
    return seconds(moment) * 10_000 + int(found[2] or 0)


def unescaped(text):
    """A text of HL7 with the letters that separate."""
    return re.sub(r"\\([FSRTE])\\", lambda found: ESCAPES[found[1]], text)


def component(text, place):
    """A component of a field, from 1 on."""
    return unescaped((text.split("^") + [""] * place)[place - 1])


class Messages:
    """What HL7 says."""

    def __init__(self):
        self.names, self.devices = set(), set()
        self.numbers, self.notes = collections.Counter(), collections.Counter()
        self.total = self.strictly = 0

    def read(self, folder):
        """All messages of all files."""
        messages = []
        for path in sorted(folder.glob("*.hl7")):
            text = path.read_bytes().decode()
            begins = text == "" or (text.startswith("MSH|") and text.endswith("\r"))
            check(begins, f"HL7: {path.name} does not begin with MSH| and end with CR")
            parts = [part for part in re.split(r"(?<=\r)(?=MSH\|)", text) if part]
            messages += [(f"{path.name}, message {at}", one) for at, one in enumerate(parts, 1)]
        for where, message in messages:
            self.total += 1
            try:
                self.add(message, where)
            except Exception as error:  # a parser may raise anything
                check(False, f"HL7: {where}: {error!r}")
        return self

    def add(self, message, where):
        """One message."""
        parsed = hl7.parse(message)
        rows = [[str(field) for field in segment] + [""] * 20 for segment in parsed]
        head = rows[0]
        kind, name = head[9], head[10]
        check(name and name not in self.names, f"HL7: {where}: MSH-10 {name!r} is there twice")
        self.names.add(name)
        self.devices.add(component(head[3], 2))
        right = kind in ("ORU^R01^ORU_R01", "ORU^R40^ORU_R40") and head[12] == "2.6"
        check(right and head[11] in ("P", "D"), f"HL7: {where}: {kind} {head[11]} {head[12]}")
        if kind.startswith("ORU^R01"):
            self.strictly += 1
            # Without the last one it does not see that a segment is missing.
            parse_message(message, validation_level=VALIDATION_LEVEL.STRICT, force_validation=True)
            self.observe(rows, head[11] == "D", where)
        else:
            self.notes["alert"] += 1

    def observe(self, rows, test, where):
        """The numbers of a message; a text stands for words."""
        patient, moment = None, ""
        for row in rows:
            if row[0] == "PID":
                patient = component(row[3], 1)
            elif row[0] == "OBR":
                moment = row[7]
            elif row[0] == "OBX" and row[2] == "ST":
                self.notes["words"] += 1
            elif row[0] == "OBX" and row[2]:
                flags = set(filter(None, row[8].split("~")))
                check(row[2] == "NM" and flags <= SAID.keys(), f"HL7: {where}: {row[:12]}")
                code = component(row[3], 1 if component(row[3], 3) == "MDC" else 2)
                at, unit = tenths(row[14] or moment), component(row[6], 1)
                said = sum(SAID.get(flag, 0) for flag in flags)
                self.numbers[Sent(code, unit, at, row[5], row[11], said, patient, test)] += 1


def judge_messages(sent, numbers, found):
    """HL7's numbers against Parquet's."""
    wanted = collections.Counter()
    for number, beyond in numbers:
        known = beyond.dated != "guess"
        if number.digits and known and beyond.status & ~VALID == 0:
            code = str(number.code) if number.code else number.name
            unit = found.unit_in_hl7(Signal(number.code, number.name, number.unit))
            result = "F" if beyond.status & VALIDATED else "R"
            said, test = beyond.status & ~VALIDATED, is_test(number.mode, beyond.status)
            at = number.at // 100_000
            wanted[Sent(code, unit, at, number.digits, result, said, beyond.patient, test)] += 1
    differ("HL7", wanted, sent.numbers)


def judge_notes(rows, found, sent):
    """Alerts and words are as many everywhere; events have no place in HL7."""
    kinds = collections.Counter(row["kind"] for row in rows)
    wanted = {kind: kinds[kind] for kind in ("alert", "event", "words") if kinds[kind]}
    check(dict(found.notes) == wanted, f"FHIR: notes {dict(found.notes)}, not {wanted}")
    wanted.pop("event", None)
    check(dict(sent.notes) == wanted, f"HL7: notes {dict(sent.notes)}, not {wanted}")
