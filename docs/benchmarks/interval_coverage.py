"""Coverage of BayesianRegressor's intervals: on sparse truth, and on data drawn from the prior.

Writes interval_coverage.csv and interval_coverage.md beside itself, in less than four minutes of one core.
"""

import argparse
import csv
import time
import warnings
from pathlib import Path

import interval_coverage_page
import numpy as np
from scipy import stats
from sklearn.exceptions import ConvergenceWarning

from skreg import BayesianRegressor, ElasticNet, ElasticNetCV, Lasso, LassoCV, Ridge, RidgeCV
from skreg.bayes import SDScaled
from skreg.bayes.noise import noise_model
from skreg.bayes.priors import LaplacePrior, prior_of
from skreg.linear_model import energy_of
from skreg.penalties import ElasticNetPenalty

HERE = Path(__file__).parent
COVERAGE = 0.9
# Draws enough for the ends of intervals on average; every data set has its own seed.
SAMPLER = {"draws": 250, "tune": 200, "chains": 2}
INTERCEPT = 1.0

# p/n, rows, columns, data sets.
SPARSE = [(0.1, 200, 20, 100), (0.5, 100, 50, 80), (1.0, 80, 80, 60), (5.0, 50, 250, 50)]
# Σ w² over σ², and two more of it at p = n.
SIGNAL_TO_NOISE, OTHER_SIGNALS, AT = 3.0, (0.5, 20.0), (1.0, 80, 80, 150)
CV = {
    "Ridge": (RidgeCV(cv=5), Ridge),
    "Lasso": (LassoCV(cv=5), Lasso),
    "ElasticNet": (ElasticNetCV(cv=5), ElasticNet),
}

PRIOR_SETS, PRIOR_ROWS, PRIOR_COLUMNS, NOISE_PRIOR = 500, 40, 5, (4.0, 4.0)
RATE = 3.0
FIXED = {
    "Ridge": (Ridge(alpha=4.0), ElasticNetPenalty(0.0, 4.0)),
    "Lasso": (Lasso(alpha=0.1), ElasticNetPenalty.from_alpha(0.1, 1.0, PRIOR_ROWS)),
    "ElasticNet": (ElasticNet(alpha=0.15), ElasticNetPenalty.from_alpha(0.15, 0.5, PRIOR_ROWS)),
}


def share_inside(ends, values):
    """Share of the values that are inside of their intervals."""
    return float(np.mean((ends[:, 0] <= values) & (values <= ends[:, 1])))


def measure(model, X, y, new, target, w, sigma):
    """Fit, and see what the intervals cover."""
    model.fit(X, y)
    ends, of_coef = model.predict_interval(new, COVERAGE), model.coef_interval(COVERAGE)
    matters = w != 0
    return {
        "prediction": share_inside(ends, target),
        "coefficient": share_inside(of_coef, w),
        "nonzero": share_inside(of_coef[matters], w[matters]),
        "sigma": model.sigma_ / sigma,
        "width": float(np.mean(ends[:, 1] - ends[:, 0])) / (2 * stats.norm.ppf(0.95) * sigma),
    }


def summary(results, **cell):
    """Means over data sets with the standard errors of the coverages."""
    row = {**cell, "data_sets": len(results)}
    for name in results[0]:
        values = np.array([result[name] for result in results])
        row[name] = f"{values.mean():.4f}"
        row[f"{name}_error"] = f"{values.std(ddof=1) / np.sqrt(len(values)):.4f}"
    return row


