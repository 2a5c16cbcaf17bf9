"""The path's picture holds what the estimators and `regularization_path` compute."""

import numpy as np
import pandas as pd
import pytest
import scenes
import sklearn.linear_model
from scipy import sparse
from sklearn.datasets import load_diabetes
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import (
    ElasticNet,
    ElasticNetCV,
    Lasso,
    LassoCV,
    RegularizationPathDisplay,
    Ridge,
    RidgeCV,
    regularization_path,
)
from skreg.bayes.noise import degrees_of_freedom
from skreg.linear_model.energy import energy_of

X, y = load_diabetes(return_X_y=True, as_frame=True)


def at(display, alpha):
    """The column of an alpha."""
    return int(np.argmin(np.abs(np.log(display.alphas) - np.log(alpha))))


@pytest.mark.parametrize(
    "estimator",
    [
        Lasso(alpha=0.3),
        ElasticNet(alpha=0.01, l1_ratio=0.3),
        Ridge(alpha=0.2),
        sklearn.linear_model.Ridge(0.7),
    ],
    ids=lambda e: type(e).__name__,
)
def test_the_estimator_s_own_coefficients_are_on_its_path(estimator):
    display = RegularizationPathDisplay.from_estimator(estimator, X, y)
    fitted = estimator.fit(X, y)
    column = at(display, display.alpha)
    assert display.alphas[column] == pytest.approx(estimator.alpha, rel=1e-12)
    assert np.allclose(
        display.coefs[:, column], fitted.coef_, rtol=1e-7, atol=1e-7 * np.abs(fitted.coef_).max()
    )
    assert display.degrees_of_freedom[column] == pytest.approx(
        degrees_of_freedom(energy_of(fitted, X, y)) - 1.0, rel=1e-6
    )
    assert np.all(np.diff(display.alphas) < 0)
    assert display.feature_names == tuple(X.columns)
    assert display.errors is None and len(display.axes_) == 1
    (mark,) = display.marks_["alpha"]
    assert mark.get_xdata()[0] == pytest.approx(estimator.alpha)


@pytest.mark.parametrize(
    "estimator",
    [LassoCV(alphas=30), ElasticNetCV(alphas=20, l1_ratio=[0.2, 0.9, 1.0])],
    ids=["LassoCV", "ElasticNetCV"],
)
def test_of_a_cv_form_it_is_the_very_numbers_it_keeps(estimator):
    estimator.fit(X, y)
    display = RegularizationPathDisplay.from_estimator(estimator, X, y)
    n = np.asarray(estimator.alphas_).shape[-1]
    row = estimator.l1_ratio.index(estimator.l1_ratio_) if hasattr(estimator, "l1_ratio") else 0
    alphas = np.reshape(estimator.alphas_, (-1, n))[row]
    mse = np.reshape(estimator.mse_path_, (-1, n, estimator.mse_path_.shape[-1]))[row]
    spread = np.reshape(estimator.standard_error_path_, (-1, n))[row]
    assert np.allclose(display.alphas, alphas, rtol=1e-12)
    assert np.allclose(display.coefs, estimator.coef_path_, atol=1e-6)
    assert np.allclose(display.errors, mse.mean(axis=1), rtol=1e-12)
    assert np.allclose(display.standard_errors, spread, rtol=1e-12)
    assert (display.alpha_min, display.alpha_1se) == (estimator.alpha_min_, estimator.alpha_1se_)
    assert {name: lines[0].get_xdata()[0] for name, lines in display.marks_.items()} == {
        "min": estimator.alpha_min_,
        "1se": estimator.alpha_1se_,
    }
    assert np.array_equal(display.error_line_.get_ydata(), display.errors)


def test_of_scikit_learn_s_cv_forms_it_is_theirs():
    model = sklearn.linear_model.LassoCV(alphas=20).fit(X, y)
    display = RegularizationPathDisplay.from_estimator(model, X, y)
    assert display.alpha_min == pytest.approx(model.alpha_)
    assert np.allclose(display.errors, model.mse_path_.mean(axis=1))
    alphas = np.geomspace(1e-3, 10.0, 7)
    ridge = sklearn.linear_model.RidgeCV(alphas=alphas, store_cv_results=True).fit(X, y)
    display = RegularizationPathDisplay.from_estimator(ridge, X, y)
    known = np.isfinite(display.errors)
    assert np.allclose(display.alphas[known], alphas[::-1])
    assert np.allclose(display.errors[known], ridge.cv_results_.mean(axis=0)[::-1])
    assert display.alpha_min == ridge.alpha_
    silent = RegularizationPathDisplay.from_estimator(
        sklearn.linear_model.RidgeCV(alphas=alphas).fit(X, y), X, y
    )
    assert silent.errors is None and silent.alpha == ridge.alpha_


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({}, "mean squared error"),
        ({"cv": 4}, "−r2"),
        ({"cv": 4, "scoring": "neg_mean_absolute_error"}, "mean absolute error"),
        ({"scoring": "neg_mean_absolute_error"}, "mean absolute error"),
    ],
)
def test_ridge_cv_s_scores_are_drawn_at_the_alphas_where_it_has_them(params, name):
    alphas = [0.0, 1e-2, 1e-1, 1.0]
    model = RidgeCV(alphas=alphas, **params).fit(X, y)
    display = RegularizationPathDisplay.from_estimator(model, X, y)
    known = np.isfinite(display.errors)
    assert np.allclose(display.alphas[known], [1.0, 1e-1, 1e-2])  # 0 has no place on a log scale
    assert np.allclose(display.errors[known], -model.mean_score_[:0:-1])
    assert display.error_name == name
    assert display.alpha_1se is None or display.alpha_1se == model.alpha_1se_
    assert known.sum() < display.alphas.size >= 100  # the coefficients have a path all the same


