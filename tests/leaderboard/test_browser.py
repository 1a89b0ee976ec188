"""The site in a real browser, as a file: sorts, filters, keyboard, phone, accessibility, and nothing in the console."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement

from bench.report.site import Column, Datum, Record, SitePage, SitePart, SiteSection, SiteTable, render_page

AXE = files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")


@pytest.fixture
def page(browser: WebDriver, site: Path) -> Iterator[WebDriver]:
    browser.set_window_size(1300, 900)
    browser.get_log("browser")
    browser.get((site / "index.html").as_uri())
    yield browser
    assert browser.get_log("browser") == []


def head(driver: WebDriver, name: str) -> WebElement:
    """The head of a column of the first table."""
    heads = driver.find_elements(By.CSS_SELECTOR, "#table-1-1-1 thead th")
    return next(each for each in heads if each.text.startswith(name))


def keys(driver: WebDriver, column: int) -> list[str]:
    """What the rows that can be seen sort by in a column of the first table, from above."""
    rows = driver.find_elements(By.CSS_SELECTOR, "#table-1-1-1 tbody tr:not([hidden])")
    return [
        row.find_elements(By.CSS_SELECTOR, "th, td")[column].get_attribute("data-key") or "" for row in rows
    ]


def column_of(driver: WebDriver, name: str) -> int:
    heads = driver.find_elements(By.CSS_SELECTOR, "#table-1-1-1 thead th")
    return next(n for n, each in enumerate(heads) if each.text.startswith(name))


def numbers(found: list[str]) -> tuple[list[float], list[str]]:
    """The numbers before the first empty key, and what stands from there on."""
    first = found.index("") if "" in found else len(found)
    return [float(text) for text in found[:first]], found[first:]


@pytest.mark.parametrize(
    ("name", "first"), [("Accuracy", "descending"), ("Rank", "ascending"), ("Largest gap", "ascending")]
)
def test_sorts_numbers_both_ways_and_what_is_missing_last(page: WebDriver, name: str, first: str) -> None:
    place, button = column_of(page, name), head(page, name).find_element(By.TAG_NAME, "button")
    for way in (first, "descending" if first == "ascending" else "ascending"):
        button.click()
        found, rest = numbers(keys(page, place))
        assert len(found) >= 4
        assert found == sorted(found, reverse=way == "descending")
        assert set(rest) <= {""}
        assert head(page, name).get_attribute("aria-sort") == way
    assert len(page.find_elements(By.CSS_SELECTOR, "#table-1-1-1 th[aria-sort]")) == 1
    if name != "Accuracy":
        assert rest  # baselines and doubles have none of it


def test_numbers_sort_as_numbers_before_text_and_nothing_last(page: WebDriver, tmp_path: Path) -> None:
    given = (3.0, 20.0, None, -5.0, "b", 100.0, 1e-07, "A", None, 20.0)
    records = tuple(
        Record(Datum(str(n), "text"), (Datum(str(key), "number", key),)) for n, key in enumerate(given)
    )
    table = SiteTable("t", (Column("Row", ""), Column("Key", "ascending")), records)
    site_page = SitePage("p", "", (), (), (SiteSection("s", "S", (SitePart("", (), (table,)),)),))
    (tmp_path / "p.html").write_text(render_page(site_page), encoding="utf-8")
    page.get((tmp_path / "p.html").as_uri())
    (button,) = page.find_elements(By.CSS_SELECTOR, "thead button")  # the first column does not sort

    def seen() -> list[str]:
        return [row.text for row in page.find_elements(By.CSS_SELECTOR, "tbody th")]

    button.click()
    assert seen() == ["3", "6", "0", "1", "9", "5", "7", "4", "2", "8"]  # equal keys stay in their order
    button.click()
    assert seen() == ["4", "7", "5", "1", "9", "0", "6", "3", "2", "8"]


def test_sorts_names(page: WebDriver) -> None:
    head(page, "Model").find_element(By.TAG_NAME, "button").click()
    names = keys(page, 0)
    assert names == sorted(names)


def test_filters_by_name_doubles_baselines_and_state(page: WebDriver) -> None:
    form = page.find_element(By.CSS_SELECTOR, "form[data-for=table-1-1-1]")
    status = form.find_element(By.CSS_SELECTOR, "[role=status]")
    assert status.text == "7 of 7 rows"
    doubles, baselines, reportable = form.find_elements(By.CSS_SELECTOR, "input[type=checkbox]")
    doubles.click()
    assert "feigned" not in keys(page, 0)
    baselines.click()
    assert sorted(keys(page, 0)) == ["best", "middle", "twin", "worst"]
    search = form.find_element(By.CSS_SELECTOR, "input[type=search]")
    search.send_keys("wi")
    assert keys(page, 0) == ["twin"]
    assert status.text == "1 of 7 rows"
    search.send_keys(Keys.BACKSPACE * 2)
    doubles.click()
    reportable.click()
    assert sorted(keys(page, 0)) == ["best", "feigned", "middle", "twin", "worst"]
    head(page, "Accuracy").find_element(By.TAG_NAME, "button").click()
    assert sorted(keys(page, 0)) == [
        "best",
        "feigned",
        "middle",
        "twin",
        "worst",
    ]  # sorting shows nothing hidden


def test_what_is_not_reportable_is_hidden_where_asked(page: WebDriver, site: Path) -> None:
    path = next((site / "models").glob("best-*.html"))
    page.get(path.as_uri())
    form = page.find_element(By.CSS_SELECTOR, "form.filters")
    assert "withheld" in page.find_element(By.TAG_NAME, "main").text
    slices, reportable = form.find_elements(By.CSS_SELECTOR, "input[type=checkbox]")
    before = page.find_element(By.CSS_SELECTOR, "form.filters [role=status]").text
    reportable.click()
    after = page.find_element(By.CSS_SELECTOR, "form.filters [role=status]").text
    assert int(after.split()[0]) < int(before.split()[0])
    slices.click()
    assert page.find_element(By.CSS_SELECTOR, "form.filters [role=status]").text.startswith("1 of")


def test_keyboard_alone(page: WebDriver) -> None:
    """Tab reaches the button of a head, which is seen to have the focus; Enter and Space sort."""
    for _ in range(60):
        ActionChains(page).send_keys(Keys.TAB).perform()
        focus = page.switch_to.active_element
        if focus.tag_name == "button" and focus.text.startswith("Accuracy"):
            break
    else:
        pytest.fail("no Tab reached the button")
    assert focus.value_of_css_property("outline-style") == "solid"
    ActionChains(page).send_keys(Keys.ENTER).perform()
    assert head(page, "Accuracy").get_attribute("aria-sort") == "descending"
    ActionChains(page).send_keys(Keys.SPACE).perform()
    assert head(page, "Accuracy").get_attribute("aria-sort") == "ascending"
    assert page.switch_to.active_element == focus


def pages(site: Path) -> dict[str, Path]:
    """One page of each kind."""
    return {
        "index": site / "index.html",
        "board": site / "boards" / "board-1.html",
        "compare": site / "compare" / "board-1.html",
        "model": next((site / "models").glob("best-*.html")),
        "double": next((site / "models").glob("feigned-*.html")),
    }


@pytest.mark.parametrize("kind", ["index", "board", "compare", "model", "double"])
def test_a_phone_scrolls_tables_and_nothing_else(page: WebDriver, site: Path, kind: str) -> None:
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True},
    )
    try:
        page.get(pages(site)[kind].as_uri())
        width, inner = page.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
        assert inner == 390
        assert width <= inner
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_at_1300_pixels_the_table_of_the_index_needs_no_scrolling(page: WebDriver, site: Path) -> None:
    """With what the widest row of mini-xception over FER2013 says: four metrics, a gap and a loss."""
    page.execute_script(
        """
        const table = document.querySelector("#table-1-1-1"), gap = "undecided: 0.045 [\u22120.006,\u00a00.094] brightness";
        const worst = "0.449 [0.415,\u00a00.483] low resolution, severity 3, on the crop";
        for (const row of table.rows) {
            row.cells[0].textContent = "mini-xception@102-0.66";
            const value = row.cells[2].cloneNode(true), loss = row.cells[6].cloneNode(true);
            row.cells[4].after(value);
            row.cells[7].textContent = row.parentElement.tagName === "THEAD" ? "Largest gap \u2195" : gap;
            loss.textContent = row.parentElement.tagName === "THEAD" ? "Worst degradation \u2195" : worst;
            row.cells[7].after(loss);
        }
        """
    )
    box = (
        "const box = document.querySelector('.scroll'); return [box.scrollWidth, box.clientWidth, innerWidth]"
    )
    wide, seen, window = page.execute_script(box)
    assert window <= 1300
    assert wide <= seen


@pytest.mark.parametrize("kind", ["index", "board", "compare", "model"])
def test_on_paper_no_table_is_cut_off(page: WebDriver, site: Path, kind: str) -> None:
    """A4 across less its margins is 273 mm, at 96 dots an inch 1,031."""
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        page.set_window_size(1031, 900)
        page.get(pages(site)[kind].as_uri())
        width, inner = page.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
        assert width <= inner
        assert not any(form.is_displayed() for form in page.find_elements(By.CSS_SELECTOR, "form.filters"))
    finally:
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["index", "board", "compare", "model", "double"])
def test_axe_finds_nothing(page: WebDriver, site: Path, kind: str, scheme: str) -> None:
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    try:
        page.get(pages(site)[kind].as_uri())
        page.execute_script(AXE)
        found = page.execute_async_script(
            "const done = arguments[0];"
            "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa']}).then(done, (e) => done({error: String(e)}));"
        )
        assert "error" not in found, found
        assert found["passes"]
        assert [(v["id"], [n["html"][:200] for n in v["nodes"]][:3]) for v in found["violations"]] == []
        dark = page.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert (dark == "rgb(255, 255, 255)") == (scheme == "light")
    finally:
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_without_scripts_the_table_is_whole(page: WebDriver, site: Path) -> None:
    page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page.get((site / "index.html").as_uri())
        rows = page.find_elements(By.CSS_SELECTOR, "#table-1-1-1 tbody tr")
        assert len(rows) == 7
        assert all(row.is_displayed() for row in rows)
        assert not page.find_element(By.CSS_SELECTOR, "form.filters").is_displayed()
        assert not page.find_elements(By.CSS_SELECTOR, "thead button")
        assert "Sorting and filtering need scripts" in page.find_element(By.TAG_NAME, "header").text
    finally:
        page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_every_link_leads_somewhere(page: WebDriver, site: Path) -> None:
    for path in sorted(site.rglob("*.html")):
        page.get(path.as_uri())
        links = page.execute_script("return Array.from(document.links, (a) => a.href)")
        for link in links:
            file, _, anchor = link.removeprefix("file://").partition("#")
            assert Path(file).is_file(), (path, link)
            if anchor:
                assert f'id="{anchor}"' in Path(file).read_text(encoding="utf-8"), (path, link)
