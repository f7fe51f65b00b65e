"""WordPress as its users meet it: by HTTP alone, at an address, under a name."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit


@dataclass
class Browser:
    """Keeps cookies, and follows redirects; every name leads to the one address."""

    address: str
    host: str
    port: int = 80
    cookies: dict[str, str] = field(default_factory=dict)

    def open(self, path: str, form: dict[str, str] | None = None, **headers: str) -> str:
        body = urlencode(form) if form is not None else None
        kind = {"Content-Type": "application/x-www-form-urlencoded"} if form is not None else {}
        return self.send("POST" if form is not None else "GET", path, body, kind | headers)

    def send(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> str:
        for _hop in range(5):
            status, location, text = self._ask(method, path, body, headers)
            if not location:
                assert status < 400, f"{method} {path}: {status} {text[:500]}"
                return text
            there = urlsplit(location)
            method, body, path = "GET", None, f"{there.path or '/'}{'?' if there.query else ''}{there.query}"
        raise AssertionError(f"{path} redirects for ever")

    def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> tuple[int, str, str]:
        connection = http.client.HTTPConnection(self.address, self.port, timeout=60)
        try:
            sent = {"Host": self.host, "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
            connection.request(method, path, body, sent | headers)
            answer = connection.getresponse()
            for cookie in answer.msg.get_all("Set-Cookie") or ():
                name, _equals, value = cookie.split(";")[0].partition("=")
                self.cookies[name] = value
            location = answer.getheader("Location") or "" if answer.status in (301, 302, 303) else ""
            return answer.status, location, answer.read().decode(errors="replace")
        finally:
            connection.close()


@dataclass(frozen=True)
class WordPress:
    browser: Browser
    user: str = "editor"
    password: str = "Correct-Horse-9-Battery"

    def install(self) -> None:
        page = self.browser.open(
            "/wp-admin/install.php?step=2",
            {
                "weblog_title": "Shared",
                "user_name": self.user,
                "admin_email": "editor@example.com",
                "admin_password": self.password,
                "admin_password2": self.password,
                "pw_weak": "on",
                "blog_public": "0",
                "language": "",
                "Submit": "Install",
            },
        )
        assert "Success!" in page, page[-2000:]

    def log_in(self) -> None:
        self.browser.open("/wp-login.php")
        form = {"log": self.user, "pwd": self.password, "testcookie": "1", "redirect_to": "/wp-admin/profile.php"}
        assert "profile.php" in self.browser.open("/wp-login.php", form)

    def write(self, title: str, content: str) -> int:
        nonce = self.browser.open("/wp-admin/admin-ajax.php?action=rest-nonce").strip()
        post = json.dumps({"title": title, "content": content, "status": "publish"})
        headers = {"Content-Type": "application/json", "X-WP-Nonce": nonce}
        return int(json.loads(self.browser.send("POST", "/index.php?rest_route=/wp/v2/posts", post, headers))["id"])

    def read(self, post: int) -> str:
        return Browser(self.browser.address, self.browser.host, self.browser.port).open(f"/?p={post}")
