"""Sends cases to a sink's interface by its own document, as several roles.

    api_judge.py SCHEMATHESIS FOLDER COMMAND

COMMAND makes a link; ROLE in it stands for the role. Prints one line of JSON; exits 1 if an answer
is a 5xx or not as the document says, or if there were fewer than 10,000 cases.
"""

import json
import pathlib
import shlex
import subprocess
import sys
import urllib.request

CONFIG = pathlib.Path(__file__).with_name("api.toml").resolve()
CASES_MIN = 10_000
# CPython before 3.11.5 fails at times in `ast.parse` when two threads use it at once (gh-106905).
WORKERS = 1
# Cases of each operation and role: 18 operations, three roles, two of four phases that use it.
EXAMPLES = 200
# What needs no case: an event stream has no end, and leaving would end the session of all others.
LEFT_OUT = ["--exclude-path", "/v1/events", "--exclude-operation-id", "end_session"]
# Of a guessed gateway, incident, code or invitation every right case is refused by what it names.
CHECKS = ["--exclude-checks", "positive_data_acceptance"]


def cookie(command, role):
    """Signs in by a fresh link; the session's cookie, and where the interface is."""
    made = subprocess.run(shlex.split(command.replace("ROLE", role)), check=True,
                          capture_output=True, text=True)
    url, ticket = made.stdout.strip().split("/login#")
    body = json.dumps({"ticket": ticket}).encode()
    asked = urllib.request.Request(f"{url}/v1/session", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked) as answer:
        return url, answer.headers["Set-Cookie"].split(";")[0]


def send(schemathesis, folder, url, who, header):
    """One run; how many cases there were, and whether all answers were right."""
    report = folder / f"{who}.ndjson"
    run = [schemathesis, "--config-file", str(CONFIG), "run", f"{url}/v1/openapi.json",
           "--url", url, "--continue-on-failure", "--max-examples", str(EXAMPLES),
           "--seed", "1", "--workers", str(WORKERS),
           "--request-timeout", "60", "--suppress-health-check", "all", "--no-color",
           "--report", "ndjson", "--report-ndjson-path", str(report), *LEFT_OUT, *CHECKS, *header]
    # It leaves notes for its next run where it stands.
    ended = subprocess.run(run, capture_output=True, text=True, cwd=folder)
    if ended.returncode != 0:
        said = ended.stdout
        begin = max(said.find("= FAILURES ="), said.find("= ERRORS ="), 0)
        print(said[begin:][:12_000], ended.stderr[-2000:], file=sys.stderr)
    statuses = {}
    for line in report.read_text().splitlines():
        for status in answers(json.loads(line)):
            statuses[status] = statuses.get(status, 0) + 1
    return ended.returncode == 0, statuses


def answers(event):
    """Statuses of all answers that an event of the report tells of."""
    if isinstance(event, dict):
        if isinstance(event.get("status_code"), int):
            yield event["status_code"]
        for inside in event.values():
            yield from answers(inside)
    elif isinstance(event, list):
        for inside in event:
            yield from answers(inside)


def main():
    schemathesis, folder, command = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
    good, total, said = True, 0, {}
    # All come in first: after so many wrong claims the sink lets nobody try for a minute.
    people = {role: cookie(command, role) for role in ("admin", "viewer")}
    people["nobody"] = (people["viewer"][0], None)
    for role, (url, session) in people.items():
        header = ["--header", f"Cookie: {session}"] if session else []
        fine, statuses = send(schemathesis, folder, url, role, header)
        good &= fine and not any(status >= 500 for status in statuses)
        total += sum(statuses.values())
        said[role] = {str(status): statuses[status] for status in sorted(statuses)}
    print(json.dumps({"schema": 1, "cases": total, "answers": said}))
    return 0 if good and total >= CASES_MIN else 1


if __name__ == "__main__":
    sys.exit(main())
