"""Plain regressors of scikit-learn on given descriptors, tuned by clustered cross-validation."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

FOLDS = 3
RIDGE_ALPHAS = tuple(10.0**k for k in range(-5, 4))
NEIGHBOURS = (1, 2, 3, 5, 8, 12)
DEPTHS = (2, 4)
TREES, RATE = 250, 0.06
RESTARTS = 2
NAMES = ("ridge", "k-nearest", "gradient boosting", "Gaussian process")


def predict(
    name: str,
    known: np.ndarray,
    target: np.ndarray,
    noise: np.ndarray,
    clusters: np.ndarray,
    asked: np.ndarray,
    seed: int,
) -> np.ndarray:
    """Fit a regressor and predict.

    Its settings are those of least squared error over folds of whole clusters of the training
    set; the Gaussian process chooses its own by the marginal likelihood.

    Args:
        name: one of `NAMES`.
        known: (n, d) descriptors of the training set.
        target: (n,) corrections, kJ/mol.
        noise: (n,) factors on the noise variance; labels far up the wall count little.
        clusters: (n,) geometry clusters.
        asked: (k, d) descriptors to predict for.
        seed: of whatever the regressor draws.

    Returns:
        (k,) corrections, kJ/mol.
    """
    from sklearn.preprocessing import StandardScaler

    varied = known.std(axis=0) > 0.0
    if name == "Gaussian process":
        return _gaussian_process(known[:, varied], target, noise, asked[:, varied], seed)
    scaler = StandardScaler().fit(known[:, varied])
    known, asked = scaler.transform(known[:, varied]), scaler.transform(asked[:, varied])
    best = min(_choices(name, seed), key=lambda m: _error(m, known, target, noise, clusters))
    return _fitted(best, known, target, noise).predict(asked)


def _choices(name: str, seed: int) -> list[Any]:
    from sklearn.ensemble import GradientBoostingRegressor
    from sklearn.linear_model import Ridge
    from sklearn.neighbors import KNeighborsRegressor

    if name == "ridge":
        return [Ridge(alpha=alpha) for alpha in RIDGE_ALPHAS]
    if name == "k-nearest":
        return [KNeighborsRegressor(n_neighbors=k, weights="distance") for k in NEIGHBOURS]
    if name == "gradient boosting":
        common = {"n_estimators": TREES, "learning_rate": RATE, "max_features": 0.3}
        return [
            GradientBoostingRegressor(max_depth=d, subsample=0.8, random_state=seed, **common)
            for d in DEPTHS
        ]
    raise ValueError(f"no regressor {name!r}; there are {', '.join(NAMES)}")


def _fitted(model: Any, known: np.ndarray, target: np.ndarray, noise: np.ndarray) -> Any:
    from sklearn.base import clone
    from sklearn.neighbors import KNeighborsRegressor

    fresh = clone(model)
    if isinstance(fresh, KNeighborsRegressor):
        return fresh.fit(known, target)
    return fresh.fit(known, target, sample_weight=1.0 / noise)


def _error(
    model: Any, known: np.ndarray, target: np.ndarray, noise: np.ndarray, clusters: np.ndarray
) -> float:
    from sklearn.model_selection import GroupKFold

    total = 0.0
    for kept, held in GroupKFold(min(FOLDS, len(np.unique(clusters)))).split(
        known, groups=clusters
    ):
        if hasattr(model, "n_neighbors") and model.n_neighbors > len(kept):
            return float("inf")
        found = _fitted(model, known[kept], target[kept], noise[kept]).predict(known[held])
        total += float((((found - target[held]) ** 2) / noise[held]).sum())
    return total


def _gaussian_process(
    known: np.ndarray, target: np.ndarray, noise: np.ndarray, asked: np.ndarray, seed: int
) -> np.ndarray:
    """Return the better of a squared-exponential and a Matern-5/2 process by the evidence."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Matern, WhiteKernel

    size = float(known.std(axis=0).mean()) * np.sqrt(known.shape[1])
    found = []
    for shape in (RBF(size, (0.03 * size, 100 * size)), Matern(size, (0.03 * size, 100 * size))):
        if isinstance(shape, Matern):
            shape.nu = 2.5
        kernel = ConstantKernel(1.0, (1e-3, 1e4)) * shape + WhiteKernel(1e-2, (1e-6, 1e1))
        process = GaussianProcessRegressor(
            kernel,
            alpha=1e-6 + 1e-2 * (noise - 1.0),
            normalize_y=True,
            n_restarts_optimizer=RESTARTS,
            random_state=seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            found.append(process.fit(known, target))
    best = max(found, key=lambda p: float(p.log_marginal_likelihood_value_))
    return np.asarray(best.predict(asked))
