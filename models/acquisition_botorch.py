"""The full search: botorch's acquisition functions and optimiser on a ``MotorGP``.

It needs the extra ``optimize``; nothing else of the package does.
"""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .acquisition_region import SearchRegion, Travel
from .motor_gp import MotorGP

Array = NDArray[np.float64]
Criterion = Literal["noisy-ei", "ucb", "integrated-variance"]

RAW = 512  # allowed positions that are scored first
RESTARTS, STEPS = 10, 100  # of botorch's optimiser from the best of these
FEW_RESTARTS, FEW_STEPS = 3, 15  # under constraints
INTEGRATED = 64  # points of the integrated variance, each of which costs a posterior
DRAWS = 128  # of the joint posterior
DEVIATIONS = 2.0  # of the upper confidence bound


def choose_with_botorch(
    gp: MotorGP,
    region: SearchRegion,
    num: int,
    pending: ArrayLike = (),
    *,
    criterion: Criterion = "noisy-ei",
    seed: int = 0,
    travel: Travel | None = None,
    start: Array | None = None,
) -> tuple[Array, Array]:
    """Choose positions one after the other, each as if those before had been read.

    Parameters
    ----------
    gp : MotorGP
        Has a reading or more; its hyperparameters are taken as they are.
    region : SearchRegion
        Constraints and fixed values are the optimiser's; of its optima, those in a keep-out zone
        are left out, and the best allowed raw sample stands in for them.
    num : int
    pending : (Q, D) array-like
        Positions on their way, in motor units.
    criterion : str
        ``noisy-ei`` (qLogNoisyExpectedImprovement), ``ucb`` (qUpperConfidenceBound) or
        ``integrated-variance`` (qNegIntegratedPosteriorVariance).
    seed : int
    travel : Travel, optional
        Weighs the optima by the time to get there from ``start``; not with ``ucb``, whose score is
        no gain.
    start : (D,) ndarray of float64, optional

    Returns
    -------
    positions : (num, D) ndarray of float64
        In motor units.
    scores : (num,) ndarray of float64
        Of the acquisition function, for values of variance 1.

    Raises
    ------
    ImportError
        If botorch is not installed.

    References
    ----------
    S. Ament et al., NeurIPS 36 (2023), for qLogNEI; M. Balandat et al., NeurIPS 33 (2020).
    """
    require_botorch()
    from botorch.utils.sampling import manual_seed

    on_the_way = np.asarray(pending, dtype=np.float64).reshape(-1, len(region.low))
    positions, scores = [], []
    with manual_seed(seed), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of restarts that did not converge: the others did
        for k in range(num):
            position, score = _one(gp, region, on_the_way, criterion, seed + k, travel, start)
            positions.append(position)
            scores.append(score)
            on_the_way = np.concatenate([on_the_way, position[None]])
            start = None if start is None else position
    return np.array(positions).reshape(-1, len(region.low)), np.array(scores)


def require_botorch() -> None:
    """Say in one line what is missing.

    Raises
    ------
    ImportError
        If botorch is not installed.
    """
    try:
        import botorch  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "the full search needs botorch: pip install 'skysteer[optimize]', or take the light "
            'one: {"path": "light"}'
        ) from error


def botorch_model(gp: MotorGP) -> Any:
    """Give the same posterior as a botorch model, on the unit cube and values of variance 1."""
    import torch
    from botorch.models import SingleTaskGP
    from gpytorch.kernels import MaternKernel, ScaleKernel
    from gpytorch.means import ConstantMean

    h, span = gp.hyperparameters, gp.high - gp.low
    scale = _scale(gp)
    places = torch.tensor(gp.unit(gp.positions))
    values = torch.tensor(gp.values / scale)[:, None]
    noises = torch.tensor(np.maximum(gp.noises / scale**2, 1e-8))[:, None]
    mean = ConstantMean().double().initialize(constant=h.mean / scale)
    kernel = ScaleKernel(MaternKernel(2.5, ard_num_dims=len(span)))
    model = SingleTaskGP(
        places, values, noises, covar_module=kernel.double(), mean_module=mean,
        outcome_transform=None, input_transform=None,
    )  # fmt: skip
    kernel.base_kernel.lengthscale = torch.tensor(np.array(h.lengths) / span)
    kernel.outputscale = h.variance / scale**2
    return model.eval().requires_grad_(False)


def _scale(gp: MotorGP) -> float:
    """Deviation of the readings, or of the signal where they are all equal."""
    spread = float(np.std(gp.values))
    return spread if spread > 0 else float(np.sqrt(gp.hyperparameters.variance))


