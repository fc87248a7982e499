"""The audit trail as the judge of exports reads it: valid events, a chain that holds, one story."""

import base64
import collections
import csv
import hashlib
import json
import struct

from fhir.resources.R4B import get_fhir_model_class

from export_judge_fhir import is_empty, nanos, parts_of
from export_judge_reading import check

HEAD = ["id", "at_ns", "at", "who", "role", "what", "object", "words", "hash"]
NUMBER, HASH = "urn:wardline:audit:id", "urn:wardline:audit:sha-256"
# Whatever a store has seen, before its trail is written: a gateway was enrolled, readings left.
DONE = {"enrol", "export"}

Entry = collections.namedtuple("Entry", "id at_ns who role what object words hash")


def entry_of(event):
    """What an event says; a field that is not there is an empty text."""
    agent, entity = event["agent"][0], event["entity"][0]
    detail = {one["type"]: one for one in entity["detail"]}
    roles = [role["coding"][0]["code"] for role in agent.get("role", [])]
    return Entry(int(detail[NUMBER]["valueString"]), nanos(event["recorded"]),
                 agent.get("who", {}).get("display", ""), "".join(roles),
                 event["subtype"][0]["code"], entity.get("what", {}).get("display", ""),
                 entity.get("description", ""),
                 base64.b64decode(detail[HASH]["valueBase64Binary"], validate=True).hex())


def read_fhir(path):
    """All events, each validated."""
    entries, names = [], set()
    for place, line in enumerate(path.open(encoding="utf-8"), 1):
        where = f"audit, line {place}"
        try:
            get_fhir_model_class("AuditEvent").model_validate_json(line)
            event = json.loads(line)
            for field, value in parts_of(event, "AuditEvent"):
                check(not is_empty(value), f"{where}: {field} is empty")
            check(event["id"] not in names, f"{where}: {event['id']} is there twice")
            names.add(event["id"])
            entries.append(entry_of(event))
        except Exception as error:  # a validator may raise anything
            check(False, f"{where}: {error!r}")
    return entries


def read_csv(path):
    """All rows; a moment in words is the one in numbers."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        check(next(rows) == HEAD, "audit: another head of the CSV")
        entries = []
        for number, at_ns, at, *texts in rows:
            entries.append(Entry(int(number), int(at_ns), *texts))
            check(nanos(at) == int(at_ns), f"audit: {at} is not {at_ns}")
        return entries


def judge_chain(entries):
    """Makes each hash anew out of the one before and the entry."""
    before = bytes(32)
    for number, entry in enumerate(entries, 1):
        digest = hashlib.sha256(before + struct.pack(">qq", entry.id, entry.at_ns))
        for text in map(str.encode, entry[2:-1]):
            digest.update(struct.pack(">Q", len(text)) + text)
        before = digest.digest()
        holds = (entry.id, entry.hash) == (number, before.hex())
        if not check(holds, f"audit: entry {entry} is not the {number}th of its chain"):
            break


def judge_audit(folder):
    """The trail in its three forms; how many entries there are."""
    entries = read_fhir(folder / "fhir")
    judge_chain(entries)
    lines = (folder / "ndjson").open(encoding="utf-8")
    for form, said in (("CSV", read_csv(folder / "csv")),
                       ("JSON", [Entry(**json.loads(line)) for line in lines])):
        check(said == entries, f"audit: {form} and FHIR say other entries")
    missing = DONE - {entry.what for entry in entries}
    check(not missing, f"audit: nobody wrote down {missing}")
    return len(entries)
