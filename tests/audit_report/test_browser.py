"""The pages in a real browser: accessible, readable at phone width, silent, and without a request."""

from __future__ import annotations

import shutil
from importlib import resources
from pathlib import Path

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

AXE = (resources.files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")
CHECK = """
const done = arguments[arguments.length - 1];
axe.run(document, {runOnly: ["wcag2a", "wcag2aa"]}).then(found => done(found.violations.map(
  v => v.id + ": " + v.nodes.slice(0, 3).map(n => n.html.slice(0, 120)).join(" | "))), error => done([String(error)]));
"""


def opened(browser: WebDriver, path: Path) -> WebDriver:
    browser.get_log("browser")
    browser.get(path.as_uri())
    return browser


def page(name: str, written: Path, nasty: Path) -> Path:
    return {"audit": written, "hostile": nasty, "report": written}[name] / (
        "report.html" if name == "report" else "audit.html"
    )


@pytest.mark.parametrize("name", ["audit", "hostile", "report"])
def test_a_standard_check_finds_nothing(name: str, browser: WebDriver, written: Path, nasty: Path) -> None:
    opened(browser, page(name, written, nasty))
    browser.execute_script(AXE)
    assert browser.execute_async_script(CHECK) == []


def test_the_check_finds_what_is_wrong(browser: WebDriver, written: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.html"
    broken.write_text((written / "audit.html").read_text().replace('<html lang="en">', "<html>"))
    opened(browser, broken)
    browser.execute_script(AXE)
    assert any(text.startswith("html-has-lang") for text in browser.execute_async_script(CHECK))


@pytest.mark.parametrize("name", ["audit", "hostile"])
def test_nothing_is_wider_than_a_phone(name: str, browser: WebDriver, written: Path, nasty: Path) -> None:
    try:
        browser.execute_cdp_cmd(  # type: ignore[attr-defined]
            "Emulation.setDeviceMetricsOverride",
            {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": False},
        )
        opened(browser, page(name, written, nasty))
        width = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        scrolled, seen = browser.execute_script(width)
        assert scrolled <= seen <= 390
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})  # type: ignore[attr-defined]


def test_the_page_is_silent_and_its_style_is_let_through(browser: WebDriver, nasty: Path) -> None:
    opened(browser, nasty / "audit.html")
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.styleSheets[0].cssRules.length") > 40
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0


def test_a_changed_style_is_refused_by_the_browser(browser: WebDriver, written: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed.html"
    shutil.copy(written / "audit.html", changed)
    changed.write_text(changed.read_text().replace("</style>", " body { color: red }</style>"))
    opened(browser, changed)
    assert any("Content Security Policy" in entry["message"] for entry in browser.get_log("browser"))
