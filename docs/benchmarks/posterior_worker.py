"""Draw one posterior by one engine in this process, and write what it took and what came of it.

posterior_worker.py ENGINE CASE KIND NOISE DRAWS TUNE SEED FILE
"""

import json
import sys
import time
import warnings

import arviz as az
import numpy as np
import posterior_cases


def skreg_gibbs(estimator, X, y, noise, draws, tune, seed):
    """The very first posterior of the process, and then a second one."""
    from skreg import posterior

    def run():
        start = time.perf_counter()
        container = posterior(
            estimator, X, y, noise=noise, draws=draws, tune=tune, random_state=seed, n_jobs=-1
        )
        return container, time.perf_counter() - start

    _container, first = run()
    container, total = run()
    return container, {"first": first, "total": total, "sampling": sampling_of(estimator, X, y, noise, draws)}


def sampling_of(estimator, X, y, noise, draws):
    """The engine alone, from the translated estimator to the draws."""
    from skreg import energy_of
    from skreg.bayes.noise import noise_model
    from skreg.bayes.sampling import sample

    energy = energy_of(estimator, X, y)
    contract = noise_model(noise, None, energy)
    start = time.perf_counter()
    sample(energy, contract, draws=draws, random_state=0, n_jobs=-1)
    return time.perf_counter() - start


def pymc_nuts(estimator, X, y, noise, draws, tune, seed):
    """PyMC's own sampler on the matching model."""
    import pymc as pm

    from skreg import to_pymc

    start = time.perf_counter()
    with to_pymc(estimator, X, y, noise=noise):
        container = pm.sample(draws, tune=tune, chains=4, random_seed=seed, progressbar=False)
    total = time.perf_counter() - start
    return container, {"first": total, "total": total, "sampling": container.posterior.attrs["sampling_time"]}


def nutpie(estimator, X, y, noise, draws, tune, seed):
    """nutpie on the same model, compiled by numba."""
    import nutpie as sampler

    from skreg import to_pymc

    start = time.perf_counter()
    compiled = sampler.compile_pymc_model(to_pymc(estimator, X, y, noise=noise))
    sampling = time.perf_counter()
    container = sampler.sample(compiled, draws=draws, tune=tune, chains=4, seed=seed, progress_bar=False)
    end = time.perf_counter()
    return container, {"first": end - start, "total": end - start, "sampling": end - sampling}


ENGINES = {"skreg": skreg_gibbs, "PyMC NUTS": pymc_nuts, "nutpie": nutpie}


def main(engine, case, kind, noise, draws, tune, seed, file):
    """Time, then judge with ArviZ."""
    X, y = posterior_cases.make(case)
    estimator = posterior_cases.estimator_for(kind, X, y)
    estimator.fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        container, seconds = ENGINES[engine](
            estimator, X, y, noise, int(draws), None if tune == "default" else int(tune), int(seed)
        )
    names = ["coef", "intercept", "sigma"]
    posterior = container.posterior
    flat = np.concatenate(
        [np.asarray(posterior[name].values).reshape(*posterior[name].shape[:2], -1) for name in names], axis=2
    )
    columns = [np.ascontiguousarray(flat[:, :, j]) for j in range(flat.shape[2])]
    bulk = np.array([az.ess(column, method="bulk") for column in columns])
    tail = np.array([az.ess(column, method="tail") for column in columns])
    rhat = max(float(az.rhat(column)) for column in columns)
    result = {
        **seconds,
        "min_bulk": float(bulk.min()),
        "median_bulk": float(np.median(bulk)),
        "min_tail": float(tail.min()),
        "rhat": rhat,
        "draws": flat.shape[1],
    }
    means, sds = flat.mean(axis=(0, 1)), flat.std(axis=(0, 1))
    np.savez(file, means=means, sds=sds, bulk=bulk, tail=tail)
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
