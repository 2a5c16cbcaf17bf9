"""The bagged-dropout MLP: time and quality beside scikit-learn's MLPClassifier, its bagging, and PyTorch.

    python docs/benchmarks/mlp.py speed [--torch-python PYTHON] [--repeats 3] [--only '(64,) float32' ...]
    python docs/benchmarks/mlp.py quality [--repeats 1] [--only wine digits ...]
    python docs/benchmarks/mlp.py curves [--repeats 1]
    python docs/benchmarks/mlp.py page

Each of the first three writes its rows into docs/benchmarks/mlp.csv, replacing its earlier ones; the last
writes docs/benchmarks/mlp.md from them. `--torch-python` is an interpreter with PyTorch and scikit-learn.
"""

import argparse
import csv
import json
import subprocess
import time
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
from mlp_page import write_page
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_digits, load_wine, make_classification
from sklearn.ensemble import BaggingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from skreg import BaggedDropoutMLPClassifier

HERE = Path(__file__).parent
FIELDS = ["table", "data", "method", "repeat", "fold", "metric", "value"]
ARCHITECTURES = [(64,), (128, 64), (256, 256), (512,)]
EPOCHS, BATCH, MEMBERS = 20, 64, 10

# Other draws of the generator, and other folds, than the defaults were chosen on; every repeat draws anew,
# for what one draw says of a setting is mostly about that draw.
DRAW = 200


def generated(n_samples=600, **settings):
    return lambda repeat: make_classification(n_samples=n_samples, random_state=DRAW + repeat, **settings)


DATA = {
    "digits": lambda repeat: load_digits(return_X_y=True),
    "breast_cancer": lambda repeat: load_breast_cancer(return_X_y=True),
    "wine": lambda repeat: load_wine(return_X_y=True),
    "flip_y": generated(n_features=20, n_informative=8, flip_y=0.2),
    "few informative": generated(n_features=50, n_informative=4, n_redundant=0),
    "ten classes": generated(1000, n_features=20, n_informative=12, n_classes=10, n_clusters_per_class=1),
    "p = 200": generated(n_features=200, n_informative=20, n_redundant=20),
}


def scaled(model):
    return make_pipeline(StandardScaler(), model)


def bagged(seed):
    return BaggingClassifier(MLPClassifier(), n_estimators=MEMBERS, random_state=seed)


METHODS = {
    "skreg": lambda seed: BaggedDropoutMLPClassifier(random_state=seed),
    "skreg, not calibrated": lambda seed: BaggedDropoutMLPClassifier(calibrate=None, random_state=seed),
    "MLPClassifier": lambda seed: MLPClassifier(random_state=seed),
    "MLPClassifier, scaled": lambda seed: scaled(MLPClassifier(random_state=seed)),
    "Bagging": bagged,
    "Bagging, scaled": lambda seed: scaled(bagged(seed)),
    "LogisticRegression, scaled": lambda seed: scaled(LogisticRegression()),
    "SVC, scaled": lambda seed: scaled(CalibratedClassifierCV(SVC(), ensemble=False)),
}


# ------------------------------------------------------------------ speed


