import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from skreg import ElasticNet, Lasso, Ridge, SDScaled, compare, posterior
from skreg.bayes.container import group_of, uses_datatree

az = pytest.importorskip("arviz")
pd = pytest.importorskip("pandas")

# Twelve rows have outliers whatever the model is.
pytestmark = pytest.mark.filterwarnings("ignore:Estimated shape parameter of Pareto")

ELPD = "elpd" if uses_datatree() else "elpd_loo"


@pytest.fixture(scope="module")
def compared(diabetes):
    X, y, _ = diabetes
    models = {"ridge": Ridge(alpha=10.0), "lasso": Lasso(alpha=2.0), "null": Lasso(alpha=40.0)}
    return compare(models, X, y, random_state=0)


def test_the_table_is_arvizs_own(compared):
    if uses_datatree():
        own = az.compare(compared.posteriors, method="stacking", round_to="none")
    else:
        own = az.compare(compared.posteriors, ic="loo", method="stacking", scale="log")
    pd.testing.assert_frame_equal(compared.loo, own, rtol=1e-6)
    assert compared.loo.index[-1] == "null"
    assert compared.loo["weight"].sum() == pytest.approx(1.0)


def test_the_expected_log_density_is_that_of_leaving_rows_out():
    # Exact for a ridge of known σ: yᵢ is Gaussian given the others.
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    y = X @ [1.0, -1.0, 0.5] + 1.5 * rng.normal(size=60) + 2.0
    found = compare({"ridge": Ridge(alpha=20.0)}, X, y, noise=1.5, draws=4000, random_state=0)
    total = 0.0
    for i in range(len(y)):
        rest = np.arange(len(y)) != i
        A = np.column_stack([np.ones(len(y) - 1), X[rest]])
        covariance = np.linalg.inv(A.T @ A + np.diag([0.0, 20.0, 20.0, 20.0])) * 1.5**2
        mean = covariance @ A.T @ y[rest] / 1.5**2
        x = np.append(1.0, X[i])
        variance = 1.5**2 + x @ covariance @ x
        total += -0.5 * np.log(2 * np.pi * variance) - 0.5 * (y[i] - x @ mean) ** 2 / variance
    assert found.loo[ELPD].iloc[0] == pytest.approx(total, abs=0.15)


def test_mean_median_and_mode_stand_side_by_side(compared, diabetes):
    X, y, _ = diabetes
    assert list(compared.coef.index) == list(X.columns)
    assert list(compared.coef.columns.get_level_values(0).unique()) == ["ridge", "lasso", "null"]
    coef = group_of(compared.posteriors["lasso"], "posterior")["coef"]
    np.testing.assert_allclose(compared.coef["lasso", "mean"], coef.mean(("chain", "draw")))
    np.testing.assert_allclose(compared.coef["lasso", "median"], coef.median(("chain", "draw")))
    np.testing.assert_array_equal(compared.coef["lasso", "mode"], Lasso(alpha=2.0).fit(X, y).coef_)


def test_a_mode_has_exact_zeros_and_a_mean_and_a_median_have_none(compared):
    zero = compared.coef["lasso", "mode"] == 0
    assert zero.sum() >= 2
    assert np.all(compared.coef["lasso", "mean"] != 0)
    assert np.all(compared.coef["lasso", "median"] != 0)
    text = repr(compared)
    for words in ("PSIS-LOO", "mode", "never exactly 0", "null", "s5"):
        assert words in text


@pytest.mark.parametrize(
    "scaler", [StandardScaler(), RobustScaler(), MaxAbsScaler(), MinMaxScaler()], ids=str
)
def test_coefficients_come_back_in_the_units_of_the_data(small, scaler):
    X, y, _ = small
    X = X * [1.0, 100.0, 1e-3]
    pipeline = make_pipeline(scaler, "passthrough", Ridge(alpha=0.5)).fit(X, y)
    found = compare({"ridge": pipeline, "plain": Ridge(alpha=0.1)}, X, y, random_state=0, original_units=True)
    slope = pipeline.predict(np.eye(3)) - pipeline.predict(np.zeros((3, 3)))  # ∂ŷ/∂xⱼ
    np.testing.assert_allclose(found.coef["ridge", "mode"], slope, rtol=1e-9)
    np.testing.assert_allclose(found.coef["plain", "mode"], Ridge(alpha=0.1).fit(X, y).coef_, rtol=1e-12)
    scaled = compare({"ridge": pipeline}, X, y, random_state=0)
    ratio = slope / pipeline[-1].coef_
    np.testing.assert_allclose(found.coef["ridge", "mean"], scaled.coef["ridge", "mean"] * ratio, rtol=1e-9)


