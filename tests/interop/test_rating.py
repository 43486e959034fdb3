"""People at the rating page, played in a real browser: by keyboard, with reloads, two at once, and with a server that is
killed."""

import csv
import io
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import unittest

import browser
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

PROGRAM = pathlib.Path(os.environ["PRESCRIPT_BUILD"]) / "bin" / "prescript"
NUM_QUESTIONS = 2
CLINICIAN_AXES = 12


def rate(*arguments):
    return subprocess.run([PROGRAM, "rate", *map(str, arguments)], check=True, capture_output=True, text=True)


class Server:
    """`prescript rate serve`; it can be killed and started again at the same port."""

    def __init__(self, study, port=0):
        self.process = subprocess.Popen([PROGRAM, "rate", "serve", study, "--port", str(port)], stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().strip()
        self.root = self.address.split("/?")[0]
        self.port = int(self.root.rsplit(":", 1)[1])

    def end(self, signal_number=signal.SIGTERM):
        self.process.send_signal(signal_number)
        self.process.wait(60)
        self.process.stdout.close()
        return self.process.returncode


class Rating(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.study = self.folder / "study"

    def make_study(self, axes):
        for source in ("one", "two"):
            lines = [json.dumps({"id": f"q{i}", "question": f"Question {i}?", "answer": f"Answer of {source} to {i}: <b>plain</b>."})
                     for i in range(NUM_QUESTIONS)]
            (self.folder / f"{source}.jsonl").write_text("\n".join(lines))
        sources = [word for name in ("one", "two") for word in ("--source", f"{name}={self.folder / name}.jsonl")]
        rate("init", self.study, "--axes", axes, *sources)

    def serve(self, port=0):
        server = Server(self.study, port)
        self.addCleanup(lambda: server.process.poll() is None and server.end(signal.SIGKILL))
        return server

    def start_browser(self, **size):
        driver = browser.start(**size)
        self.addCleanup(driver.quit)
        return driver

    def ratings(self):
        path = self.folder / "ratings.csv"
        path.unlink(missing_ok=True)
        rate("export", self.study, "--output", path)
        return list(csv.DictReader(io.StringIO(path.read_text())))

    def sign_in(self, driver, server, code):
        driver.get(server.address)
        self.enter(driver, code)
        browser.wait(driver, lambda d: d.current_url.endswith(f"/rater/{code.upper()}"))
        self.press(driver, Keys.ENTER)  # the button has the focus
        browser.wait(driver, lambda d: d.find_elements(By.CSS_SELECTOR, "form[data-draft]"))

    def enter(self, driver, code):
        # What is typed before the page has its focus is lost.
        browser.wait(driver, lambda d: d.switch_to.active_element.get_attribute("name") == "code")
        self.press(driver, code, Keys.ENTER)

    def press(self, driver, *keys):
        actions = ActionChains(driver)
        for key in keys:
            actions.send_keys(key)
        actions.perform()

    def number(self, driver):
        """The place of the task that is shown; 0 on other pages."""
        last = driver.current_url.rsplit("/", 1)[1]
        return int(last) if last.isdigit() else 0

    def submit(self, driver):
        before = driver.current_url
        self.press(driver, Keys.ENTER)
        browser.wait(driver, lambda d: d.current_url != before and d.execute_script("return document.readyState") == "complete")

    def checked(self, driver):
        return driver.execute_script("return [...document.querySelectorAll('input:checked')].map(e => e.name + '=' + e.value)")

    def test_a_rater_completes_a_study_by_keyboard_alone_with_a_reload_and_a_correction(self):
        self.make_study("clinician")
        server = self.serve()
        driver = self.start_browser()
        self.sign_in(driver, server, "r1")
        # Nothing is submitted while questions are open; the page says how many.
        self.press(driver, *"12", Keys.ENTER)
        problem = browser.wait(driver, lambda d: d.find_element(By.CSS_SELECTOR, ".problem").text)
        self.assertIn(f"{CLINICIAN_AXES - 2} questions", problem)
        # What was chosen is still there after a reload.
        chosen = self.checked(driver)
        self.assertEqual(chosen, ["consensus=aligned", "harm_extent=moderate"])
        driver.refresh()
        browser.wait(driver, lambda d: self.checked(d) == chosen)
        self.press(driver, *"3" * 1, *"1" * (CLINICIAN_AXES - 3))
        self.assertEqual(len(self.checked(driver)), CLINICIAN_AXES)
        self.submit(driver)
        self.assertEqual(self.number(driver), 2)
        # Back by a key, corrected, and on.
        self.press(driver, "b")
        browser.wait(driver, lambda d: self.number(d) == 1 and len(self.checked(d)) == CLINICIAN_AXES)
        self.press(driver, "2")
        self.submit(driver)
        self.assertEqual(self.number(driver), 2)
        for _ in range(2 * NUM_QUESTIONS - 1):
            self.press(driver, *"1" * CLINICIAN_AXES)
            self.submit(driver)
        self.assertIn("Thank you", driver.page_source)
        rows = self.ratings()
        self.assertEqual(len(rows), 2 * NUM_QUESTIONS)
        self.assertEqual(sorted(row["consensus"] for row in rows), ["aligned"] * (2 * NUM_QUESTIONS - 1) + ["opposed"])
        self.assertEqual({row["harm_likelihood"] for row in rows}, {"low", "high"})
        self.assert_calm(driver, server)
        self.assertEqual(server.end(), 0)

    def assert_calm(self, driver, server):
        """Nothing was loaded from elsewhere, nothing was forbidden or failed, no source was shown."""
        for entry in driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = message["params"]["request"]["url"]
                self.assertTrue(url.startswith((server.root, "data:", "chrome:", "about:")), url)
        self.assertEqual([entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE" and "422" not in entry["message"]], [])

    def test_two_raters_at_once_have_orders_and_ratings_of_their_own(self):
        self.make_study("lay")
        server = self.serve()
        drivers = {"A": self.start_browser(), "B": self.start_browser(width=768, height=1024)}
        for code, driver in drivers.items():
            self.sign_in(driver, server, code)
        for _ in range(2 * NUM_QUESTIONS):
            for code, driver in drivers.items():
                self.press(driver, *("11" if code == "A" else "23"))
                self.submit(driver)
        rows = self.ratings()
        self.assertEqual(len(rows), 4 * NUM_QUESTIONS)
        self.assertEqual({(row["rater"], row["intent"], row["helpfulness"]) for row in rows},
                         {("A", "addresses", "helpful"), ("B", "does_not", "not")})

    def test_what_was_submitted_survives_a_killed_server_and_what_was_not_stays_on_the_page(self):
        self.make_study("ranking")
        server = self.serve()
        driver = self.start_browser()
        self.sign_in(driver, server, "R1")
        self.press(driver, "12")
        self.submit(driver)
        server.end(signal.SIGKILL)
        self.assertEqual(len(self.ratings()), 1)
        self.press(driver, "21", Keys.ENTER)
        browser.wait(driver, lambda d: "does not answer" in d.find_element(By.CSS_SELECTOR, ".problem").text)
        self.assertEqual(len(self.checked(driver)), 2)
        again = self.serve(server.port)
        self.submit(driver)
        self.assertIn("Thank you", driver.page_source)
        rows = self.ratings()
        self.assertEqual(sorted((row["A"], row["B"]) for row in rows), [("1", "2"), ("2", "1")])
        self.assertEqual(again.end(signal.SIGINT), 0)

    def test_an_exemplar_is_written_rejected_revised_and_accepted(self):
        (self.folder / "e.jsonl").write_text(json.dumps({"id": "e1", "question": "What helps?"}))
        rate("author", self.study, "--exemplars", self.folder / "e.jsonl")
        server = self.serve()
        author, reviewer = self.start_browser(), self.start_browser()

        def open_exemplar(driver, code):
            driver.get(server.address)
            self.enter(driver, code)
            browser.wait(driver, lambda d: d.find_elements(By.CSS_SELECTOR, "td a"))
            driver.find_element(By.CSS_SELECTOR, "td a").click()
            browser.wait(driver, lambda d: d.find_elements(By.CSS_SELECTOR, "form[data-draft]"))

        def save(driver):
            ActionChains(driver).key_down(Keys.CONTROL).send_keys(Keys.ENTER).key_up(Keys.CONTROL).perform()
            browser.wait(driver, lambda d: d.current_url.endswith("/rater/" + d.current_url.split("/")[4]))

        def write(text):
            open_exemplar(author, "A1")
            area = author.find_element(By.CSS_SELECTOR, "textarea[name=answer]")
            area.clear()
            area.send_keys(text)
            save(author)

        write("Rest.\nAnd water.")
        open_exemplar(reviewer, "B2")
        self.press(reviewer, "2")
        reviewer.find_element(By.CSS_SELECTOR, "textarea[name=reason]").send_keys("Say when to see a doctor.")
        save(reviewer)
        open_exemplar(author, "A1")
        self.assertIn("Say when to see a doctor.", author.page_source)
        write("Rest, water, and a doctor after three days.")
        open_exemplar(reviewer, "B2")
        self.press(reviewer, "1", Keys.ENTER)
        browser.wait(reviewer, lambda d: "1 of 1 accepted" in d.page_source)
        rate("export", self.study, "--output", self.folder / "out.jsonl")
        line = json.loads((self.folder / "out.jsonl").read_text())
        self.assertEqual(line["answer"], "Rest, water, and a doctor after three days.")
        self.assertEqual({key: line["review"][key] for key in ("status", "version", "author", "reviewer")},
                         {"status": "accepted", "version": 2, "author": "A1", "reviewer": "B2"})


if __name__ == "__main__":
    unittest.main()