def best(function, repeats):
    """Return the least processor time of several calls, which other people's processes disturb least."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def best_wall(function, repeats):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def floor(sizes, n, dtype):
    """Return a function that does the matrix products of all rows through all members, and nothing else."""
    rng = np.random.default_rng(0)
    units = [64, *sizes, 10]
    weights = [rng.standard_normal((MEMBERS, b, a)).astype(dtype) for a, b in pairwise(units)]
    layers = [rng.standard_normal((MEMBERS, u, BATCH)).astype(dtype) for u in units]
    deltas = [np.empty_like(layer) for layer in layers]
    gradients = [np.empty_like(w) for w in weights]
    flat, first = weights[0].reshape(-1, 64), gradients[0].reshape(-1, 64)
    X = np.ascontiguousarray(layers[0][0].T)

    def run():
        for _ in range(EPOCHS * -(-n // BATCH)):
            np.matmul(flat, X.T, out=deltas[1].reshape(-1, BATCH))
            for i in range(1, len(weights)):
                np.matmul(weights[i], layers[i], out=deltas[i + 1])
            for i in range(len(weights) - 1, 0, -1):
                np.matmul(layers[i + 1], layers[i].transpose(0, 2, 1), out=gradients[i])
                np.matmul(weights[i].transpose(0, 2, 1), layers[i + 1], out=deltas[i])
            np.matmul(layers[1].reshape(-1, BATCH), X, out=first)

    return run


def speed(arguments):
    digits, y = load_digits(return_X_y=True)
    for sizes in ARCHITECTURES:
        for dtype in (np.float32, np.float64):
            name = f"{sizes} {np.dtype(dtype)}"
            if arguments.only and name not in arguments.only:
                continue
            X = np.ascontiguousarray(digits, dtype=dtype)
            equal = {"batch_size": BATCH, "max_iter": EPOCHS}
            endless = {"tol": 0.0, "n_iter_no_change": EPOCHS + 1}

            def ours(n_jobs=None, X=X, equal=equal, sizes=sizes):
                BaggedDropoutMLPClassifier(sizes, n_jobs=n_jobs, random_state=0, **equal).fit(X, y)

            def in_turn(X=X, sizes=sizes, settings={**equal, **endless}):  # noqa: B006
                for seed in range(MEMBERS):
                    MLPClassifier(sizes, random_state=seed, **settings).fit(X, y)

            row = ["speed", name]
            n = arguments.repeats
            bag = BaggingClassifier(
                MLPClassifier(sizes, **equal, **endless), n_estimators=MEMBERS, random_state=0
            )
            yield [*row, "skreg", 0, 0, "seconds", best(ours, n)]
            yield [*row, "ten MLPClassifiers", 0, 0, "seconds", best(in_turn, n)]
            yield [*row, "matrix products", 0, 0, "seconds", best(floor(sizes, len(X), dtype), n)]
            yield [*row, "skreg", 0, 0, "wall seconds", best_wall(ours, n)]
            yield [*row, "skreg, two threads", 0, 0, "wall seconds", best_wall(lambda: ours(2), n)]
            try:
                yield [*row, "Bagging", 0, 0, "seconds", best(lambda: bag.fit(X, y), 1)]  # noqa: B023
            except ZeroDivisionError:
                yield [*row, "Bagging", 0, 0, "seconds", "ZeroDivisionError"]
            if arguments.torch_python and dtype is np.float32:
                command = [arguments.torch_python, HERE / "mlp_torch.py", json.dumps(sizes), str(n)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                yield [*row, "PyTorch", 0, 0, "seconds", float(done.stdout)]


# ------------------------------------------------------------------ quality


def calibration_error(y, probability, classes, n_bins=15):
    """Return Σ share · |accuracy − confidence| over bins of equal mass of the most probable class."""
    confidence, right = probability.max(axis=1), classes[probability.argmax(axis=1)] == y
    order = np.argsort(confidence, kind="stable")
    return sum(
        len(rows) / len(y) * abs(right[rows].mean() - confidence[rows].mean())
        for rows in np.array_split(order, n_bins)
    )


def judged(make, seed, train, test):
    """Fit, and return the measures of one fold, the test probabilities and the classes."""
    start = time.process_time()
    model = make(seed).fit(*train)
    seconds = time.process_time() - start
    X, y = test
    p = model.predict_proba(X).astype(np.float64)
    p /= p.sum(axis=1, keepdims=True)
    one_hot = y[:, None] == model.classes_
    measures = {
        "log loss": log_loss(y, p, labels=model.classes_),
        "accuracy": np.mean(model.classes_[p.argmax(axis=1)] == y),
        "Brier": np.mean(np.sum((p - one_hot) ** 2, axis=1)),
        "seconds": seconds,
    }
    return measures, p, model.classes_


def quality(arguments):
    for name in arguments.only or DATA:
        for repeat in range(arguments.repeats):
            X, y = DATA[name](repeat)
            folds = list(StratifiedKFold(5, shuffle=True, random_state=100 + repeat).split(X, y))
            for method, make in METHODS.items():
                row = ["quality", name, method, repeat]
                pooled = np.empty((len(y), len(np.unique(y))))
                for fold, (train, test) in enumerate(folds):
                    split = (X[train], y[train]), (X[test], y[test])
                    measures, pooled[test], classes = judged(make, 10 * repeat + fold, *split)
                    for metric, value in measures.items():
                        yield [*row, fold, metric, value]
                # Of the rows of all folds: in one of them a bin has a handful, and the error is their noise.
                yield [*row, "all", "ECE", calibration_error(y, pooled, classes)]


def curves(arguments):
    X, y = load_digits(return_X_y=True)
    for repeat in range(arguments.repeats):
        X_train, X_test, y_train, y_test = train_test_split(
            X, y, train_size=1500, stratify=y, random_state=100 + repeat
        )
        for n in (100, 200, 400, 800, 1500):
            for method, make in METHODS.items():
                measures, *_ = judged(make, repeat, (X_train[:n], y_train[:n]), (X_test, y_test))
                for metric, value in measures.items():
                    yield ["curves", n, method, repeat, 0, metric, value]


# ------------------------------------------------------------------ files


def write(table, rows, keep):
    """Replace the rows of a table, of what is measured anew, and write each as it comes."""
    path = HERE / "mlp.csv"
    kept = []
    if path.exists():
        with path.open(newline="") as file:
            kept = [row for row in csv.DictReader(file) if row["table"] != table or keep(row["data"])]
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(FIELDS)
        writer.writerows([row[field] for field in FIELDS] for row in kept)
        for *row, value in rows:
            writer.writerow([*row, f"{value:.6g}" if isinstance(value, float) else value])
            file.flush()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["speed", "quality", "curves", "page"])
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--torch-python")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    threadpool_limits(1)  # one thread for everybody
    if arguments.what != "page":
        measure = {"speed": speed, "quality": quality, "curves": curves}[arguments.what]
        only = set(arguments.only)
        write(arguments.what, measure(arguments), lambda data: bool(only) and data not in only)
    write_page(HERE)


if __name__ == "__main__":
    main()
