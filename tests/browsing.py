"""A browser for tests of pages: headless Chromium as the system has it. What a page asks for or complains of fails the test."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from urllib.parse import urlsplit

from playwright.sync_api import Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")

QUIET = [
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Root, as in a container, has no sandbox.
    *(["--no-sandbox"] if os.geteuid() == 0 else []),
]


def is_near(asked: str, url: str) -> bool:
    """Whether a page may ask for something: for itself, and for what its own server has."""
    here, there = urlsplit(url), urlsplit(asked)
    return asked == url or (here.scheme == "http" and here[:2] == there[:2])


class Browsing:
    """One browser, in which each page has a context of its own."""

    def __enter__(self) -> "Browsing":
        found = next(filter(None, map(shutil.which, NAMES)), None)
        assert found, "the tests of pages need Chromium: apt install chromium"
        self._playwright = sync_playwright().start()
        self._browser = self._playwright.chromium.launch(executable_path=found, args=QUIET)
        return self

    def __exit__(self, *_: object) -> None:
        self._browser.close()
        self._playwright.stop()

    @contextlib.contextmanager
    def open(self, url: str, width: int = 1280, scheme: str = "light", scripts: bool = True) -> Iterator[Page]:
        """A page. At the end it must not have asked for anything elsewhere, nor complained."""
        context = self._browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=scripts
        )
        page = context.new_page()
        wrong: list[str] = []
        page.on("console", lambda message: wrong.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: None if is_near(request.url, url) else wrong.append(f"asked for {request.url}"))
        page.on("dialog", lambda dialog: wrong.append(f"a dialog: {dialog.message}"))
        try:
            page.goto(url)
            yield page
            assert not wrong, wrong
        finally:
            context.close()

    @contextlib.contextmanager
    def blank(self, scale: float = 1) -> Iterator[Page]:
        """An empty page, with so many pixels to each of its own."""
        context = self._browser.new_context(device_scale_factor=scale)
        try:
            yield context.new_page()
        finally:
            context.close()
