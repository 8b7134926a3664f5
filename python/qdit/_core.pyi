"""Types of the compiled engine (csrc/bindings)."""

from collections.abc import Callable
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

class BuildInfo(TypedDict):
    version: str
    compiler: str
    build_type: str
    simd_built: list[str]  # instruction sets compiled in, slowest first
    simd_supported: list[str]  # those of them that this processor can run
    simd_active: str  # the one a new cpu Engine takes (QDIT_SIMD obeyed)
    cuda_built: bool  # whether the CUDA library lies beside the engine; see cuda_status

def build_info() -> BuildInfo:
    """Describe the compiled engine. ValueError if QDIT_SIMD names a level that cannot run here."""

def sample_candidates(seed: int, step: int, taken: NDArray[np.bool_], count: int) -> NDArray[np.int64]:
    """Return what method "stochastic" draws at `step`: `count` distinct rows, not `taken`, ascending."""

def hash_ngrams(characters: NDArray[np.uint32], ends: NDArray[np.int64], threads: int) -> NDArray[np.float64]:
    """Return the vectors of builtin:hash, whole numbers: (len(ends), 384); see csrc/text/ngrams.h.

    characters: of all texts one after the other, in lower case. ends: where each text ends in them.
    """

def gain_factor(gain_scale: str, k: int, n: float) -> float:
    """Return what a gain is multiplied by: 1 for "sum", k / n for "per_k"."""

def budget_ceiling(budget: float) -> float:
    """Return what costs may add up to: the budget and four units in its last place more."""

def usable_processors(root: str = "") -> int:
    """Return the processors that this process may run on, no more than its control groups pay for.

    root: of the file system in which /proc and control groups are looked for.
    """

def available_memory(root: str = "") -> int | None:
    """Return the bytes that can be had without swapping, within the limits of control groups and ulimit."""

def total_memory(root: str = "") -> int | None:
    """Return the bytes of memory that there are, or that control groups allow."""

def gain_weight(alpha: float, gain_scale: str, k: int, n: float) -> float:
    """Return (1 - alpha) * gain_factor: what a gain in units of similarity is multiplied by in a score."""

class CudaStatus(TypedDict):
    usable: bool
    reason: str  # why not; "" if usable
    name: str  # of the device, with its compute capability; "" if not usable

class DLPackTensor(TypedDict):
    pointer: int
    shape: tuple[int, ...]
    strides: list[int] | None  # in items
    code: int  # DLDataTypeCode
    bits: int
    lanes: int
    device: int

def cuda_status(device: int = 0) -> CudaStatus:
    """Say whether a CUDA device can be used, why not, and its name."""

def cuda_download(pointer: int, nbytes: int, device: int = 0, stream: int = 0) -> NDArray[np.uint8]:
    """Copy bytes from a CUDA device, once the work of `stream` so far is done (0: now)."""

def cuda_device_of(pointer: int) -> int:
    """Return the number of the CUDA device that the memory is on, -1 if there is none."""

def describe_dlpack(capsule: Any) -> DLPackTensor:
    """Return what a DLPack capsule describes; it stays the owner of the memory."""

