"""Signs people on as a browser does: follows redirects, fills in the provider's forms.

    sign_on_judge.py PAGE

Prints one line of JSON; exits 1 with the first thing that is not as it should be.
"""

import http.cookiejar
import json
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

PATIENCE_S = 20


class Browser:
    """Cookies, and where it has come to."""

    def __init__(self):
        jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        self.came_by = []

    def go(self, url, fields=None):
        body = urllib.parse.urlencode(fields).encode() if fields else None
        with self.opener.open(url, body) as answer:
            self.came_by.append(answer.url)
            return answer.url, answer.read().decode()

    def sign_on(self, page, name):
        """Where the provider's forms lead to in the end."""
        url, text = self.go(f"{page}/v1/sign-on")
        for fields in ({"prompt": "login", "login": name, "password": "any"},
                       {"prompt": "consent"}):
            form = re.search(r'<form[^>]* action="([^"]+)"', text)
            assert form, f"{url} has no form: {text[:300]}"
            url, text = self.go(urllib.parse.urljoin(url, form[1]), fields)
        return url


class Stop(urllib.request.HTTPRedirectHandler):
    """Follows nothing."""

    def redirect_request(self, *_):
        return None


def location(url, cookie=""):
    """Where an address sends to."""
    asked = urllib.request.Request(url, headers={"Cookie": cookie} if cookie else {})
    try:
        urllib.request.build_opener(Stop).open(asked)
    except urllib.error.HTTPError as answer:
        assert answer.code == 303, f"{url} answers {answer.code}"
        return answer.headers["Location"], answer.headers.get_all("Set-Cookie") or []
    raise AssertionError(f"{url} does not send on")


def wait(page):
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            ways = json.load(urllib.request.urlopen(f"{page}/v1/ways"))
            location(f"{page}/v1/sign-on")
            return ways
        except (OSError, AssertionError):
            assert time.monotonic() < until, "page or provider does not come up"
            time.sleep(0.1)


def main():
    page = sys.argv[1]
    assert wait(page)["sign_on"] is True

    ada = Browser()
    assert ada.sign_on(page, "ada") == f"{page}/"
    person = json.loads(ada.go(f"{page}/v1/person")[1])
    who = (person["name"], person["role"], person["ward"])
    assert who == ("ada (sign-on)", "engineer", "ICU"), who

    eve = Browser()
    assert eve.sign_on(page, "eve") == f"{page}/"
    person = json.loads(eve.go(f"{page}/v1/person")[1])
    assert (person["role"], person["ward"]) == ("admin", ""), "of no ward: sees none"

    assert Browser().sign_on(page, "bob") == f"{page}/login?refused=role"

    # An answer is good in the browser that has asked, with the code that belongs to it, and once.
    question, cookies = location(f"{page}/v1/sign-on")
    state = urllib.parse.parse_qs(urllib.parse.urlsplit(question).query)["state"][0]
    cookie = cookies[0].split(";")[0]
    assert cookie == f"wardline-sign-on={state}"
    back = f"{page}/v1/sign-on/back?code=guessed&state={state}"
    assert location(back)[0] == "/login?refused=expired", "another browser's answer was taken"
    assert location(back, cookie)[0] == "/login?refused=provider", "a guessed code was taken"
    assert location(back, cookie)[0] == "/login?refused=expired", "an answer was taken twice"
    assert location(f"{page}/v1/sign-on/back?error=access_denied", cookie)[0] == (
        "/login?refused=provider")
    print(json.dumps({"schema": 1, "came_in": 2, "refused": 5}))


if __name__ == "__main__":
    main()
