"""Uses the page as an engineer does, with a keyboard, in Chromium.

    page_judge.py LINK SCREENSHOTS COMMAND

LINK is the one-time link of a running `ward` demo, COMMAND makes another. Prints one line of JSON;
exits 1 with the first thing that is not as it should be. Waits are for what the page shows, never
for a time.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import shlex
import struct
import subprocess
import sys
import time

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

SERIOUS = ("serious", "critical")
# A report is due each 15 s: one missed is late, three missed is dark.
# What needs no waiting for a report still needs a browser that may have to share its machine.
SHOWN_WITHIN_MS = 20_000
LATE_WITHIN_MS, DARK_WITHIN_MS, BACK_WITHIN_MS = 40_000, 60_000, 40_000


NAME, PASSWORD = "eve", "a few words are good"
UDI = "(01)00012345678905(21)123456"


def six_digits(secret, step):
    """The code of RFC 6238, written apart from the product."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    mac = hmac.new(key, struct.pack(">Q", step), hashlib.sha1).digest()
    at = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"


class Visit:
    """One browser, and what was seen so far."""

    def __init__(self, browser, link, folder, command):
        self.browser, self.link, self.folder = browser, link, folder
        self.command = command
        self.context = browser.new_context(viewport={"width": 1366, "height": 768})
        self.page = self.context.new_page()
        self.errors, self.seen, self.findings = [], {}, []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda said: said.type == "error" and self.errors.append(said.text))
        self.asked = {}
        self.page.on("request", lambda request: self.asked.update({request: time.monotonic()}))
        for ended in ("requestfinished", "requestfailed"):
            self.page.on(ended, lambda request: self.asked.pop(request, None))

    def row(self):
        return self.page.locator("#fleet tbody tr[data-gateway='gw-1']")

    def press(self, wanted):
        """Reaches an element with the tabulator, and presses it."""
        for _ in range(120):
            self.page.keyboard.press("Tab")
            if wanted.evaluate("(one) => one === document.activeElement"):
                self.page.keyboard.press("Enter")
                return
        raise AssertionError(f"{wanted} is not reached by keyboard")

    def explain(self):
        """What the page and the browser say when something was not as expected."""
        waiting = {request.url: round(time.monotonic() - since, 1)
                   for request, since in self.asked.items()}
        said = {id: self.page.locator(f"#{id}").all_text_contents()
                for id in ("gateway-said", "verdict", "failed", "stream", "wall-said", "said")}
        print(json.dumps({"errors": self.errors, "seen": self.seen, "waiting_s": waiting,
                          "said": said}), file=sys.stderr)

    def shoot(self, name):
        self.page.screenshot(path=self.folder / f"{name}.png", full_page=True)

    def check(self, name):
        """axe-core over the page as it is, light and dark."""
        for scheme in ("light", "dark"):
            self.page.emulate_media(color_scheme=scheme)
            found = Axe().run(self.page).response["violations"]
            self.findings += [f"{name}, {scheme}: {one['id']}: {one['nodes'][0]['html'][:120]}"
                              for one in found if one["impact"] in SERIOUS]
        self.page.emulate_media(color_scheme="light")

    def timed(self, name, since, expectation):
        expectation()
        self.seen[name] = round(time.monotonic() - since, 1)

    def sign_in(self):
        self.page.goto(self.link)
        expect(self.page.locator("#person")).to_contain_text("engineer")
        expect(self.page.get_by_role("note")).to_contain_text("not an alarm system")
        expect(self.row()).to_have_attribute("data-state", "online", timeout=30_000)
        expect(self.page.locator("#map td.live").first).to_be_visible(timeout=30_000)
        wide = self.page.evaluate("document.documentElement.scrollWidth > innerWidth")
        assert not wide, "at 1366 pixels the page has to be pushed sideways"
        self.check("fleet")
        self.shoot("online")

    def try_again(self):
        """The link lets nobody else in, and without a session there is no data."""
        other = self.browser.new_context().new_page()
        other.goto(self.link)
        expect(other.locator("#said")).to_contain_text("was used before")
        for path in ("line", "coverage", "incidents", "events", "person"):
            answer = other.request.get(f"{self.link.split('/login')[0]}/v1/{path}")
            assert answer.status == 401, f"{path} answers {answer.status} to a stranger"
        other.context.close()

    def make_account(self):
        """An invited person chooses a password, and comes in with it and a code."""
        add = self.command.replace("link --role admin", f"account add {NAME} --role admin")
        made = subprocess.run(shlex.split(add), check=True, capture_output=True, text=True)
        base = self.link.split("/login")[0]
        self.context.clear_cookies()
        self.page.goto(f"{base}/join{made.stdout.strip()[made.stdout.index('#'):]}")
        expect(self.page.locator("#square")).to_be_visible()
        self.check("join")
        self.shoot("join")
        secret = self.page.locator("#secret").text_content()
        step = int(time.time()) // 30
        self.fill({"password": PASSWORD, "code": six_digits(secret, step)})
        self.page.wait_for_url("**/login")
        # Of the next half minute: a code is good once.
        code = six_digits(secret, step + 1)
        self.fill({"name": NAME, "password": PASSWORD, "code": code})
        expect(self.page.locator("#person")).to_contain_text("eve (admin)")

    def fill(self, fields):
        for name, value in fields.items():
            self.page.locator(f"#{name}").focus()
            self.page.keyboard.type(value)
        self.page.keyboard.press("Enter")

    def look_at_gateway(self):
        """Receipts, devices, values, sealed records, and that it is written down."""
        self.press(self.row().get_by_role("button", name="gw-1"))
        expect(self.page.locator("#receipts tbody tr").first).to_contain_text("whole")
        expect(self.page.locator("#devices tbody tr")).to_have_count(2)
        self.press(self.page.locator("#wall-show"))
        values = self.page.locator("#wall-values li")
        expect(values.first).to_contain_text("ago")
        expect(self.page.locator("#wall-values s")).to_have_count(0)
        expect(self.page.locator("#wall-strips canvas").first).to_be_visible()
        self.seen["values"] = values.count()
        self.check("gateway")
        self.shoot("gateway")
        with self.page.expect_download() as download:
            self.press(self.page.locator("#evidence"))
        lines = pathlib.Path(download.value.path()).read_text().splitlines()
        assert lines and all(json.loads(line)["bytes"] for line in lines)
        self.seen["records_taken"] = len(lines)
        self.press(self.page.locator("#devices tbody tr").first.get_by_role("button"))
        self.fill({"asset-udi": UDI})
        expect(self.page.locator("#devices")).to_contain_text("00012345678905, serial 123456")
        self.press(self.page.locator("#trail-more"))
        for deed in ("values", "evidence", "inventory"):
            expect(self.page.locator("#trail-entries tbody")).to_contain_text(deed)
        self.press(self.page.locator("#gateway-close"))
        expect(self.page.locator("#wall")).to_be_hidden()

    def cut(self):
        begun = time.monotonic()
        self.press(self.page.locator("#ward-link"))
        expect(self.page.locator("#ward-link")).to_contain_text("Restore")
        self.timed("late_s", begun, lambda: expect(self.row()).to_have_attribute(
            "data-state", "late", timeout=LATE_WITHIN_MS))
        self.timed("dark_s", begun, lambda: expect(self.row()).to_have_attribute(
            "data-state", "dark", timeout=DARK_WITHIN_MS))
        assert self.seen["dark_s"] <= 60, self.seen
        expect(self.page.locator("#incidents tr[data-kind='silent']")).to_be_visible()
        expect(self.page.locator("#verdict")).to_contain_text("not heard since")
        expect(self.page.locator("#map td.waiting").first).to_be_visible(timeout=10_000)
        self.check("dark")
        self.shoot("dark")

    def take_incident(self):
        take = self.page.locator("#incidents tr[data-kind='silent']").get_by_role(
            "button", name="Take")
        self.press(take)
        self.page.keyboard.type("looking at the switch")
        self.check("dialog")
        self.page.keyboard.press("Tab")
        self.page.keyboard.press("Enter")
        owner = self.page.locator("#incidents tr[data-kind='silent'] td").nth(5)
        expect(owner).not_to_be_empty()

    def restore(self):
        begun = time.monotonic()
        self.press(self.page.locator("#ward-link"))
        self.timed("online_again_s", begun, lambda: expect(self.row()).to_have_attribute(
            "data-state", "online", timeout=BACK_WITHIN_MS))
        self.timed("back_filled_s", begun, lambda: expect(
            self.page.locator("#map td.late").first).to_be_visible(timeout=BACK_WITHIN_MS))
        expect(self.page.locator("#incidents tr[data-kind='silent']")).to_have_count(0)
        expect(self.page.locator("#verdict")).to_contain_text("out of a backlog")
        expect(self.page.locator("#verdict")).to_contain_text("No reading")
        self.check("back-filled")
        self.shoot("back-filled")

    def at_the_wall(self):
        self.page.set_viewport_size({"width": 1920, "height": 1080})
        self.shoot("wall")

    def leave(self):
        self.press(self.page.get_by_role("button", name="Sign out"))
        expect(self.page.locator("#said")).to_contain_text("wardline-sink link")
        self.page.goto(self.link.split("/login")[0])
        expect(self.page.locator("#said")).to_be_visible()


def main():
    link, folder, command = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
    folder.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=SHOWN_WITHIN_MS)
    with sync_playwright() as playwright:
        # Root has no sandbox here; the page is our own.
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        visit = Visit(browser, link, folder, command)
        for step in (visit.sign_in, visit.try_again, visit.make_account,
                     visit.cut, visit.take_incident,
                     visit.restore, visit.look_at_gateway, visit.at_the_wall, visit.leave):
            try:
                step()
            except BaseException:
                visit.shoot(f"failed-{step.__name__}")
                visit.explain()
                raise
        browser.close()
    # The browser itself writes down each refusal that was provoked at the end.
    errors = [error for error in visit.errors if "401" not in error]
    print(json.dumps({"schema": 1, **visit.seen, "axe_serious": visit.findings,
                      "script_errors": errors}))
    return 1 if visit.findings or errors else 0


if __name__ == "__main__":
    sys.exit(main())