class Engine:
    """The pool, its running max-similarity vector and a greedy maximiser over them.

    All gains are integers: a similarity s is stored as rint(s * scale), `scale` a power of two.
    """

    def __init__(
        self,
        rows: NDArray[Any],
        *,
        dtype: str,
        backend: str = "cpu",
        metric: str = "cosine",
        floor: float | None = None,
        zero_rows: str = "error",
        threads: int = 1,
        simd: str | None = None,
        cache_bytes: int = 0,
        block_rows: int = 0,
        batch: int = 0,
        outside: NDArray[Any] | None = None,
        outside_dtype: str = "",
        device: int = 0,
        precision: str | None = None,
        range: float = 0.0,
        represented: NDArray[Any] | None = None,
        represented_dtype: str = "",
        weights: NDArray[np.float64] | None = None,
    ) -> None:
        """Check every row once and prepare an empty selection.

        rows: (n, d), C-contiguous and aligned, read in place, kept alive by the engine.
        dtype: "float16", "bfloat16" (rows is then uint16 holding the bits), "float32" or "float64".
        backend: "cpu", "cuda" or "reference". metric: "cosine" or "dot". floor: start of the maxima, or None.
        zero_rows: "error" or "ignore". simd: "baseline", "avx2", "avx512", "avx512vnni", "neon"
            or None for the best.
        cache_bytes: memory for the similarities of evaluated candidates that can still add something (cpu).
        block_rows, batch: pool rows per tile block (cpu) or on the device at a time (cuda) and preferred
        batch width, 0 for the best.
        device: number of the device (cuda); rows may be a `qdit.engine.device.DeviceArray` on it.
        precision: "float16", "split" or None for what the dtype asks for (cuda).
        outside: (m, d) rows outside the pool that are already chosen.
        range: the largest squared norm of rows that lie elsewhere (metric "dot"); see Shard.
        represented: (m, d) rows that maxima are of, in place of those of the pool. weights: what each counts.
        ValueError names the first row with NaN/Inf, the first zero row (cosine), a bad option.
        """

    @property
    def n(self) -> int: ...
    @property
    def d(self) -> int: ...
    @property
    def scale(self) -> float: ...
    @property
    def sum_scale(self) -> float:
        """Units per unit of gain and of coverage: scale, times that of the weights if there are any."""

    @property
    def represented(self) -> int:
        """Number of rows that maxima are of."""

    @property
    def range(self) -> float:
        """The largest similarity there can be."""

    @property
    def backend(self) -> str: ...
    @property
    def simd(self) -> str: ...  # "" for reference
    @property
    def threads(self) -> int: ...
    @property
    def ignored(self) -> NDArray[np.int64]:
        """Rows left out by zero_rows="ignore", ascending; they can never be picked."""

    def reset(self, given: NDArray[np.int64] | None = None) -> None:
        """Empty the selection, then cover with the outside rows and the `given` pool rows."""

    def gains(self, candidates: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return marginal gains d(c|A) of the candidates in fixed point."""

    def expect(self, commits: int) -> None:
        """Say how many candidates the coming calls of commit() will bring: an engine may prepare for many."""

    def commit(self, candidates: NDArray[np.int64]) -> NDArray[np.int64]:
        """Add candidates to A in order; return what each one raised the coverage by (fixed point)."""

    def similarities(self, candidates: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the similarities of candidates with rows of the pool in fixed point, shape (c, r)."""

    def nearest(self, centroids: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return for every pool row the most similar of (m, d) centroids, and that similarity; both (n,)."""

    def similar_pairs(self, begin: int, end: int, least: int, most: int) -> NDArray[Any]:
        """Return the pairs of a row of begin .. end - 1 with any row after it that are at least so similar.

        least: in fixed point, above 0. Returns (m,) of {row: uint32, other: uint32, sim: int64 in fixed
        point}, by row, then by the other; row < other. OverflowError where there are more than `most`.
        """

    def coverage(self) -> int:
        """Return sum over all rows of the running maximum (fixed point); 0 while nothing is chosen."""

    def row_coverage(self) -> NDArray[np.float64]:
        """Return the running maximum of every row as a similarity, shape (n,)."""

    def select(
        self,
        method: str,
        k: int,
        *,
        weight: float,
        bonus: NDArray[np.float64],
        excluded: NDArray[np.int64] | None = None,
        epsilon: float = 0.01,
        seed: int = 0,
        memory: int = 0,
        bounds: NDArray[np.int64] | None = None,
        picks: NDArray[np.int64] | None = None,
        costs: NDArray[np.float64] | None = None,
        budget: float = 0.0,
        per_cost: bool = False,
        groups: NDArray[np.int64] | None = None,
        quotas: NDArray[np.int64] | None = None,
        on_progress: Callable[[NDArray[np.int64], NDArray[np.int64], int], None] | None = None,
        interval: float = 0.25,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Run greedy from the state that reset() left; return (indices, gains) of the k picks.

        method: "naive", "lazy", "exact" or "stochastic". The score of c is weight * gain(c) + bonus[c]; the
        larger wins, then the smaller row index. excluded: rows never picked (the given ones).
        memory: bytes that "exact" may take for alive pairs.
        bounds: (n,) int64 work space, updated in place: valid upper bounds on gains as far as known, else
        INT64_MAX. Handing a saved copy back to a later run with the same `picks` (or more) saves work.
        picks: the first picks of this very run, made earlier; they are committed again, not searched again,
        and are part of what is returned.
        costs, budget: (n,) positive costs, and what they may add up to over the picks. k is an upper limit
        then: the run ends when no row fits any more whose score is positive. per_cost: the score per unit of
        cost is maximised instead of the score. Not for "stochastic".
        groups, quotas: the group of every row, 0 .. len(quotas) - 1, and the most picks of each group.
        on_progress(indices, gains, evaluations): called with the GIL held about every `interval` seconds
        between evaluations (also when no new pick was made) and once at the end, with the picks made since
        the last call, replayed ones included; what it raises ends the run. Signals are checked meanwhile.
        """

    def stats(self) -> dict[str, Any]:
        """Return counters since construction.

        evaluations (marginal gains computed), cached_evaluations (those of them served from stored
        similarities), commits, batches, products (of two rows, / n**2), passes (pool rows read / n),
        seconds_{check,gains,commit}, peak_bytes (engine memory, without the pool), threads, simd, backend.

        With a device also: device, seconds_{pass,count,fill,sparse}, and of method "exact" the work it took:
        products_evaluating (of products), pairs_written (to lists), rebuilds (of all lists), relists (of
        those of the last rows), dense_picks (those that went through all rows and the host), and what the
        host waited for and copied from the device while it picked: pick_waits, pick_bytes_down.
        """

class GraphBuilder:
    """Builds a similarity graph over a pool."""

    def __init__(
        self,
        rows: NDArray[Any],
        *,
        dtype: str,
        backend: str = "cpu",
        metric: str = "cosine",
        zero_rows: str = "error",
        threads: int = 1,
        simd: str | None = None,
        block_rows: int = 0,
        device: int = 0,
        precision: str | None = None,
    ) -> None:
        """Check every row once; arguments and errors as in `Engine`. backend: "cpu" or "cuda"."""

    @property
    def scale(self) -> float: ...
    def nearest(
        self,
        centroids: NDArray[np.float32],
        count: int,
        on_progress: Callable[[float], None] | None = None,
    ) -> NDArray[np.int32]:
        """Return for every pool row the `count` centroids of largest cosine, best first: (n, count).

        on_progress(share): called with the GIL held now and then; what it raises ends the work.
        """

    def pairs(
        self,
        nearest: NDArray[np.int32],
        *,
        cells: int,
        largest: int,
        floors: NDArray[np.int32],
        keep: int,
        seed: int = 0,
        memory: int = 2**48,
        on_progress: Callable[[float], None] | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[Any], dict[str, Any]]:
        """Compare rows with the members of the cells that they probe; return (offsets, pairs, stats).

        nearest: (n, probes) cells of each row, the one it belongs to first. largest: a cell of more members
        is split at random. floors: (n,) in fixed point; pairs above the floor of either row are kept, in the
        lists of both. keep: the most pairs of one list, the most similar. offsets: (n + 1,); pairs:
        {row: uint32, sim: int32}, list after list by falling sim, then rising row. memory: cuda: bytes of the
        device for lists at a time; rows take turns where all lists need more, or more than is free.

        stats: cut_lists (rows with more pairs than are kept), parts (cells after splitting), multiplied
        (products of two rows; cuda multiplies a pair once for each of its rows and once more to count),
        multiplied_assigning (by `nearest` so far), cuda: built_on, rounds (turns), device_bytes (the most
        memory that was taken there).
        """

def graph_select(
    offsets: NDArray[np.int64],
    pairs: NDArray[Any],
    row_max: NDArray[np.int32],
    k: int,
    *,
    weight: float,
    bonus: NDArray[np.float64],
    open: NDArray[np.bool_],
    threads: int = 1,
    on_progress: Callable[[NDArray[np.int64]], None] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pick up to k open rows greedily on a graph; return (indices, gains as the graph knows them).

    row_max: (n,) the running maximum of every row in fixed point, raised in place. The score of c is weight *
    gain(c) + bonus[c]; the larger wins, then the smaller row. on_progress(indices): the picks since the last
    call, now and then. ValueError if offsets or neighbors are out of range.
    """

class Shard:
    """An engine's pool as a part of a larger one: candidates come as rows, of the pool's dtype, from
    anywhere.

    Gains and increases are over the rows of this part, in fixed point. Their sums over all parts are those
    of one pool, to the last bit, if all engines have the same `range`.
    """

    def __init__(self, engine: Engine, *, dtype: str) -> None:
        """dtype: that of the engine's rows. ValueError if its backend is "cuda"."""

    @property
    def sums_rows(self) -> bool:
        """Whether first gains come from the sum of all rows (cpu)."""

    @property
    def lists_pairs(self) -> bool:
        """Whether open() and what follows it is there (cpu)."""

    @property
    def unlisted(self) -> int:
        """Rows that pairs() and commit() reach by products: if there are some, candidates need their rows."""

    def gains(self, rows: NDArray[Any]) -> NDArray[np.int64]:
        """Return the gains of candidates."""

    def commit_rows(self, rows: NDArray[Any]) -> NDArray[np.int64]:
        """Add candidates in order; return what each raised the coverage by. Not after open()."""

    def sum_rows(
        self, first: int, total: NDArray[np.float64], open: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Carry the sum of all rows on; the first row of this part has the number `first`.

        total, open: (d,) zeros for the first part, then what the part before returned. After the last part
        total + open is the sum.
        """

    def first_gains(self, total: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the first gains of this part's rows, where nothing is chosen; total: the sum of all rows."""

    def open(self, gains: NDArray[np.int64], first: int, memory: int) -> None:
        """Begin to list pairs with len(gains) candidates; gains is written to from now on.

        first: number of this part's first row among the candidates, which are then listed already; -1: they
            are not, or come by list() like all others. memory: bytes for pairs. RuntimeError while nothing
            is chosen.
        """

    def list(self, rows: NDArray[Any], first: int) -> None:
        """List the candidates with the numbers first, first + 1, ..."""

    def start(self) -> None:
        """End listing. From now on gains[c] is an upper bound on the gain of c, kept by commit()."""

    def pairs(
        self, numbers: NDArray[np.int64], rows: NDArray[Any] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.uint32], NDArray[np.int32]]:
        """Return (offsets, rows, rises): of each candidate the rows it would raise, and by how much.

        Makes their gains exact.
        """

    def commit(self, numbers: NDArray[np.int64], rows: NDArray[Any] | None = None) -> NDArray[np.int64]:
        """Add candidates in order; return what each raised the coverage by."""

def pick_among(
    parts: list[tuple[NDArray[np.int64], NDArray[np.uint32], NDArray[np.int32]]],
    numbers: NDArray[np.int64],
    bonus: NDArray[np.float64],
    *,
    weight: float,
    most: int,
    rival_score: float,
    rival: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pick greedily among candidates; return (positions among them, gains).

    parts: what pairs() of every part returned. numbers: of the candidates, ascending. Ends before the first
    pick that does not beat the rival, the best of all others: its score and its number; -1 for none.
    """