def _one(
    gp: MotorGP,
    region: SearchRegion,
    pending: Array,
    criterion: Criterion,
    seed: int,
    travel: Travel | None,
    start: Array | None,
) -> tuple[Array, float]:
    acquisition = _acquisition(gp, region, pending, criterion, seed)
    if criterion == "integrated-variance":  # no gradients: a step takes as long as all these
        found = region.spread(RAW, seed)
    else:
        found = _optima(acquisition, gp, region, seed)
    if not len(found) or region.allowed is not None or travel is not None:
        found = np.concatenate([found, region.spread(RAW, seed)])
    scores = _scored(acquisition, gp, found)
    if travel is not None and start is not None and criterion != "ucb":
        if criterion == "integrated-variance":
            before = gp.posterior(region.spread(INTEGRATED, 0), pending).variance.mean()
            scores = np.log(np.maximum(scores + before / _scale(gp) ** 2, 1e-12))
        scores = scores - np.log(travel.seconds(start, found))
    best = int(np.argmax(scores))
    return found[best], float(scores[best])


def _optima(acquisition: Any, gp: MotorGP, region: SearchRegion, seed: int) -> Array:
    """(K, D) allowed optima, in motor units."""
    import torch
    from botorch.optim import optimize_acqf

    # with constraints restarts are optimised one by one
    restarts, steps = (FEW_RESTARTS, FEW_STEPS) if region.inequalities else (RESTARTS, STEPS)
    optima, _ = optimize_acqf(
        acquisition,
        bounds=torch.tensor(np.array([gp.unit(region.low), gp.unit(region.high)])),
        q=1,
        num_restarts=restarts,
        batch_initial_conditions=_starts(acquisition, gp, region, restarts, seed),
        return_best_only=False,
        inequality_constraints=_constraints(gp, region) or None,
        fixed_features=_fixed(gp, region) or None,
        options={"batch_limit": restarts, "maxiter": steps},
    )
    found = optima.reshape(-1, len(region.low)).numpy() * (gp.high - gp.low) + gp.low
    found = region.place(np.clip(found, region.low, region.high))
    return found[region.contains(found)]


def _scored(acquisition: Any, gp: MotorGP, positions: Array) -> Array:
    """(K,) values of the acquisition function."""
    import torch

    with torch.no_grad():
        return acquisition.forward(torch.tensor(gp.unit(positions))[:, None]).numpy()


def _starts(acquisition: Any, gp: MotorGP, region: SearchRegion, restarts: int, seed: int) -> Any:
    """(restarts, 1, D) allowed places to start from: the best of many, and a few that are less so.

    Drawn here, as botorch's own sampler of constrained regions takes seconds, and knows no zones.
    """
    import torch
    from botorch.optim.initializers import initialize_q_batch

    found = region.spread(RAW, seed)
    scores = torch.tensor(_scored(acquisition, gp, found))
    return initialize_q_batch(torch.tensor(gp.unit(found))[:, None], scores, restarts)[0]


def _acquisition(
    gp: MotorGP, region: SearchRegion, pending: Array, criterion: Criterion, seed: int
) -> Any:
    import torch
    from botorch.acquisition import qUpperConfidenceBound
    from botorch.acquisition.active_learning import qNegIntegratedPosteriorVariance
    from botorch.acquisition.logei import qLogNoisyExpectedImprovement
    from botorch.sampling import SobolQMCNormalSampler

    model = botorch_model(gp)
    waiting = torch.tensor(gp.unit(pending)) if len(pending) else None
    sampler = SobolQMCNormalSampler(torch.Size([DRAWS]), seed=seed)
    if criterion == "noisy-ei":
        return qLogNoisyExpectedImprovement(
            model, torch.tensor(gp.unit(gp.positions)), sampler=sampler, prune_baseline=True,
            X_pending=waiting,
        )  # fmt: skip
    if criterion == "ucb":
        return qUpperConfidenceBound(model, DEVIATIONS**2, sampler=sampler, X_pending=waiting)
    over = torch.tensor(gp.unit(region.spread(INTEGRATED, 0)))
    return qNegIntegratedPosteriorVariance(model, over[:, None], X_pending=waiting)


def _constraints(gp: MotorGP, region: SearchRegion) -> list[Any]:
    """As botorch has them, on the unit cube: coefficients . place >= bound."""
    import torch

    every = torch.arange(len(region.low))
    span = gp.high - gp.low
    return [
        (every, torch.tensor(-np.asarray(steep) * span), -(bound - float(np.dot(steep, gp.low))))
        for steep, bound in region.inequalities
    ]


def _fixed(gp: MotorGP, region: SearchRegion) -> dict[int, float]:
    return {
        motor: float((value - gp.low[motor]) / (gp.high[motor] - gp.low[motor]))
        for motor, value in region.fixed.items()
    }
