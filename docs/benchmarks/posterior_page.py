"""The page of the posterior benchmark, from its CSV."""

import csv

from posterior_cases import CASES

INTRODUCTION = """# Posteriors beside PyMC's NUTS and nutpie

Written by `docs/benchmarks/posterior.py` from `posterior.csv`; its `--help` says how to run a part of it.

- **The model** is that of `to_pymc` at the alpha chosen by 5-fold cross-validation, the same for all, with an
  intercept, under two noise contracts. Four chains on two cores; skreg 300 tuning and 1000 kept draws,
  the others 1000 and 1000 (150 and 150 at 2000×1000 and 200×2000).
- **Time** is end to end: from a fitted estimator to the container, for PyMC and nutpie from the fitted
  estimator to theirs, the compilation of the model included; imports are not. skreg's is the median of three
  processes, the second posterior of each; *first* is the very first one of a process. *Sampling* leaves out
  the translation and the container, and the others' compilation.
- **ESS** is ArviZ's bulk effective sample size (and the tail's beside), the smallest over coefficients,
  intercept and σ. Mirrored sweeps make draws antithetic, so it may be above the number of draws.
- **Ratio**: skreg's smallest bulk-ESS per second, end to end, over the peer's in the same run.
- **z** compares the means and the standard deviations with the peer's: the largest difference over all
  variables in Monte Carlo standard errors (about 3 is expected of 100 variables, 3.5 of 1000). Where the
  peer's R-hat is above 1.01 it has not converged, and neither its ESS nor the comparison says much.
"""

WHY = """## What holds it back

- *Strongly correlated columns* (ρ = .95): single coefficients move little at a time. A draw takes seven
  mirrored sweeps there instead of one, and skreg's lead over nutpie is smallest: about 35 × for the elastic
  net under plug-in, where nutpie's joint moves do best.
- *Many more columns than rows under plug-in* (200×2000): the prior's scale is fixed while σ is free, and
  where the data are nearly interpolated σ and residual shrink together; site updates are small then, and a
  draw takes fifteen mirrored sweeps. Under the variance-scaled contract the same data take a tenth of the
  time.
"""


def write(source, target):
    """Write the page."""
    rows = list(csv.DictReader(source.open()))
    lines = [INTRODUCTION]
    for noise in dict.fromkeys(row["noise"] for row in rows):
        lines += [f"## noise={noise!r}", ""]
        lines += [
            "| case | estimator | engine | seconds (sampling) | R-hat | min ESS/s (sampling) | median ESS/s "
            "| min tail-ESS/s | ratio | z mean · sd |",
            "|---|---|---|---|---|---|---|---|---|---|",
        ]
        for case in CASES:
            for kind in ("lasso", "elastic net"):
                lines += _rows([r for r in rows if (r["case"], r["kind"], r["noise"]) == (case, kind, noise)])
        lines.append("")
    lines.append(WHY)
    target.write_text("\n".join(lines))


def _rows(rows):
    skreg = next((row for row in rows if row["engine"] == "skreg"), None)
    for row in rows:
        start = f"| {row['case']} | {row['kind']} | {row['engine']} |"
        if row["total"] == "failed":
            yield f"{start} over the limit of 20 minutes, or failed | | | | | | |"
            continue
        number = {
            name: float(row[name])
            for name in row
            if name not in ("case", "kind", "noise", "engine") and row[name]
        }
        rate = number["min_bulk"] / number["total"]
        ratio = z = ""
        if row is not skreg:
            ratio = f"{float(skreg['min_bulk']) / float(skreg['total']) / rate:.0f} ×"
            z = f"{number['z_mean']:.1f} · {number['z_sd']:.1f}"
        first = f", first {number['first']:.2f}" if row is skreg else ""
        yield (
            f"{start} {number['total']:.3g} ({number['sampling']:.3g}{first}) | {number['rhat']:.4f} "
            f"| {rate:.3g} ({number['min_bulk'] / number['sampling']:.3g}) "
            f"| {number['median_bulk'] / number['total']:.3g} | {number['min_tail'] / number['total']:.3g} "
            f"| {ratio} | {z} |"
        )
