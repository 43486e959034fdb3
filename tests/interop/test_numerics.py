"""DESIGN section 8 on the real model: the engine against transformers."""

import unittest

import numerics


class Float32(unittest.TestCase):
    def test_errors_are_within_their_bounds(self):
        for name, (loss, gradient, bounds) in numerics.float32_errors().items():
            if bounds is None:
                continue
            with self.subTest(name):
                self.assertLessEqual(loss, bounds[0])
                self.assertLessEqual(gradient, bounds[1])


class BFloat16(unittest.TestCase):
    def expect_at_most_twice_libtorchs(self, part):
        errors = numerics.bfloat16_errors()
        self.assertEqual(len(errors), 6)
        ours = [mine[part] for mine, _ in errors]
        theirs = [peer[part] for _, peer in errors]
        self.assertLessEqual(sum(ours), 2 * sum(theirs), (ours, theirs))

    def test_loss_error_is_at_most_twice_that_of_plain_libtorch(self):
        self.expect_at_most_twice_libtorchs(0)

    def test_gradient_error_is_at_most_twice_that_of_plain_libtorch(self):
        self.expect_at_most_twice_libtorchs(1)


if __name__ == "__main__":
    unittest.main()
