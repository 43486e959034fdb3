"""A real browser, without a window: the distribution's Chromium, driven by its own driver."""

import pathlib

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM = pathlib.Path("/usr/bin/chromium")
DRIVER = pathlib.Path("/usr/bin/chromedriver")
WAIT_SECONDS = 120  # a browser on a busy machine


def start(width=1024, height=768):
    """A browser with a profile of its own. Its sandbox does not work for root; it sees our own pages only."""
    for path, package in ((CHROMIUM, "chromium"), (DRIVER, "chromium-driver")):
        if not path.exists():
            raise FileNotFoundError(f"{path} is absent\n  remedy: scripts/setup --interop, or apt-get install {package}")
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", f"--window-size={width},{height}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    driver.set_page_load_timeout(WAIT_SECONDS)
    return driver


def wait(driver, condition):
    return WebDriverWait(driver, WAIT_SECONDS, poll_frequency=0.1).until(condition)
