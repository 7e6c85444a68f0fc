"""The web UI with its daemon, and a headless browser that looks at it, for tests."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from selenium import webdriver
from selenium.common.exceptions import JavascriptException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

#: Where this is, the code location is loaded.
LOCATION_ASSET = "stg_sales"

#: A folder in which the screenshots are kept, for people to look at.
KEEP_SCREENSHOTS = "STAGED_ASSETS_TEST_SCREENSHOTS"

#: Seconds that a page, a server or a run may take on a machine that is busy with other things.
PATIENCE = 300.0

_ROOT = Path(__file__).parents[2]

_ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

_CLICK = """
const shown = [...document.querySelectorAll('button, a, [role=tab], [role=menuitem]')]
    .filter(e => e.innerText.trim() === arguments[0] && e.offsetParent !== null && !e.disabled);
if (shown.length === 0) return false;
shown[0].click();
return true;
"""

_NODES = """
{
  assetNodes {
    assetKey { path } groupName kinds description isMaterializable dependencyKeys { path }
    owners { ... on UserAssetOwner { email } }
  }
}
"""

_MATERIALIZATIONS = """
query ($path: [String!]!) {
  assetOrError(assetKey: {path: $path}) {
    ... on Asset { assetMaterializations {
      runId metadataEntries { label ... on IntMetadataEntry { intValue } ... on FloatMetadataEntry { floatValue } }
    } }
  }
}
"""

_RUNS = """
{ runsOrError { ... on Runs { results { runId status creationTime startTime endTime assetSelection { path } } } } }
"""

#: What a page says while it waits for an answer.
_LOADING = ("Loading...", "Loading runs", "fetching statuses")

Node = dict[str, Any]
Found = TypeVar("Found")


@dataclass(frozen=True)
class WebUi:
    """A running web UI."""

    url: str

    def query(self, document: str, **variables: Any) -> Any:
        """The data of a GraphQL query, which is what the pages ask."""
        answer = httpx.post(f"{self.url}/graphql", json={"query": document, "variables": variables}, timeout=60)
        answer.raise_for_status()
        content = answer.json()
        assert "errors" not in content, content["errors"]
        return content["data"]

    def assets(self) -> dict[str, Node]:
        """The graph: asset key, joined by `/` → its node."""
        return {"/".join(node["assetKey"]["path"]): node for node in self.query(_NODES)["assetNodes"]}

    def materializations(self, *path: str) -> list[dict[str, float]]:
        """The numbers that each materialization of an asset came with, newest first."""
        asset = self.query(_MATERIALIZATIONS, path=path)["assetOrError"]
        return [
            {
                entry["label"]: entry.get("intValue", entry.get("floatValue"))
                for entry in event["metadataEntries"]
                if "intValue" in entry or "floatValue" in entry
            }
            for event in asset["assetMaterializations"]
        ]

    def runs(self) -> list[Node]:
        """All runs, newest first."""
        return list(self.query(_RUNS)["runsOrError"]["results"])

    def run(self, run_id: str) -> Node:
        """A run with its status and times."""
        return next(run for run in self.runs() if run["runId"] == run_id)

    def started_by(self, action: Callable[[], None]) -> str:
        """The id of the run that an action starts."""
        known = {run["runId"] for run in self.runs()}
        action()
        return until(
            lambda: next((run["runId"] for run in self.runs() if run["runId"] not in known), None),
            "a run to be launched",
        )

    def finished(self, run_id: str) -> Node:
        """The run, once it has ended."""
        return until(lambda: run if (run := self.run(run_id))["endTime"] else None, f"the run {run_id} to end")

    def is_up(self) -> bool:
        """Whether the code location is loaded."""
        try:
            return LOCATION_ASSET in self.assets()
        except (httpx.HTTPError, AssertionError):
            return False


class Browser:
    """A person's eyes and mouse."""

    def __init__(self, driver: webdriver.Chrome, ui: WebUi, screenshots: Path) -> None:
        self._driver = driver
        self._ui = ui
        self._screenshots = screenshots

    def open(self, path: str, *texts: str) -> str:
        """Open a page and wait until these texts are on it; the page's text."""
        self._driver.get(self._ui.url + path)
        return self.see(*texts)

    def see(self, *texts: str) -> str:
        """Wait until these texts are on the page; the page's text."""

        def seen() -> str | None:
            page = self._text()
            return page if all(text in page for text in texts) else None

        try:
            return until(seen, f"{texts} on {self._driver.current_url}", patience=90)
        except AssertionError:
            self.keep("not-seen", settled=False)
            raise

    def click(self, text: str) -> None:
        """Click the button, tab or link with this text."""

        def clicked() -> bool:
            try:
                return bool(self._driver.execute_script(_CLICK, text))
            except JavascriptException:
                return False

        until(clicked, f"a button {text!r} on {self._driver.current_url}", patience=90)

    def elements(self, selector: str) -> int:
        """How many elements there are."""
        return int(self._driver.execute_script("return document.querySelectorAll(arguments[0]).length", selector))

    def keep(self, name: str, *, settled: bool = True) -> None:
        """Take a screenshot of what is shown, once nothing is loading any more."""
        if settled:
            until(lambda: not any(word in self._text() for word in _LOADING), "the page to settle", patience=90)
        self._driver.save_screenshot(str(self._screenshots / f"{name}.png"))

    def _text(self) -> str:
        """What can be read, one line for each cell or line."""
        return re.sub(r"\s*[\n\t]\s*", "\n", str(self._driver.execute_script("return document.body.innerText")))