def test_a_scaler_that_only_centres_changes_no_units(small):
    X, y, _ = small
    pipeline = make_pipeline(StandardScaler(with_std=False), Ridge(alpha=0.5))
    found = compare({"ridge": pipeline}, X, y, random_state=0, original_units=True)
    np.testing.assert_allclose(found.coef["ridge", "mode"], Ridge(alpha=0.5).fit(X, y).coef_, rtol=1e-9)


def test_what_cannot_be_taken_back_to_the_units_of_the_data_is_named(small):
    X, y, _ = small
    pipeline = make_pipeline(StandardScaler(), PCA(2), Ridge())
    with pytest.raises(ValueError, match=r"through step 'pca', PCA\(n_components=2\): only StandardScaler"):
        compare({"pca": pipeline}, X, y, random_state=0, original_units=True)
    ready = posterior(Ridge(), X, y, extend="log_likelihood", random_state=0)
    with pytest.raises(ValueError, match=r"original_units=True needs the pipeline of 'ready'"):
        compare({"ready": ready}, X, y, original_units=True)


def test_posteriors_that_are_ready_can_be_compared(small):
    X, y, weights = small
    options = {"sample_weight": weights, "random_state": 0}
    ready = posterior(Lasso(alpha=0.1), X, y, extend="log_likelihood", **options)
    both = compare({"ready": ready, "net": ElasticNet(alpha=0.1)}, X, y, **options)
    assert both.posteriors["ready"] is ready
    made = compare({"ready": Lasso(alpha=0.1), "net": ElasticNet(alpha=0.1)}, X, y, **options)
    pd.testing.assert_frame_equal(both.loo, made.loo)
    pd.testing.assert_frame_equal(both.coef, made.coef)
    # The mode under an sd-scaled contract is not the estimator's solution.
    other = posterior(Lasso(alpha=0.1), X, y, noise=SDScaled(1.0), extend="log_likelihood", **options)
    assert np.isnan(compare({"other": other, "ready": ready}, X, y).coef["other", "mode"]).all()


def test_models_of_other_rows_are_refused(small):
    X, y, _ = small
    options = {"extend": "log_likelihood", "random_state": 0}
    first = posterior(Ridge(), X, y, **options)
    for other in (posterior(Ridge(), X, y + 1.0, **options), posterior(Ridge(), X[:9], y[:9], **options)):
        with pytest.raises(ValueError, match=r"same rows: y of 'b'.*not that of 'a'"):
            compare({"a": first, "b": other}, X, y)
    weighted = posterior(Ridge(), X, y, sample_weight=np.full(12, 2.0), **options)
    with pytest.raises(ValueError, match=r"same rows: sample_weight of 'b'"):
        compare({"a": first, "b": weighted}, X, y)


def test_what_cannot_be_compared_is_refused(small):
    X, y, _ = small
    with pytest.raises(TypeError, match=r"models must be a dictionary.*Ridge"):
        compare([Ridge()], X, y)
    with pytest.raises(TypeError, match=r"models must be a dictionary"):
        compare({}, X, y)
    with pytest.raises(TypeError, match=r"estimator must be one of"):
        compare({"a": PCA()}, X, y)
    with pytest.raises(ValueError, match=r"'a' has no group log_likelihood.*extend="):
        compare({"a": posterior(Ridge(), X, y, random_state=0)}, X, y)
    with pytest.raises(TypeError, match=r"original_units"):
        compare({"a": Ridge()}, X, y, original_units="yes")
