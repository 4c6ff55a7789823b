#!/usr/bin/python3
"""Opens reports in a headless Chromium and uses them as people do: report_test.py UNROLL [--keep FOLDER]

What the page shows is held against what `unroll inspect --json` printed. Needs Debian's python3-selenium and
chromium-driver; without them it says so and ends with 77, which meson takes for "skipped".
"""
import argparse
import base64
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

try:
    from selenium import webdriver
    from selenium.common.exceptions import WebDriverException
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import Select
except ImportError:
    print("skipped: there is no Selenium; Debian's package is python3-selenium")
    sys.exit(77)

SECONDS_TO_OPEN = 2
LARGEST_FILE = 5_000_000


class Browser:
    """A Chromium window of some width and colour scheme."""

    def __init__(self, width, dark=False):
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                         "--hide-scrollbars", f"--window-size={width},900"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        self.width = width
        self.command("Performance.enable", timeDomain="threadTicks")
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1,
                     mobile=width < 600)
        self.command("Emulation.setEmulatedMedia",
                     features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.driver.quit()

    def command(self, name, **arguments):
        return self.driver.execute_cdp_cmd(name, arguments)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def work(self):
        """Seconds for which the page's thread has been computing, whatever else the machine does meanwhile."""
        metrics = self.command("Performance.getMetrics")["metrics"]
        return next(m["value"] for m in metrics if m["name"] == "ThreadTime")

    def open(self, path):
        """Seconds of work until the figures are drawn."""
        before = self.work()
        self.driver.get(path.absolute().as_uri())
        deadline = time.monotonic() + 60
        while not self.run("return document.documentElement.dataset.ready"):
            assert time.monotonic() < deadline, f"{path} never says that it is ready"
            time.sleep(0.02)
        self.driver.execute_async_script(
            "requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
        after = self.work()
        return after - before if after > before else after  # of a new thread

    def hover(self, element, x, y):
        """The pointer rests at a share of the width and height."""
        size = element.size
        webdriver.ActionChains(self.driver).move_to_element_with_offset(
            element, round((x - 0.5) * size["width"]), round((y - 0.5) * size["height"])).perform()

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def find_all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def press(self, *keys):
        webdriver.ActionChains(self.driver).send_keys(*keys).perform()

    def check_console(self):
        messages = self.driver.get_log("browser")
        assert not messages, messages

    def check_width(self):
        over = self.run("return document.documentElement.scrollWidth - window.innerWidth")
        assert over <= 0, f"the page is {over} pixels too wide at {self.width}"

    def screenshot(self, path):
        height = self.run("return document.documentElement.scrollHeight")
        clip = {"x": 0, "y": 0, "width": self.width, "height": height, "scale": 1}
        data = self.command("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)["data"]
        path.write_bytes(base64.b64decode(data))


def number(text):
    """What a number on the page says, in its base unit."""
    words = text.replace("\u00a0", " ").replace(",", "").split()
    factors = {"kB": 1e3, "MB": 1e6, "GB": 1e9, "k": 1e3, "M": 1e6, "G": 1e9, "ns": 1, "µs": 1e3, "ms": 1e6,
               "s": 1e9, "%": 0.01}
    return float(words[0]) * (factors.get(words[1], 1) if len(words) > 1 else 1)


def check_same(shown, printed, what):
    """The page shows three digits."""
    assert abs(number(shown) - printed) <= 0.006 * abs(printed) + 1e-300, f"{what}: {shown} of {printed}"


def check_facts(browser, report):
    shown = {e.get_attribute("data-fact"): e.text for e in browser.find_all("[data-fact]")}
    for key in ("loss", "parameters", "steps", "nodes", "values", "bytes"):
        check_same(shown[key], report["summary"][key], key)
    findings = [e.text for e in browser.find_all(".findings li")]
    assert findings == report["findings"], (findings, report["findings"])


def choose(browser, label, value):
    for element in browser.find_all(".toolbar select, .toolbar input"):
        if element.tag_name == "select" and element.get_attribute("aria-label") == label:
            Select(element).select_by_value(value)
            return
        if element.get_attribute("name") == label and element.get_attribute("value") == str(value):
            browser.run("arguments[0].click()", element)
            return


def check_flow(browser, report):
    """Each series is chosen, and read at its first, middle and last step."""
    curves = next(f for f in browser.find_all("#flow figure") if f.find_element(By.TAG_NAME, "h3").text == "Step by step")
    readout = curves.find_element(By.CSS_SELECTOR, ".readout")
    for series in report["flow"]:
        choose(browser, "Layer", series["path"].removesuffix(".forward").removesuffix(".reverse"))
        choose(browser, "direction", series["direction"])
        choose(browser, "field", series["field"])
        for i in {0, len(series["steps"]) // 2, len(series["steps"]) - 1}:
            box = browser.find(".toolbar input[type=number]")
            box.clear()
            box.send_keys(str(series["steps"][i]), Keys.ENTER)
            step, value = [b.text for b in readout.find_elements(By.TAG_NAME, "b")][:2]
            assert number(step) == series["steps"][i], (step, series["path"])
            check_same(value, series["norm"][i], f"{series['path']} at step {step}")


def check_hover(browser, report):
    """The number under the pointer is said, in every figure over time the same step; on touch and keys, too."""
    figures = browser.find_all("#flow figure")
    curves = next(f for f in figures if f.find_element(By.TAG_NAME, "h3").text == "Step by step")
    series = report["flow"][browser.run("return view.series")]
    seen = []
    for x in (0.3, 0.6, 0.95):
        browser.hover(curves.find_element(By.CLASS_NAME, "plot"), x, 0.5)
        step, value = [b.text for b in curves.find_elements(By.CSS_SELECTOR, ".readout b")][:2]
        at = series["steps"].index(number(step))
        check_same(value, series["norm"][at], f"the gradient under the pointer, step {step}")
        for figure in figures:
            assert figure.find_element(By.CSS_SELECTOR, ".readout b").text == step, (step, figure.text)
        seen.append(at)
    assert seen == sorted(set(seen)), seen


def check_graph(browser, report):
    graph = report["graph"]
    stepped = [e for e in browser.find_all(".box") if graph["boxes"][int(e.get_attribute("data-box"))]["steps"]]
    box = graph["boxes"][int(stepped[2].get_attribute("data-box"))]
    steps = box["steps"]
    stepped[2].click()
    heading = browser.find(".detail h3").text
    assert heading.startswith(f"{graph['modules'][box['module']]['path']}, step {steps[0]}"), heading
    rows = [[c.text for c in r.find_elements(By.TAG_NAME, "td")] for r in browser.find_all(".detail tbody tr")]
    kinds = [graph["kinds"][node["kind"]] for node in box["nodes"]]
    assert [r[0].split()[0] for r in rows] == [k["op"] for k in kinds], rows
    assert [r[2] for r in rows] == [", ".join(node["inputs"]) for node in box["nodes"]], rows
    assert [r[-1] for r in rows] == [k["where"] for k in kinds], rows
    browser.find(".lanes").send_keys(Keys.ARROW_RIGHT)
    assert f"step {steps[0] + 1}" in browser.find(".detail h3").text


def check_keyboard(browser, report):
    """Everything is reached by Tab; the arrow keys move in a figure."""
    browser.driver.refresh()
    reached = set()
    for _ in range(400):
        browser.press(Keys.TAB)
        where = browser.run(
            "const e = document.activeElement;"
            "if (e === document.body) return null;"
            "e.dataset.reached = 1; return e.getAttribute('aria-label') || e.textContent || e.tagName")
        if where is None:
            break
        reached.add(where)
    missed = browser.run(
        "return [...document.querySelectorAll('a[href], button, select, input, [tabindex=\"0\"]')]"
        ".filter(e => !e.dataset.reached && !(e.type === 'radio' && !e.checked) && e.offsetParent !== null)"
        ".map(e => e.outerHTML.slice(0, 120))")
    assert not missed, missed
    assert any("Graph of the modules" in r for r in reached), reached

    plot = browser.find("#flow figure .plot")
    plot.send_keys(Keys.END)
    last = max(s["steps"][-1] for s in report["flow"])
    assert plot.get_attribute("aria-valuenow") == str(last)
    plot.send_keys(Keys.ARROW_LEFT)
    assert plot.get_attribute("aria-valuenow") == str(max(0, last - 1))
    plot.send_keys(Keys.HOME)
    assert all(p.get_attribute("aria-valuenow") == "0" for p in browser.find_all("#flow .plot"))


def check_parameters(browser, report):
    head = next(h for h in browser.find_all("#parameters th") if h.text.startswith("norm"))
    head.find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
    assert head.get_attribute("aria-sort") == "descending"
    rows = browser.find_all("#parameters tbody tr")
    by_norm = sorted(report["parameters"], key=lambda p: -p["norm"])
    assert len(rows) == len(by_norm)
    cells = rows[0].find_elements(By.TAG_NAME, "td")
    assert cells[0].text == by_norm[0]["path"]
    check_same(cells[2].text, by_norm[0]["norm"], "the largest norm")
    check_same(cells[3].text, by_norm[0]["gradient_norm"], "its gradient's norm")


def check_cost(browser, report):
    readout = browser.find("#cost .readout").text
    check_same(readout, sum(r["ns"] for r in report["profile"]["rows"]), "time")


def write_texts(path, count, length, seed):
    """Texts of two kinds of letters, labelled by which of them comes first."""
    generator = random.Random(seed)
    with open(path, "w", encoding="utf-8") as file:
        for _ in range(count):
            text = "".join(generator.choice("ab") for _ in range(length))
            file.write(f"{text[0]}\t{text}\n")


def unroll(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def train(program, folder, name, length, *arguments):
    data, model = folder / f"{name}.tsv", folder / f"{name}.safetensors"
    write_texts(data, 40, length, seed=1)
    unroll(program, "classify", "train", "--data", data, "--level", "char", "--bidirectional", "--layers", 2,
           "--threads", 1, "--out", model, *arguments)
    return data, model


def inspect(program, data, model, page, *arguments):
    return json.loads(unroll(program, "inspect", model, "--data", data, "--report", page, "--json", *arguments))


def check_page(program, folder):
    # A name that would be markup if it could.
    history = folder / "history.html"
    data, model = train(program, folder, "<b>&amp;'\"", 24, "--cell", "lstm", "--hidden", 8, "--embed", 4,
                        "--epochs", 3, "--batch", 8, "--inspect", history, "--inspect-every", 4)
    page = folder / "report.html"
    report = inspect(program, data, model, page)
    with Browser(1280) as browser:
        browser.open(page)
        browser.check_console()
        assert browser.find("h1").text == report["title"] and "<b>" in report["title"]
        assert not browser.find_all("b b") and browser.run("return document.scripts.length") == 2
        check_facts(browser, report)
        check_graph(browser, report)
        check_flow(browser, report)
        check_hover(browser, report)
        check_parameters(browser, report)
        check_cost(browser, report)
        check_keyboard(browser, report)
        browser.open(history)
        assert len(browser.find_all("#history figure")) == 3
        browser.check_console()
    for width in (1280, 390):
        for dark in (False, True):
            with Browser(width, dark) as browser:
                browser.open(page)
                browser.check_width()
                browser.check_console()
                browser.screenshot(folder / f"{width}-{'dark' if dark else 'light'}.png")


def check_origin(program, folder):
    """A run that becomes infinite leaves a page that says where."""
    data, page = folder / "infinite.tsv", folder / "infinite.html"
    write_texts(data, 40, 12, seed=1)
    done = subprocess.run([program, "classify", "train", "--data", data, "--level", "char", "--threads", "1",
                           "--batch", "4", "--epochs", "2", "--embed", "16", "--hidden", "6", "--optimizer",
                           "sgd", "--lr", "1000", "--weight-decay", "1000", "--clip", "0",
                           "--out", folder / "infinite.safetensors", "--inspect", page],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    with Browser(1280) as browser:
        browser.open(page)
        browser.check_console()
        browser.check_width()
        op = browser.find("#origin h2").text.split()[0]
        assert f"{op} made" in done.stderr, (op, done.stderr)
        assert "source line" in browser.find("#origin").text
        assert browser.find("#flow figure") and browser.find("#cost figure")
        assert browser.find("#flow .key.broken"), "the heat map says what is not finite"
        browser.screenshot(folder / "origin.png")


def check_long(program, folder):
    data, model = train(program, folder, "long", 1000, "--cell", "lstm", "--hidden", 16, "--embed", 8,
                        "--epochs", 1, "--batch", 8)
    page = folder / "long.html"
    report = inspect(program, data, model, page)
    assert report["summary"]["steps"] == 1000
    size = page.stat().st_size
    assert size < LARGEST_FILE, f"{size} bytes; needed less than {LARGEST_FILE}"
    with Browser(1280) as browser:
        seconds = browser.open(page)
        assert seconds < SECONDS_TO_OPEN, f"opens with {seconds} s of work; needed less than {SECONDS_TO_OPEN}"
        check_facts(browser, report)
        browser.check_console()
        browser.screenshot(folder / "long.png")
    print(f"1,000 steps, 2 layers, both directions: {size / 1e6:.2f} MB, drawn with {seconds:.2f} s of work")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--keep", type=pathlib.Path, help="folder for pages and screenshots")
    arguments = parser.parse_args()
    for needed in ("chromium", "chromedriver"):
        if not shutil.which(needed):
            print(f"skipped: there is no {needed}; Debian's packages are chromium and chromium-driver")
            sys.exit(77)
    try:
        with Browser(1280):
            pass
    except WebDriverException as error:
        print(f"skipped: Chromium does not start here: {error.msg}")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        check_page(arguments.program, folder)
        check_origin(arguments.program, folder)
        check_long(arguments.program, folder)


if __name__ == "__main__":
    main()
