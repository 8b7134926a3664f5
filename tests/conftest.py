"""Every compiled variant of the engine as one fixture, so that each behaviour has one test body."""

import os
import signal
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from qdit import _core

pytest_plugins = ["helpers.skipped"]

settings.register_profile("qdit", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("qdit")

EXACT_METHODS = ["naive", "lazy", "exact"]
RUN_OPTIONS = {
    *("weight", "bonus", "given", "excluded", "epsilon", "seed", "memory"),
    *("bounds", "picks", "on_progress", "interval"),
    *("costs", "budget", "per_cost", "groups", "quotas"),
}


def dtype_name(rows: np.ndarray) -> str:
    """Return the engine's name for the items; uint16 stands for bfloat16 bits."""
    return "bfloat16" if rows.dtype == np.uint16 else str(rows.dtype)


@dataclass(frozen=True, eq=False)
class Selected:
    """Picks with their gains in fixed point and as sums of similarities."""

    picks: np.ndarray
    fixed: np.ndarray
    gains: np.ndarray

    def bits(self) -> tuple[bytes, bytes]:
        """Return what must be equal where runs must agree to the last bit."""
        return self.picks.tobytes(), self.fixed.tobytes()


@dataclass(frozen=True)
class Variant:
    """A backend with its instruction set, or with the precision of its products."""

    backend: str
    simd: str | None = None
    precision: str | None = None

    def __str__(self) -> str:
        return "-".join(part for part in (self.backend, self.simd, self.precision) if part is not None)

    @property
    def rtol(self) -> float:
        """How far a pick's score may be from the best one of its step when float64 replays it, relative."""
        return 1e-3 if self.precision == "float16" else 1e-6

    @property
    def small(self) -> bool:
        """Whether tests give it smaller pools: plain loops, or emulated kernels."""
        return self.backend == "reference" or (
            self.backend == "cuda" and "emulation" in _core.cuda_status()["name"]
        )

    @property
    def place(self) -> dict[str, Any]:
        """The options of `qdit.select` and `qdit.build_graph` that choose it."""
        return {"backend": self.backend, "precision": self.precision or "auto"}

    def pair_error(self, d: int, dtype: str = "float16") -> float:
        """How far a similarity of unit rows of d items may be from float64, the last rounding apart.

        cpu: float32 accumulation of d products, by the probabilistic rounding analysis of Higham and Mary
        (2019) within lambda * sqrt(d) * 2^-24 of |a| |b|; lambda = 4 fails once in thousands of pairs at
        most, and the scaling by two norms adds a few more roundings. cuda: tensor cores cut sums off after
        every 16 products (split: every 64 at the latest a rounding sum takes over), and items are rounded
        where they are wider than the precision.
        """
        if self.backend == "reference":
            return d * 2.0**-53
        scaling = 4 * 2.0**-24
        if self.backend == "cpu":
            return 4 * np.sqrt(d + 4) * 2.0**-24
        if self.precision == "split":
            return (4 + np.sqrt(d / 64)) * 2.0**-23 + 2.0**-21 + scaling
        items = 2.0**-11 if dtype in ("float32", "float64") else 0.0
        return (d / 16 + 1) * 2.0**-23 + items + scaling

    def engine(self, rows: np.ndarray, **options: Any) -> _core.Engine:
        """Return an engine over the rows; dtype follows from the array unless it is given."""
        for name in ("outside", "represented"):
            if options.get(name) is not None:
                options.setdefault(f"{name}_dtype", dtype_name(options[name]))
        return _core.Engine(
            rows,
            **(
                {"dtype": dtype_name(rows), "backend": self.backend, "simd": self.simd}
                | {"precision": self.precision}
                | options
            ),
        )

    @staticmethod
    def run(engine: _core.Engine, k: int, method: str = "lazy", **options: Any) -> Selected:
        """Reset and select. weight is per unit of gain; given rows are also excluded."""
        given = options.pop("given", None)
        excluded = options.pop("excluded", None)
        if given is not None:
            given = np.asarray(given, np.int64)
            excluded = given if excluded is None else np.union1d(excluded, given)
        options["weight"] = options.get("weight", 1.0) / engine.sum_scale
        options.setdefault("bonus", np.zeros(engine.n))
        engine.reset(given)
        picks, fixed = engine.select(
            method, k, excluded=None if excluded is None else np.asarray(excluded, np.int64), **options
        )
        return Selected(picks, fixed, fixed / engine.sum_scale)

    def select(self, rows: np.ndarray, k: int, method: str = "lazy", **options: Any) -> Selected:
        """Return what a fresh engine selects; each option goes where it belongs."""
        run = {name: options.pop(name) for name in RUN_OPTIONS & options.keys()}
        return self.run(self.engine(rows, **options), k, method, **run)


CUDA = [Variant("cuda", precision=precision) for precision in ("float16", "split")]


def _variants() -> list[Variant]:
    cpu = (Variant("cpu", level) for level in _core.build_info()["simd_built"])
    return [Variant("reference"), *cpu, *CUDA]


def skip_without_cuda() -> None:
    """Skip where CUDA cannot be used; a library that was named and cannot be used is a failure."""
    status = _core.cuda_status()
    if not status["usable"]:
        give_up = pytest.fail if "QDIT_CUDA_LIBRARY" in os.environ else pytest.skip
        give_up(f"cuda: {status['reason']}")


def _cannot_run(variant: Variant) -> str | None:
    """Return why no test of this variant can run on this machine, None if they can."""
    if variant.backend == "cuda" and "QDIT_CUDA_LIBRARY" not in os.environ:
        status = _core.cuda_status()
        return None if status["usable"] else f"backend cuda: {status['reason']}"
    if variant.simd is not None and variant.simd not in _core.build_info()["simd_supported"]:
        return f"instruction set {variant.simd}: this processor does not have it"
    return None


_not_here: Counter[str] = Counter()  # tests that were left out, by reason


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests of variants that cannot run here, to say so once and not thousands of times."""
    reasons = {variant: _cannot_run(variant) for variant in _variants()}
    left_out = []
    for item in items:
        parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
        found = [reasons.get(value) for value in parameters if isinstance(value, Variant)]
        if reason := next(filter(None, found), None):
            _not_here[reason] += 1
            left_out.append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print a line for each backend or instruction set whose tests could not run."""
    for reason, count in sorted(_not_here.items()):
        terminalreporter.write_line(f"NOT RUN HERE [{count}] {reason}")


def _runs_here(variant: Variant) -> Variant:
    if variant.backend == "cuda":
        skip_without_cuda()
    return variant


@pytest.fixture(params=_variants(), ids=str)
def variant(request: pytest.FixtureRequest) -> Variant:
    """Every backend, and cpu with every instruction set of this build."""
    return _runs_here(request.param)


@pytest.fixture(params=[variant for variant in _variants() if variant.backend == "cpu"], ids=str)
def cpu(request: pytest.FixtureRequest) -> Variant:
    """Every instruction set of this build."""
    return _runs_here(request.param)


@pytest.fixture(params=CUDA, ids=str)
def cuda(request: pytest.FixtureRequest) -> Variant:
    """Backend cuda in each precision; skips where there is no device."""
    return _runs_here(request.param)


@pytest.fixture(scope="session", params=[Variant("cpu"), *CUDA], ids=str)
def graph_variant(request: pytest.FixtureRequest) -> Variant:
    """Every backend that builds similarity graphs."""
    return _runs_here(request.param)


@pytest.fixture(scope="session")
def default_cpu() -> Variant:
    """The backend as users get it."""
    return Variant("cpu")


@pytest.fixture
def cpu_levels() -> list[Variant]:
    """All instruction sets that run here, slowest first, to compare with each other."""
    return [Variant("cpu", level) for level in _core.build_info()["simd_supported"]]


@pytest.fixture(params=EXACT_METHODS)
def method(request: pytest.FixtureRequest) -> str:
    """The methods that promise the exact greedy picks."""
    return request.param


@pytest.fixture(params=[*EXACT_METHODS, "stochastic"])
def any_method(request: pytest.FixtureRequest) -> str:
    """All methods."""
    return request.param


def pytest_configure() -> None:
    # a job in the background may begin with SIGINT ignored; tests of Ctrl-C need it
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
