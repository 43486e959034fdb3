"""docs/TUNING.md holds the tables of the rows that scripts/dev tuning kept."""

import sys
import unittest

import peers

sys.path.insert(0, str(peers.ROOT / "benchmarks"))

import page  # noqa: E402
import rows  # noqa: E402
import tuning_page  # noqa: E402


class TuningPage(unittest.TestCase):
    def test_holds_the_tables_of_the_kept_rows(self):
        kept = rows.lines(peers.ROOT / "docs" / "tuning.jsonl")
        self.assertGreaterEqual(len(kept), 195)
        written = tuning_page.PAGE.read_text().split(tuning_page.BEGIN)[1].split(page.END)[0]
        self.assertEqual(written.splitlines(), tuning_page.tables(kept))


if __name__ == "__main__":
    unittest.main()
