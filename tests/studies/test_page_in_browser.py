"""The report in a real browser: sorting, enlarging, no request, no error, no barrier, on a phone and in the dark."""

import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studies.report.write import report
from tests.studies.test_report import made  # noqa: F401

pytestmark = pytest.mark.browser
AXE = "axe-core@4.14.1"
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        opened = playwright.chromium.launch(executable_path=program, args=options)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The text of axe-core."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed, and axe-core comes from there")
    folder = tmp_path_factory.mktemp("axe")
    subprocess.run(["npm", "pack", "--silent", AXE], cwd=folder, check=True, timeout=120, capture_output=True)
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        found = archive.extractfile("package/axe.min.js")
        assert found is not None
        return found.read().decode()


@pytest.fixture
def pages(made: tuple[Path, Path]) -> list[Path]:  # noqa: F811
    return report([made[0]], made[1].parents[1], None)


class Opened:
    """A page, the requests that it made, and what its console said."""

    def __init__(self, browser: Any, path: Path, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.requests: list[str] = []
        self.said: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.goto(path.as_uri())


@pytest.mark.parametrize(
    "options",
    [{}, {"color_scheme": "dark"}, PHONE, {"java_script_enabled": False}],
    ids=["light", "dark", "phone", "no script"],
)
def test_a_page_asks_for_nothing_and_fits(browser: Any, pages: list[Path], options: dict[str, Any]) -> None:
    for path in pages:
        opened = Opened(browser, path, **options)
        assert [url for url in opened.requests if not url.startswith("data:")] == [path.as_uri()] and not opened.said
        assert opened.page.locator("table").first.is_visible()
        if options.get("java_script_enabled", True):
            wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert opened.page.evaluate(wide) == 0
        opened.context.close()


@pytest.mark.parametrize("options", [{}, {"color_scheme": "dark"}, PHONE], ids=["light", "dark", "phone"])
def test_axe_finds_no_barrier(browser: Any, axe: str, pages: list[Path], options: dict[str, Any]) -> None:
    for path in pages:
        opened = Opened(browser, path, bypass_csp=True, **options)
        opened.page.evaluate(axe)
        found = opened.page.evaluate("axe.run().then(result => result.violations.map(one => one.id + ': ' + one.help))")
        assert found == []
        opened.context.close()


def test_a_click_sorts_a_table_by_its_numbers(browser: Any, pages: list[Path]) -> None:
    page = Opened(browser, pages[0]).page
    table = page.locator("table").first
    column = [text.strip() for text in table.locator("thead th").all_inner_texts()].index("test accuracy, %")
    before = table.locator(f"tbody tr td:nth-child({column + 1})").all_inner_texts()
    heading = table.locator("thead th").nth(column)
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    numbers = [
        float(text.split()[0]) for text in table.locator(f"tbody tr td:nth-child({column + 1})").all_inner_texts()
    ]
    assert numbers == sorted(numbers) and len(numbers) == len(before)
    heading.get_by_role("button").press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    page.context.close()


def test_a_click_enlarges_a_figure_and_closing_puts_it_back(browser: Any, pages: list[Path]) -> None:
    page = Opened(browser, pages[0]).page
    figure = page.locator("figure").first
    small = figure.locator("svg").bounding_box()["width"]
    figure.get_by_role("button").click()
    large = page.locator("dialog svg").bounding_box()["width"]
    assert large > 1.3 * small and figure.locator("svg").count() == 0
    page.keyboard.press("Escape")
    assert figure.locator("svg").count() == 1 and not page.locator("dialog").is_visible()
    page.context.close()


def test_what_a_run_prints_is_shown_and_not_obeyed(browser: Any, pages: list[Path]) -> None:
    page = Opened(browser, pages[0]).page
    alerts: list[str] = []
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    page.reload()
    assert "<script>alert(1)</script>" in page.locator("h1").first.inner_text() and not alerts
    page.context.close()