def test_the_three_abscissas_are_of_the_same_path():
    display = scenes.regularization_path()
    assert np.array_equal(display.lines_[0].get_xdata(), display.alphas)
    norm = np.abs(display.coefs).sum(axis=0)
    assert np.array_equal(display.plot(x="l1_norm").lines_[3].get_xdata(), norm)
    assert np.array_equal(
        display.plot(x="degrees_of_freedom").lines_[3].get_xdata(), display.degrees_of_freedom
    )
    assert np.array_equal(display.degrees_of_freedom, np.count_nonzero(display.coefs, axis=0))
    at_min = np.interp(-np.log(display.alpha_min), -np.log(display.alphas), display.degrees_of_freedom)
    assert display.marks_["min"][0].get_xdata()[0] == pytest.approx(at_min)
    with pytest.raises(
        ValueError, match="x must be one of 'alpha', 'l1_norm', 'degrees_of_freedom', got 'lambda'"
    ):
        display.plot(x="lambda")


def test_every_line_is_its_feature_s():
    display = scenes.regularization_path(many=True)
    assert len(display.lines_) == 300
    for line, coef in zip(display.lines_, display.coefs, strict=True):
        assert np.array_equal(line.get_ydata(), coef)
    largest = np.argsort(-np.abs(display.coefs).max(axis=1))[:10]
    assert {label.get_text() for label in display.labels_} == {display.feature_names[j] for j in largest}


def test_of_a_result_a_lasso_s_degrees_of_freedom_are_known_and_an_elastic_net_s_are_not():
    path = regularization_path(X, y, alphas=10)
    display = RegularizationPathDisplay.from_result(path, x="degrees_of_freedom")
    assert np.array_equal(display.degrees_of_freedom, path.n_nonzero)
    with pytest.raises(ValueError, match="draw it with from_estimator"):
        RegularizationPathDisplay.from_result(
            regularization_path(X, y, alphas=10, l1_ratio=0.5), x="degrees_of_freedom"
        )


def test_a_frame_has_what_is_drawn():
    display = scenes.regularization_path()
    frame = display.frame()
    again = RegularizationPathDisplay(
        alphas=frame.index,
        coefs=frame["coef"].T,
        feature_names=frame["coef"].columns,
        degrees_of_freedom=frame["path", "degrees_of_freedom"],
        errors=frame["path", "error"],
        standard_errors=frame["path", "standard_error"],
        alpha_min=display.alpha_min,
        alpha_1se=display.alpha_1se,
    )
    pd.testing.assert_frame_equal(again.frame(), frame, rtol=1e-14)
    assert np.array_equal(frame["coef"].to_numpy(), display.coefs.T)
    drawn = again.plot()
    assert np.array_equal(drawn.lines_[4].get_ydata(), display.lines_[4].get_ydata())


def test_weights_sparse_rows_and_a_pipeline_are_as_the_estimator_sees_them():
    weights = np.linspace(0.0, 2.0, len(y))
    model = make_pipeline(StandardScaler(), LassoCV(alphas=12))
    model.fit(X, y, lassocv__sample_weight=weights)
    display = RegularizationPathDisplay.from_estimator(model, X, y, sample_weight=weights)
    assert np.allclose(display.coefs, model[-1].coef_path_, atol=1e-6)
    of_sparse = RegularizationPathDisplay.from_estimator(Lasso(alpha=0.1), sparse.csr_array(X.to_numpy()), y)
    of_dense = RegularizationPathDisplay.from_estimator(Lasso(alpha=0.1), X.to_numpy(), y)
    assert np.allclose(of_sparse.coefs, of_dense.coefs, atol=1e-5)
    assert of_dense.feature_names[0] == "x0"


def test_what_has_no_path_says_so():
    with pytest.raises(ValueError, match=r"Ridge\(alpha=0\) has no penalty to follow"):
        RegularizationPathDisplay.from_estimator(Ridge(alpha=0.0), X, y)
    with pytest.raises(TypeError, match="estimator must be one of"):
        RegularizationPathDisplay.from_estimator(sklearn.linear_model.LinearRegression(), X, y)
    with pytest.raises(ValueError, match="kind must be some of 'coef', got 'error'"):
        RegularizationPathDisplay.from_estimator(Lasso(), X, y, kind="error")


def test_a_path_of_one_alpha_and_one_of_zeros_are_drawn():
    RegularizationPathDisplay(alphas=[1.0], coefs=[[2.0], [0.0]]).plot()
    RegularizationPathDisplay(alphas=[2.0, 1.0], coefs=np.zeros((3, 2))).plot(x="l1_norm")