def sparse_truth(study, signal, ratio, n, p, data_sets, kind):
    """5 % of the coefficients are not zero, σ = 1, alpha is chosen by cross-validation."""
    found = {name: [] for name in ("variance-scaled", "plug-in", "default", "σ known")}
    plain = 0
    for seed in range(data_sets):
        rng = np.random.default_rng([seed, p, 1])
        X, new = rng.normal(size=(n, p)), rng.normal(size=(200, p))
        w = np.zeros(p)
        w[rng.choice(p, max(1, round(0.05 * p)), replace=False)] = 1.0
        w *= rng.normal(size=p)
        w *= np.sqrt(signal / (w @ w))
        y = X @ w + INTERCEPT + rng.normal(size=n)
        target = new @ w + INTERCEPT + rng.normal(size=200)
        search, estimator = CV[kind]
        inner = estimator(alpha=search.fit(X, y).alpha_)
        default = noise_model(None, None, energy_of(inner, X, y)).contract
        plain += default == "plug-in"
        for name, noise in (("variance-scaled",) * 2, ("plug-in",) * 2, ("σ known", 1.0)):
            if name == "plug-in" and default != "plug-in":
                continue  # there is no estimate to plug in
            model = BayesianRegressor(inner, noise=noise, random_state=seed, **SAMPLER)
            result = measure(model, X, y, new, target, w, 1.0)
            found[name].append(result)
            if name == default:
                found["default"].append(result)
    for contract, results in found.items():
        if results:
            yield summary(
                results,
                study=study,
                signal=signal,
                ratio=ratio,
                n=n,
                p=p,
                estimator=kind,
                contract=contract,
                plug_in=plain,
            )


def from_the_prior(kind, contract):
    """Coefficients and σ are drawn from the prior."""
    results = []
    inner, penalty = FIXED[kind]
    n, p = PRIOR_ROWS, PRIOR_COLUMNS
    for seed in range(PRIOR_SETS):
        rng = np.random.default_rng([seed, p, 2])
        sigma = 1.5
        if contract != "σ known":
            sigma = float(np.sqrt(NOISE_PRIOR[1] / rng.gamma(NOISE_PRIOR[0])))
        prior = LaplacePrior(sigma / RATE) if contract == "sd-scaled" else prior_of(penalty, sigma**2)
        w = prior.rvs(p, random_state=rng)
        X, new = rng.normal(size=(n, p)), rng.normal(size=(50, p))
        y = X @ w + INTERCEPT + sigma * rng.normal(size=n)
        target = new @ w + INTERCEPT + sigma * rng.normal(size=50)
        noise = {"σ known": sigma, "sd-scaled": SDScaled(RATE)}.get(contract, contract)
        noise_prior = None if contract == "σ known" else NOISE_PRIOR
        model = BayesianRegressor(inner, noise=noise, noise_prior=noise_prior, random_state=seed, **SAMPLER)
        results.append(measure(model, X, y, new, target, w, sigma))
    return summary(
        results,
        study="prior",
        signal="",
        ratio=p / n,
        n=n,
        p=p,
        estimator=kind,
        contract=contract,
        plug_in="",
    )


def main():
    """Measure what was asked, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", action="store_true", help="only write the page again, from the CSV")
    options = parser.parse_args()
    source = HERE / "interval_coverage.csv"
    if not options.page:
        warnings.simplefilter("ignore", ConvergenceWarning)  # short runs, whose errors average out
        start, rows = time.process_time(), []
        for kind in FIXED:
            contracts = ["σ known", "variance-scaled", "plug-in", *(["sd-scaled"] if kind == "Lasso" else [])]
            rows += [from_the_prior(kind, contract) for contract in contracts]
            print(f"{kind}, from the prior: {time.process_time() - start:.0f} s", flush=True)
        cells = [("sparse", SIGNAL_TO_NOISE, *cell) for cell in SPARSE]
        cells += [("signal", signal, *AT) for signal in OTHER_SIGNALS]
        for study, signal, *cell in cells:
            for kind in CV:
                rows += sparse_truth(study, signal, *cell, kind)
                print(f"{study} {signal:g}, {cell}, {kind}: {time.process_time() - start:.0f} s", flush=True)
        with source.open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    interval_coverage_page.write(source, HERE / "interval_coverage.md")


if __name__ == "__main__":
    main()
