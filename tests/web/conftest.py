"""Picture files as visitors give them, a page that is served, and visitors in a real browser."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import time

import pytest
from PIL import Image

from tfstyle import images

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PATIENCE = 60_000  # ms for what must come


@pytest.fixture
def files(tmp_path, photo, painting, other_painting):
    """{"photo", "style", "second": path of a picture file, "bad": of none}, in a folder of their own."""
    folder = tmp_path / "given"
    folder.mkdir()
    paths = {}
    for name, picture, file in (
        ("photo", photo, "my holiday.jpg"), ("style", painting, "paint.png"), ("second", other_painting, "other.png"),
    ):
        paths[name] = str(folder / file)
        images.write(paths[name], picture)
    (folder / "bad.jpg").write_bytes(b"nothing that is a picture")
    return paths | {"bad": str(folder / "bad.jpg")}


@pytest.fixture(scope="module")
def page_process(tmp_path_factory):
    """(address, folder for temporary files, process) of a page with small limits, where some orders are slow."""
    with served(tmp_path_factory.mktemp("temporary")) as page:
        yield page


@pytest.fixture
def page_of_its_own(tmp_path):
    """The same, for who ends it."""
    with served(tmp_path) as page:
        yield page


@contextlib.contextmanager
def served(folder):
    code = """
import signal, sys, time
from tfstyle.web.painter import Painter

painted, slow = Painter.__call__, {240: 1.0, 112: 0.05}  # px: seconds that each step of an optimization takes at least

def slowly(self, order, callback, planned):
    return painted(self, order, lambda record: time.sleep(slow.get(order.size, 0)) or callback(record), planned)

Painter.__call__ = slowly
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background jobs are without
from tfstyle.cli import main
sys.exit(main(["web", *sys.argv[1:]]))
"""
    words = "--port 0 --no-browser --json --largest 256 --upload 0.1 --waiting 1 --preview 2 --megapixels 1".split()
    child = subprocess.Popen(
        [sys.executable, "-c", code, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
        # TensorFlow generates code there, and would leave its bytecode.
        | {"TMPDIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    with child:
        told = ""
        while told.count("{") == 0 or told.count("{") > told.count("}"):
            line = child.stdout.readline()
            assert line, child.stderr.read()
            told += line
        yield json.loads(told)["url"], folder, child
        child.kill()


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on the PATH")
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    with playwright.sync_playwright() as lead:
        chromium = lead.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def visitor(browser, page_process):
    """A function that opens the page for somebody new, and keeps what went wrong and what was asked for."""
    address, _, _ = page_process
    with contextlib.ExitStack() as stack:
        def open_page(**options):
            context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}} | options)
            stack.callback(context.close)
            return Visitor(context, address)

        yield open_page


class Visitor:
    """One who uses the page."""

    patience = PATIENCE / 1000  # s

    def __init__(self, context, address):
        self.page, self.asked, self.faults = context.new_page(), [], []
        self.page.set_default_timeout(PATIENCE)
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda told: self.faults.append(told.text) if "Content Security" in told.text else None)
        self.page.goto(address)
        self.page.wait_for_selector("#paint")
        self.page.wait_for_selector("#result img")

    def give(self, field, path):
        self.page.set_input_files(f"#{field} input[type=file]", path)

    def given(self, field, path):
        """Gives a picture and waits until it is seen."""
        if self.page.locator(f"#{field} [aria-label=Clear]").count():
            self.page.click(f"#{field} [aria-label=Clear]")
        self.give(field, path)
        self.page.wait_for_selector(f"#{field} img")

    def set(self, name, value):
        self.page.fill(f"#{name} input[type=number]", str(value))
        self.page.press(f"#{name} input[type=number]", "Tab")

    def more(self):
        self.page.click("#more > button")
        self.page.wait_for_selector("#method")

    def wait(self, condition):
        """Until a function of no arguments is true; Playwright's own way is what our policy keeps pages from."""
        until = time.monotonic() + PATIENCE / 1000
        while not condition():
            assert time.monotonic() < until, f"in vain; the page says {self.status()!r}"
            self.page.wait_for_timeout(50)

    def status(self):
        return self.page.inner_text("#status")

    def until(self, beginning):
        """Waits for a sentence that begins so, and returns it."""
        self.wait(lambda: self.status().startswith(beginning))
        return self.status()

    def source(self):
        return self.page.locator("#result img").nth(1).get_attribute("src")

    def painted(self):
        """Presses Paint and waits for another picture; returns it as a PIL image."""
        before = self.source()
        self.page.click("#paint")
        self.wait(lambda: self.page.locator("#result img").count() == 2 and self.source() != before)
        return self.result()

    def result(self):
        return Image.open(io.BytesIO(self.page.request.get(self.source()).body())).convert("RGB")
