"""Golden numbers of src/statistics, made by numpy, scipy, scikit-learn and krippendorff: tests/golden/statistics."""

import json
import pathlib

import krippendorff
import numpy
import scipy.stats
import sklearn.metrics


def make_mcnemar():
    """The exact p of scipy's binomial test, and mid-p from scipy's distribution as the paper writes it."""
    cases = []
    for first, second in [(0, 1), (1, 0), (5, 5), (2, 9), (10, 25), (0, 40), (121, 59), (700, 640), (5000, 5300)]:
        n, fewer = first + second, min(first, second)
        binomial = scipy.stats.binom(n, 0.5)
        mid = 1 - binomial.pmf(fewer) / 2 if first == second else 2 * binomial.cdf(fewer) - binomial.pmf(fewer)
        cases.append({"only_first": first, "only_second": second, "exact_p": scipy.stats.binomtest(fewer, n).pvalue,
                      "mid_p": mid})
    return cases


def answers_of(generator, n, votes):
    """Confidences that mean something, and as vote shares when `votes` is given (then many are equal)."""
    confidence = generator.beta(2, 2, n)
    if votes:
        confidence = numpy.round(confidence * votes) / votes
    return confidence, generator.random(n) < 0.2 + 0.7 * confidence


def expected_calibration_error(confidence, correct, num_bins):
    """With numpy's digitize, right edges belonging to their bin."""
    edges = numpy.linspace(0, 1, num_bins + 1)
    bins = numpy.digitize(confidence, edges[1:-1], right=True)
    return sum(abs(correct[bins == b].mean() - confidence[bins == b].mean()) * (bins == b).mean()
               for b in range(num_bins) if (bins == b).any())


def make_answers():
    """The accuracy of all answers from a threshold on is scikit-learn's precision at that threshold."""
    generator = numpy.random.default_rng(7)
    cases = []
    for n, votes in [(1, None), (40, None), (40, 11), (300, 41), (500, None)]:
        confidence, correct = answers_of(generator, n, votes)
        precision, _, thresholds = sklearn.metrics.precision_recall_curve(correct, confidence)
        if not correct.any():
            raise SystemExit("scikit-learn's curve needs a right answer")
        cases.append({
            "confidence": confidence.tolist(), "correct": correct.tolist(),
            "brier": sklearn.metrics.brier_score_loss(correct, confidence, labels=[False, True]),
            "expected_error": {bins: expected_calibration_error(confidence, correct, bins) for bins in (1, 5, 10, 15)},
            "thresholds": thresholds.tolist(), "accuracy": precision[:-1].tolist(),
            # AURC as its definition has it; equal confidences have no order, so only without them.
            "aurc": None if votes else float(numpy.mean(
                numpy.cumsum(~correct[numpy.argsort(-confidence)]) / numpy.arange(1, n + 1)))})
    return cases


def make_roc():
    generator = numpy.random.default_rng(8)
    cases = []
    for p, n, decimals in [(1, 1, 3), (30, 50, 6), (30, 50, 1), (200, 300, 2), (5, 400, 1)]:
        positives = numpy.round(generator.normal(0.7, 1, p), decimals)
        negatives = numpy.round(generator.normal(0, 1, n), decimals)
        truth = numpy.repeat([1, 0], [p, n])
        scores = numpy.concatenate([positives, negatives])
        false_positive, true_positive, _ = sklearn.metrics.roc_curve(truth, scores, drop_intermediate=False)
        cases.append({
            "positives": positives.tolist(), "negatives": negatives.tolist(),
            "area": sklearn.metrics.roc_auc_score(truth, scores),
            "true_positive_rates": {str(rate): true_positive[false_positive <= rate].max() for rate in (0, 0.01, 0.1, 1)}})
    return cases


def make_krippendorff():
    """Four raters on twelve units as Krippendorff 2011 prints them (null: not rated), and random ratings."""
    published = [[1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None], [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
                 [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None], [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None]]
    generator = numpy.random.default_rng(9)
    tables = [published]
    for raters, units, options in [(2, 10, 2), (5, 40, 3), (3, 25, 6)]:
        truth = generator.integers(1, options + 1, units)
        noisy = generator.integers(1, options + 1, (raters, units))
        ratings = numpy.where(generator.random((raters, units)) < 0.6, truth, noisy)
        absent = generator.random((raters, units)) < 0.2
        tables.append([[None if a else int(r) for r, a in zip(*row)] for row in zip(ratings, absent)])
    cases = []
    for table in tables:
        data = numpy.array([[numpy.nan if r is None else r for r in row] for row in table])
        domain = list(range(1, int(numpy.nanmax(data)) + 1))
        cases.append({"ratings": table, "options": len(domain)} | {
            scale: krippendorff.alpha(reliability_data=data, level_of_measurement=scale, value_domain=domain)
            for scale in ("nominal", "ordinal")})
    return cases


def make_bootstrap():
    """A resampled count of k ones among n is binomial(n, k / n), so its percentiles are known without drawing."""
    proportions = []
    for k, n in [(7, 20), (61, 100), (1, 50), (290, 1273)]:
        low, high = scipy.stats.binom(n, k / n).ppf([0.025, 0.975]) / n
        proportions.append({"ones": k, "size": n, "low": low, "high": high})
    quantiles = [{"values": values, "share": share, "quantile": float(numpy.quantile(values, share))}
                 for values in ([3.0], [1.0, 2.0], [0.0, 1.0, 1.0, 5.0, 8.0]) for share in (0, 0.025, 0.5, 0.975, 1)]
    values = numpy.random.default_rng(10).exponential(2, 60)
    interval = scipy.stats.bootstrap((values,), numpy.mean, n_resamples=100_000, method="percentile",
                                     rng=numpy.random.default_rng(11)).confidence_interval
    return {"proportions": proportions, "quantiles": quantiles,
            "mean": {"values": values.tolist(), "low": interval.low, "high": interval.high}}


def make(directory: pathlib.Path):
    golden = {"mcnemar": make_mcnemar(), "answers": make_answers(), "roc": make_roc(),
              "krippendorff": make_krippendorff(), "bootstrap": make_bootstrap()}
    for name, value in golden.items():
        (directory / f"{name}.json").write_text(json.dumps(value) + "\n")
