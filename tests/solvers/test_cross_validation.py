"""The mathematics of folds: training moments by subtraction, test errors by moments, and their guards."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skreg.solvers import cross_validation as cv
from skreg.solvers import least_squares, solve_path
from skreg.solvers.cross_validation import Grid, Rows, fold_errors, suits_moments, take_moments
from skreg.solvers.held_out import Split
from skreg.solvers.quadratic import Quadratic


def rows(n=60, p=6, seed=0, fit_intercept=True, noise=0.5):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + rng.uniform(-1.0, 1.0, p)
    y = X @ rng.uniform(-1.0, 1.0, p) + noise * rng.standard_normal(n) + 1.0
    return Rows(X, y, rng.uniform(0.5, 2.0, n), fit_intercept)


def k_folds(n, k=3, seed=None):
    order = np.arange(n) if seed is None else np.random.default_rng(seed).permutation(n)
    return [Split(np.setdiff1d(order, test), np.sort(test)) for test in np.array_split(order, k)]


def one_by_one(tasks):
    return [function(*arguments) for function, *arguments in tasks]


def grids(scale=1.0):
    alphas = scale * np.logspace(0.0, -3.0, 12)
    return [Grid(alphas, 1.0), Grid(alphas, 0.3)]


def by_rows(data, fold, grid_list):
    """Mean squared errors of explicit solutions on explicit predictions."""
    X, y, s, fit_intercept = data
    errors = []
    for grid in grid_list:
        problem = least_squares(
            X[fold.train], y[fold.train, None], s[fold.train], fit_intercept=fit_intercept
        )
        coef = solve_path(problem, grid.penalties(s[fold.train].sum()), tol=1e-12).coef
        fit = X[fold.test] @ coef.T + problem.intercept(coef)
        errors.append(np.average((y[fold.test, None] - fit) ** 2, axis=0, weights=s[fold.test]))
    return np.array(errors)


def by_moments(data, folds, grid_list, **limits):
    moments = take_moments(data, folds, one_by_one)
    limits = {"tol": 1e-10, "max_iter": 1000, **limits}
    return moments, [fold_errors(data, fold, grid_list, moments, i, **limits) for i, fold in enumerate(folds)]


SPLITS = {
    "rows that follow each other": k_folds(60),
    "shuffled": k_folds(60, seed=1),
    "tests that overlap": [k_folds(60, seed=1)[0], k_folds(60, seed=2)[0]],
    "training sets that leave rows out": [Split(np.arange(10, 40), np.arange(40, 60))],
    "rows trained on twice": [Split(np.repeat(np.arange(30), 2), np.arange(30, 60))],
    "rows tested on twice": [Split(np.arange(30), np.repeat(np.arange(30, 60), 2))],
    "rows trained and tested on": [Split(np.arange(60), np.arange(60))],
}


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("kind", SPLITS)
def test_errors_by_moments_are_those_by_rows(kind, fit_intercept):
    data, folds = rows(fit_intercept=fit_intercept), SPLITS[kind]
    _, by_fold = by_moments(data, folds, grids())
    for fold, result in zip(folds, by_fold, strict=True):
        expected = by_rows(data, fold, grids())
        assert_allclose(result.errors, expected, rtol=1e-9)
        assert np.ptp(expected) > 1e-2
        assert np.all(result.gaps <= 1e-10) and np.all(result.n_iter >= 1)
        assert_allclose(fold_errors(data, fold, grids(), None, 0, 1e-10, 1000).errors, expected, rtol=1e-9)


@given(
    n=st.integers(8, 40),
    p=st.integers(1, 6),
    k=st.integers(2, 4),
    x_exponent=st.integers(-60, 60),
    y_exponent=st.integers(-60, 60),
    fit_intercept=st.booleans(),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_errors_agree_whatever_the_units(n, p, k, x_exponent, y_exponent, fit_intercept, seed):
    X, y, s, _ = rows(n, p, seed)
    data = Rows(X * 10.0**x_exponent, y * 10.0**y_exponent, s, fit_intercept)
    folds, grid_list = k_folds(n, k, seed), grids(10.0 ** (x_exponent + y_exponent))
    _, by_fold = by_moments(data, folds, grid_list)
    for fold, result in zip(folds, by_fold, strict=True):
        assert_allclose(result.errors, by_rows(data, fold, grid_list), rtol=1e-7)


def test_one_pass_serves_folds_that_partition_the_rows():
    data, folds = rows(), k_folds(60, seed=3)
    moments = take_moments(data, folds, one_by_one)
    direct = data.moments()
    assert_allclose(moments.total.gram, direct.gram, rtol=1e-12)
    assert_allclose(moments.total.x_mean, direct.x_mean, rtol=1e-12)
    assert_allclose(moments.total.xy, direct.xy, rtol=1e-10)
    for fold, test in zip(folds, moments.tests, strict=True):
        left, expected = cv.moments_left(moments.total, test, 0.0), data.take(fold.train).moments()
        assert_allclose(left.gram, expected.gram, rtol=1e-11, atol=1e-11)
        assert_allclose(left.xy, expected.xy, rtol=1e-11, atol=1e-11)
        assert_allclose(left.yy, expected.yy, rtol=1e-11)
        assert left.n_rows == fold.train.size


def count_rows(monkeypatch):
    """Count the rows whose moments are taken."""
    seen = []
    original = Rows.moments

    def counted(self):
        seen.append(self.y.size)
        return original(self)

    monkeypatch.setattr(Rows, "moments", counted)
    return seen


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("shuffled", [20, 20, 20]),
        ("tests that overlap", [20, 20, 60]),
        ("training sets that leave rows out", [60, 30]),
        ("rows trained on twice", [60, 60]),
    ],
)
def test_rows_are_passed_over_no_more_than_the_folds_need(kind, expected, monkeypatch):
    seen = count_rows(monkeypatch)
    by_moments(rows(), SPLITS[kind], grids())
    assert seen == expected


def test_moments_of_too_many_folds_are_not_kept(monkeypatch):
    data, folds = rows(), k_folds(60)
    _, expected = by_moments(data, folds, grids())
    monkeypatch.setattr(cv, "_KEPT", 100)
    seen = count_rows(monkeypatch)
    moments, by_fold = by_moments(data, folds, grids())
    assert moments.tests == (None, None, None)
    assert seen == [60, 20, 20, 20]
    for result, before in zip(by_fold, expected, strict=True):
        assert_allclose(result.errors, before.errors, rtol=1e-11)


@pytest.mark.parametrize("part", ["X", "y"])
def test_a_training_set_that_subtraction_leaves_no_digits_of_is_taken_from_its_rows(part, monkeypatch):
    X, y, s, _ = rows()
    fold = k_folds(60)[0]
    if part == "X":
        X[fold.test, 2] *= 1e7  # the training rows hold 1e-14 of the column's sum of squares
    else:
        y[fold.test] *= 1e7
    data = Rows(X, y, s, True)
    seen = count_rows(monkeypatch)
    _, by_fold = by_moments(data, k_folds(60), grids())
    assert seen == [20, 20, 20, 40]
    assert_allclose(by_fold[0].errors, by_rows(data, fold, grids()), rtol=1e-8)
    moments = take_moments(data, k_folds(60), one_by_one)
    unguarded, direct = cv.moments_left(moments.total, moments.tests[0], 0.0), data.take(fold.train).moments()
    left = {"X": unguarded.gram[2, 2] / direct.gram[2, 2], "y": unguarded.yy / direct.yy}[part]
    assert abs(left - 1.0) > 1e-6


@pytest.mark.parametrize("constant", ["column", "target"])
def test_what_is_constant_in_a_training_set_alone_is_seen_as_constant(constant):
    X, y, s, _ = rows()
    fold = k_folds(60)[1]
    if constant == "column":
        X[fold.train, 0] = 3.3
    else:
        y[fold.train] = 3.3
    data = Rows(X, y, s, True)
    _, by_fold = by_moments(data, k_folds(60), grids())
    assert_allclose(by_fold[1].errors, by_rows(data, fold, grids()), rtol=1e-9)
    if constant == "target":
        error = np.average((y[fold.test] - 3.3) ** 2, weights=s[fold.test])
        assert_allclose(by_fold[1].errors, error, rtol=1e-12)
        assert_array_equal(by_fold[1].gaps, 0.0)


def test_nearly_noiseless_errors_are_taken_from_the_rows(monkeypatch):
    data, fold = rows(noise=1e-7), k_folds(60)[0]
    test = data.take(fold.test)
    problem = least_squares(data.X, data.y[:, None], data.weights, fit_intercept=True)
    penalties = Grid(np.logspace(0, -8, 9), 1.0).penalties(problem.total_weight)
    coef = solve_path(problem, penalties, tol=1e-15).coef
    intercepts = problem.intercept(coef)
    expected = test.weights @ (test.y[:, None] - test.X @ coef.T - intercepts) ** 2
    assert expected[-1] < 1e-12 * expected[0]
    given = cv.squared_errors(test, test.moments(), coef, intercepts)
    assert_allclose(given, expected, rtol=1e-8)
    monkeypatch.setattr(cv, "_CANCELLED", 0.0)
    unguarded = cv.squared_errors(test, test.moments(), coef, intercepts)
    assert abs(unguarded[-1] / expected[-1] - 1.0) > 1e-6


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_errors_by_rows_need_only_the_columns_that_are_ever_active(container):
    data = rows(50, 30)
    coef = np.zeros((4, 30))
    coef[1, 3], coef[2, [3, 17]] = 1.0, [0.5, -2.0]
    intercepts = np.array([0.0, 1.0, -1.0, 2.0])
    expected = data.weights @ (data.y[:, None] - data.X @ coef.T - intercepts) ** 2
    given = cv.squared_errors(data._replace(X=container(data.X)), None, coef, intercepts)
    assert_allclose(given, expected, rtol=1e-12)


def test_a_solution_that_the_gram_matrix_cannot_certify_is_found_on_the_rows(monkeypatch):
    data, folds = rows(), k_folds(60)
    expected = [by_rows(data, fold, grids()) for fold in folds]
    original = cv.solve_path

    def poor(problem, penalties, **limits):
        solution = original(problem, penalties, **limits)
        if isinstance(problem, Quadratic):
            solution.coef[3:5] = 0.0
            solution.dual_gap[3:5] = np.nan
        return solution

    monkeypatch.setattr(cv, "solve_path", poor)
    _, by_fold = by_moments(data, folds, grids())
    for result, errors in zip(by_fold, expected, strict=True):
        assert_allclose(result.errors, errors, rtol=1e-9)
        assert np.all(result.gaps <= 1e-10)


def test_gaps_are_relative_to_the_training_set_s_null_model():
    X, y, s, _ = rows(60, 30)
    data, fold = Rows(X, y * 1e3, s * 7.0, True), k_folds(60)[0]
    grid = Grid(np.array([1.0, 0.1]), 1.0)
    result = fold_errors(data, fold, [grid], None, 0, 1e-12, 1)
    train = data.take(fold.train)
    problem = least_squares(train.X, train.y[:, None], train.weights, fit_intercept=True)
    solution = solve_path(problem, grid.penalties(problem.total_weight), tol=1e-12, max_iter=1)
    assert_allclose(result.gaps[0], solution.dual_gap / problem.null_value[0], rtol=1e-6)
    assert result.gaps[0, 1] > 1e-6


def test_moments_suit_data_that_are_neither_wide_nor_sparse_under_many_penalties():
    data = rows(60, 70)
    assert suits_moments(data, k_folds(60), 100)
    assert not suits_moments(data, k_folds(60, k=2), 100)  # 30 rows to train on
    assert not suits_moments(data, k_folds(60), 2)
    assert not suits_moments(data._replace(X=sparse.csr_array(data.X)), k_folds(60), 100)


def test_rows_that_follow_each_other_are_not_copied():
    data = rows()
    assert np.shares_memory(data.take(np.arange(10, 30)).X, data.X)
    index = np.array([3, 4, 4, 6])
    assert_array_equal(data.take(index).X, data.X[index])
    assert_array_equal(data.take(np.array([2, 1, 0])).y, data.y[[2, 1, 0]])
