"""Sends a sink's mail to a real SMTP server and looks at what came.

    mail_judge.py PROGRAM FOLDER

Prints one line of JSON; exits 1 at the first thing that is not as it must be.
"""

import asyncio
import json
import pathlib
import sqlite3
import ssl
import subprocess
import sys
import threading
import time

import trustme
from aiosmtpd.smtp import SMTP, AuthResult

USER, PASSWORD = b"wardline", b"open sesame"
RECIPIENTS = ["biomed@hospital.example", "it@hospital.example"]
PATIENCE_S = 30


class Inbox:
    """What a server has taken: whether it was sealed, and the message."""

    def __init__(self):
        self.taken = []

    async def handle_DATA(self, server, session, envelope):
        self.taken.append((session.ssl is not None or session.sealed, envelope))
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    good = (data.login, data.password) == (USER, PASSWORD)
    # Not handled: the server itself answers, also with a refusal.
    return AuthResult(success=good, handled=False)


def serve(loop, inbox, context, is_wrapped):
    """A server on a free port, with TLS from the beginning or by STARTTLS, never without."""
    begun = {} if is_wrapped else {"tls_context": context, "require_starttls": True}

    class Server(SMTP):
        def _create_session(self):
            session = super()._create_session()
            session.sealed = is_wrapped
            return session

    def make():
        return Server(inbox, loop=loop, authenticator=authenticate, auth_required=True,
                      auth_require_tls=not is_wrapped, **begun)

    started = loop.create_server(make, "127.0.0.1", 0, ssl=context if is_wrapped else None)
    server = asyncio.run_coroutine_threadsafe(started, loop).result(PATIENCE_S)
    return server.sockets[0].getsockname()[1]


def block(name, url, ca=None, token="mail.password"):
    authority = f'ca = "{ca}"\n' if ca else ""
    return (f'\n[[notify]]\nname = "{name}"\nurl = "{url}"\n{authority}token = "{token}"\n'
            'from = "Wardline <wardline@hospital.example>"\n'
            f'to = {json.dumps(RECIPIENTS)}\nafter_seconds = 0\n')


def main():
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    site = folder / "site"
    subprocess.run([program, "init", "--folder", site, "--broker-host", "localhost",
                    "--broker-port", "1", "--view-listen", "127.0.0.1:0"],
                   check=True, capture_output=True)
    ours, other = trustme.CA(), trustme.CA()
    ours.cert_pem.write_to_path(site / "mail-ca.pem")
    other.cert_pem.write_to_path(site / "other-ca.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ours.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    inboxes = Inbox(), Inbox()
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    wrapped, begun = (serve(loop, inbox, context, is_wrapped)
                      for inbox, is_wrapped in zip(inboxes, (True, False)))
    (site / "keys" / "mail.password").write_bytes(PASSWORD)
    (site / "keys" / "wrong.password").write_bytes(b"guess")
    config = site / "sink.toml"
    base = config.read_text()
    smtps = f"smtps://wardline@localhost:{wrapped}"

    def tried(more):
        config.write_text(base + more)
        return subprocess.run([program, "notify", "--config", config],
                              capture_output=True, text=True)

    smtp = f"smtp://wardline@localhost:{begun}"
    good = tried(block("sealed", smtps, "mail-ca.pem") + block("begun", smtp, "mail-ca.pem"))
    assert good.returncode == 0 and "begun to it@hospital.example: taken" in good.stdout, good
    for why, more in [("certificate", block("n", smtps, "other-ca.pem")),
                      ("535", block("n", smtps, "mail-ca.pem", "wrong.password")),
                      # In the clear, which such a server does not take.
                      ("no compatible authentication", block("n", smtp))]:
        bad = tried(more)
        assert bad.returncode == 1 and "password right?" in bad.stdout, (why, bad)
        assert why in bad.stdout.lower(), (why, bad)
    assert [len(inbox.taken) for inbox in inboxes] == [2, 2], "one to each of two"
    assert all(sealed for inbox in inboxes for sealed, _ in inbox.taken)

    # What a running sink tells: two incidents in one message.
    config.write_text(base + block("sealed", smtps, "mail-ca.pem"))
    store = sqlite3.connect(site / "store.sqlite")
    now = time.time_ns()
    for kind, subject in [("gap", "vital, eviction"), ("integrity", "vital, forged")]:
        store.execute("INSERT INTO incident (kind, subject, words, count, opened_ns, last_ns)"
                      " VALUES (?, ?, 'words of it', 1, ?, ?)", (kind, subject, now, now))
    store.commit()
    sink = subprocess.Popen([program, "run", "--config", config], stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + PATIENCE_S
        while len(inboxes[0].taken) < 4 and time.monotonic() < until:
            assert sink.poll() is None, "the sink has ended"
            time.sleep(0.1)
    finally:
        sink.kill()
        sink.wait()
    told = inboxes[0].taken[2:]
    told.sort(key=lambda one: one[1].rcpt_tos)
    assert [envelope.rcpt_tos for _, envelope in told] == [[one] for one in RECIPIENTS], told
    sealed, envelope = told[0]
    text = envelope.content.decode()
    assert sealed and f"To: {RECIPIENTS[0]}" in text, text
    assert "Subject: Wardline: 2 opened: gap all, integrity all" in text, text
    assert text.count("OPENED") == 2 and "not an alarm system" in text, text
    told = store.execute("SELECT count(*) FROM notice WHERE event = 'opened'").fetchone()[0]
    assert told == 4, told
    print(json.dumps({"schema": 1, "taken": len(inboxes[0].taken), "incidents_in_one": 2,
                      "refused": ["CA", "password", "TLS"]}))


if __name__ == "__main__":
    main()