def until(found: Callable[[], Found | None], what: str, patience: float = PATIENCE) -> Found:
    """The first answer that is something."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        answer = found()
        if answer:
            return answer
        time.sleep(0.3)
    raise AssertionError(f"waited {patience:g} s in vain for {what}")


def command(home: Path, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """A `staged-assets` command line and its environment, with a home of its own and nothing else set."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("STAGED_ASSETS_", "DAGSTER_"))
    }
    environment |= {"STAGED_ASSETS_HOME": str(home), "PYTHONPATH": str(_ROOT), "STAGED_ASSETS_AUTOMATIC": "false"}
    return [sys.executable, "-m", "staged_assets.cli", *arguments], environment


@contextmanager
def serving(home: Path) -> Iterator[WebUi]:
    """`staged-assets ui`: web server, daemon and code server, until the block ends; as a script's `&` starts it."""
    port = _free_port()
    arguments, environment = command(home, "ui", "--port", str(port))
    arguments = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *arguments]
    with (home / "ui.log").open("wb") as log:
        process = subprocess.Popen(
            arguments, env=environment, cwd=home, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    ui = WebUi(f"http://127.0.0.1:{port}")
    try:
        until(ui.is_up, f"the web UI to come up, see {home / 'ui.log'}")
        yield ui
    finally:
        _end(process, patience=120)


def _end(process: subprocess.Popen[bytes], patience: float) -> None:
    """End the command as a service manager would: everything that it started must end with it."""
    deadline = time.monotonic() + patience
    try:
        process.terminate()
        while time.monotonic() < deadline:
            process.poll()
            os.killpg(process.pid, 0)
            time.sleep(0.2)
        os.killpg(process.pid, signal.SIGKILL)
        raise AssertionError(f"`staged-assets ui` and what it started did not end within {patience:g} s")
    except ProcessLookupError:
        return
    finally:
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def browsing(ui: WebUi, folder: Path, *, width: int, height: int) -> Iterator[Browser]:
    """Headless Chromium with a profile of its own; skips where it is not installed."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("no browser: install the Debian packages chromium and chromium-driver")
    options = Options()
    options.binary_location = chromium
    for argument in (*_ARGUMENTS, f"--user-data-dir={folder / 'profile'}", f"--window-size={width},{height}"):
        options.add_argument(argument)
    screenshots = Path(os.environ.get(KEEP_SCREENSHOTS, folder / "screenshots"))
    screenshots.mkdir(parents=True, exist_ok=True)
    window = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield Browser(window, ui, screenshots)
    finally:
        window.quit()
