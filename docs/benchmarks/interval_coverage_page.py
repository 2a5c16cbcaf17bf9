"""The page of the coverage study, from its CSV."""

import csv

INTRODUCTION = """# Do the intervals cover?

Written by `docs/benchmarks/interval_coverage.py` from `interval_coverage.csv`. All intervals are 90 % ones of
`BayesianRegressor`, equal-tailed; a cell is the mean over data sets, ± its standard error. *prediction*
is the share of new observations inside of `predict_interval`, *coefficients* the share of all true
coefficients inside of `coef_interval`, *non-zero ones* of those that are not zero; *σ* is the posterior
mean of σ over the true σ, less one; *width* is the width of the prediction interval over that of someone
who knows coefficients and σ.
"""

SPARSE = """
## Sparse truth

5 % of the coefficients are not zero (at least one), their squares add up to 3σ², columns are independent
standard normals, alpha is chosen by 5-fold cross-validation (`RidgeCV`, `LassoCV`, `ElasticNetCV`) on the
same data, and nothing else is told to the regressor. The prior is wrong here, as it is in practice. *σ
known* is for reference: it is told σ, and its prior's scale is σ²/λ.
"""

SIGNAL = """
## A weaker and a stronger signal

The same at p = n, with squares of the coefficients that add up to 0.5σ² and to 20σ².
"""

PRIOR = """
## Data drawn from the prior

Here the prior is right: σ² ~ InvGamma(4, 4) (σ = 1.5 where it is known), coefficients are drawn from the
estimator's prior given σ, with the penalty fixed, and `noise_prior=(4, 4)` is told to the regressor.
Under *plug-in* coefficients are drawn with the prior's scale at the true σ²/λ, of which the regressor's
own, σ̂²/λ, is an estimate; under *sd-scaled* they are Laplace with scale σ/3.
"""


def write(source, target):
    """Write the page."""
    rows = list(csv.DictReader(source.open()))
    sparse, signal, prior = (
        [row for row in rows if row["study"] == study] for study in ("sparse", "signal", "prior")
    )
    parts = [INTRODUCTION, _choice(sparse + signal), SPARSE, *_table(sparse), SIGNAL]
    for strength in dict.fromkeys(row["signal"] for row in signal):
        parts += [
            f"Σ w² = {strength}σ²:\n",
            *_table([row for row in signal if row["signal"] == strength]),
            "",
        ]
    parts += [PRIOR, *_table(prior)]
    target.write_text("\n".join(parts) + "\n")


def _choice(rows):
    """Say which contract is the default, with the numbers that made it."""
    span = {
        contract: (min(found), max(found))
        for contract in ("variance-scaled", "plug-in", "default", "σ known")
        if (found := [float(row["prediction"]) for row in rows if row["contract"] == contract])
    }
    lines = [
        "## The default, and why",
        "",
        'Without `noise`, the contract is **"plug-in"** where the fit leaves residual degrees of freedom to',
        'estimate σ from, and "variance-scaled" where it leaves none. What 90 % prediction intervals covered',
        "on sparse truth, over all estimators, p/n and strengths of the signal, at least and at most:",
        "",
        "| contract | least | most |",
        "| --- | ---: | ---: |",
        *(f"| {name} | {100 * low:.1f} % | {100 * high:.1f} % |" for name, (low, high) in span.items()),
    ]
    return "\n".join([*lines, _WHY])


_WHY = """
- *variance-scaled* makes the prior's scale follow σ, so the coefficients have a vote on it. A ridge near
  p = n talks σ down, the more the weaker the signal is, and its intervals cover less than 86 %; a lasso or
  an elastic net, whose prior cannot believe in a few large coefficients, talks σ up where the signal is
  strong, and its intervals are wider than they need be.
- *plug-in* lets the residuals alone say what σ is. It is nearest to 90 % in most cells, has no cell
  outside of 86-96 %, and so it is the default of `BayesianRegressor`, `posterior`, `to_pymc` and
  `map_agreement`. Its price: the modes agree with the estimator's solution at σ = σ̂ instead of at every
  σ, and a ridge's mean is near its solution instead of equal to it.
- Where no residual degrees of freedom are left (a lasso that selects as many columns as there are rows),
  there is no σ̂, and the default is variance-scaled.
- Where σ̂ makes a prior that the estimator's own coefficients contradict (next to no noise, or an alpha too
  large for it), plug-in would draw them near zero and σ near the spread of y: the default is variance-scaled
  there too. In these tables that is a ridge at p/n = 5 now and then, whose σ̂ is next to nothing.

What no contract mends:

- At p/n = 5 the data hardly tell noise from many small coefficients. Under the default σ comes out far
  too small, and prediction intervals cover because the coefficients' uncertainty makes up for it: believe
  those intervals there, not `sigma_`.
- Intervals of the coefficients that are not zero cover far less than 90 %: shrinkage pulls them towards
  zero, and an alpha that predicts best pulls hard. The share over all coefficients is high because most
  are zero.
- A σ that is known does not help an alpha chosen without it: where cross-validation takes the noise for
  signal, σ²/λ makes a prior many times too wide.
"""


def _table(rows):
    names = "n × p", "estimator", "contract", "data sets", "prediction", "coefficients", "non-zero ones"
    yield f"| {' | '.join(names)} | σ | width |"
    yield "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    last = None
    for row in rows:
        cell = row["n"], row["p"], row["estimator"]
        first = ("", "") if cell == last else (f"{row['n']} × {row['p']}", row["estimator"])
        last = cell
        contract = row["contract"]
        if contract == "default":
            contract = f"default ({row['plug_in']} × plug-in)"
        covered = [
            f"{100 * float(row[name]):.1f} ± {100 * float(row[name + '_error']):.1f}"
            for name in ("prediction", "coefficient", "nonzero")
        ]
        sigma = f"{100 * (float(row['sigma']) - 1):+.0f} %"
        width = f"{float(row['width']):.2f}"
        yield f"| {' | '.join([*first, contract, row['data_sets'], *covered, sigma, width])} |"
