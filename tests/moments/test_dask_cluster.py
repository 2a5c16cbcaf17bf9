"""Moments on a cluster of processes, one of which does not live to see them."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import dask.array as da
import numpy as np
import pytest
from distributed import Client, LocalCluster

from skreg import LassoCV, Ridge
from skreg.moments import ChunkError


@pytest.fixture(scope="module")
def client():
    settings = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": ":0"}
    with LocalCluster(**settings) as cluster, Client(cluster) as client:
        yield client


def slowly(block):
    import time

    time.sleep(0.05)
    return block


def data(n_chunks):
    X = da.random.default_rng(0).standard_normal((50 * n_chunks, 8), chunks=(50, 8))
    return X, X @ np.arange(8.0)


def test_a_worker_killed_in_the_middle_of_a_fit_changes_nothing(client):
    X, y = data(60)
    here = LassoCV(cv=3).fit(X, y)
    X = X.map_blocks(slowly, dtype=float, meta=np.empty((0, 0)))
    pids = client.run(os.getpid)
    victim = next(iter(pids.values()))
    scheduler = client.cluster.scheduler
    with ThreadPoolExecutor(1) as executor:
        fit = executor.submit(LassoCV(cv=3).fit, X, y)
        while sum(state.state == "memory" for state in list(scheduler.tasks.values())) < 8:
            time.sleep(0.01)
        os.kill(victim, signal.SIGKILL)
        assert not fit.done()
        there = fit.result(timeout=120)
    client.wait_for_workers(2, timeout=60)
    assert victim not in client.run(os.getpid).values()  # another has come in its place
    for name in ("coef_", "intercept_", "alpha_", "mse_path_"):
        np.testing.assert_array_equal(getattr(there, name), getattr(here, name))


def test_persisted_blocks_are_fitted_where_they_are_and_nothing_stays_behind(client):
    X, y = (part.persist() for part in data(20))
    model = Ridge().fit(X, y)
    np.testing.assert_allclose(model.coef_, np.arange(8.0), rtol=1e-2, atol=1e-2)
    deadline = time.monotonic() + 30.0
    while any("moments" in str(key) for key in list(client.cluster.scheduler.tasks)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_chunk_at_fault_is_named_across_processes(client):
    X, y = data(6)
    with pytest.raises(ChunkError, match="Chunk 4: X has nan in column 0, in row 3") as caught:
        Ridge().fit(da.where(np.arange(300)[:, None] == 203, np.nan, X), y)
    assert caught.value.chunk == 4
