"""Rows, scores and labels mean the same in every container; what would be read wrongly is refused.

A remedy that is a piece of Python is run on what was refused (as `x`), until the call succeeds.
"""

import array
import re
from typing import Any

import numpy as np
import pytest

import qdit
from qdit import distributed

RNG = np.random.default_rng(0)
N = 30
X = RNG.standard_normal((N, 8)).astype(np.float32)
SHORT = (X.view(np.uint32) & 0xFFFF0000).view(np.float32)  # bfloat16 holds them
Q = np.round(RNG.uniform(1, 5, N) * 4) / 4  # bfloat16 holds them
COSTS = np.arange(N) % 3 + 1.0
NAMES = np.array(["de", "en"])[np.arange(N) % 2]
NUMBERS = np.arange(N) % 2
GIVEN = np.array([3, 7])
VECTORS = np.empty(N, object)
VECTORS[:] = list(X)

_REMEDY = re.compile(
    r"(?:with|pass|take|use) ((?:(?:numpy|torch|qdit|x)\.[\w.]+|list)(?:\(\w[^;]*?\)+|\(\))?)(?= |$)"
)


def use(name: str, value: Any) -> list[int]:
    """Return the picks of a run that is given the value under a name."""
    options = {
        "embeddings": {"embeddings": value, "k": 5},
        "quality": {"quality": value, "k": 5},
        "costs": {"costs": value, "budget": 9},
        "groups": {"groups": value, "quota": 3, "k": 6},
        "given": {"given": value, "k": 6},
    }[name]
    chosen = qdit.select(**{"embeddings": X, "quality": Q, "alpha": 0.5, "threads": 1, **options})
    return chosen.indices.tolist()


def settle(name: str, value: Any) -> list[int]:
    """Return the picks after doing what errors say, one after the other."""
    names = {"numpy": np, "qdit": qdit, "torch": None}
    for _ in range(3):
        try:
            return use(name, value)
        except (TypeError, ValueError) as error:
            (remedy,) = _REMEDY.findall(str(error))
        if "torch." in remedy:
            names["torch"] = pytest.importorskip("torch")
        value = eval(remedy, {**names, "x": value})  # it is what users do
    return use(name, value)


def pandas(value: Any, **options: Any) -> Any:
    return pytest.importorskip("pandas").Series(value, **options)


def frame(value: Any, **options: Any) -> Any:
    return pytest.importorskip("pandas").DataFrame(value, **options)


def tensor(value: Any) -> Any:
    return pytest.importorskip("torch").tensor(value)


def arrow(value: Any, kind: Any = None) -> Any:
    return pytest.importorskip("pyarrow").array(value, kind)


def chunks(value: list[Any]) -> Any:
    return pytest.importorskip("pyarrow").chunked_array([value[:1], value[1:]])


def column(value: list[Any]) -> Any:
    return pytest.importorskip("datasets").Dataset.from_dict({"v": value})["v"]


def lists(value: np.ndarray) -> Any:
    pa = pytest.importorskip("pyarrow")
    return pa.array(value.tolist(), pa.list_(pa.float32()))


ROWS = {
    "list": lambda: X.tolist(),
    "list of arrays": lambda: list(X),
    "generator": lambda: list(X).__iter__(),
    "memoryview": lambda: memoryview(X),
    "array of vectors": lambda: VECTORS,
    "array of objects": lambda: X.astype(object),
    "structured": lambda: np.rec.fromarrays(X.T),
    "unaligned": lambda: np.frombuffer(b"-" + X.tobytes(), np.float32, offset=1).reshape(X.shape),
    "bits of bfloat16": lambda: (X.view(np.uint32) >> 16).astype(np.uint16).view("V2"),
    "float8": lambda: tensor(X).to(pytest.importorskip("torch").float8_e4m3fn),
    "complex": lambda: X.astype(complex),
    "byte order": lambda: X.astype(">f4"),
    "strided": lambda: np.repeat(X, 2, axis=0)[::2],
    "Fortran": lambda: np.asfortranarray(X),
    "Series of vectors": lambda: pandas(list(X)),
    "DataFrame": lambda: frame(X),
    "nullable DataFrame": lambda: frame(X).astype("Float32"),
    "DataFrame of vectors": lambda: frame({"embedding": list(X)}),
    "CSR": lambda: pytest.importorskip("scipy.sparse").csr_matrix(X),
    "COO": lambda: pytest.importorskip("scipy.sparse").coo_array(X),
    "transposed tensor": lambda: tensor(X.T.copy()).T,
    "tensor with gradient": lambda: tensor(X.T.copy()).T.requires_grad_(),
    "transposed bfloat16": lambda: tensor(SHORT).bfloat16().T.contiguous().T,
    "list of tensors": lambda: list(tensor(X).requires_grad_()),
    "sparse tensor": lambda: tensor(X).to_sparse(),
    "Arrow lists": lambda: lists(X),
    "Arrow table": lambda: pytest.importorskip("pyarrow").table({"embedding": lists(X)}),
    "Polars": lambda: pytest.importorskip("polars").DataFrame(X),
    "Polars lists": lambda: pytest.importorskip("polars").Series(X.tolist()),
    "column of a data set": lambda: column(X.tolist()),
}


@pytest.mark.parametrize("kind", ROWS)
def test_rows_of_every_kind_are_taken_or_the_remedy_works(kind):
    rows = X
    if "bfloat16" in kind:
        rows = SHORT
    elif kind == "float8":
        rows = ROWS[kind]().float().numpy()
    assert settle("embeddings", ROWS[kind]()) == use("embeddings", rows)
    outside = {"list": lambda: X[:3].tolist(), "generator": lambda: list(X[:3]).__iter__()}
    if kind in {"DataFrame", "CSR", "Series of vectors", "array of vectors", "Arrow lists", "list"}:
        given = outside.get(kind, lambda: ROWS[kind]()[:3])()
        assert settle("given", given) == use("given", X[:3])


ITEMS = {
    "list": lambda v: v.tolist(),
    "tuple of numpy's": tuple,
    "generator": lambda v: iter(v.tolist()),
    "values of a dict": lambda v: dict(enumerate(v.tolist())).values(),
    "strided": lambda v: np.repeat(v, 2)[::2],
    "byte order": lambda v: v.astype(v.dtype.newbyteorder(">")),
    "objects": lambda v: v.astype(object),
    "Series": lambda v: pandas(v, index=np.arange(len(v)) + 5),
    "nullable Series": lambda v: pandas(v).convert_dtypes(),
    "Arrow Series": lambda v: pandas(v.tolist()).convert_dtypes(dtype_backend="pyarrow"),
    "categories": lambda v: pandas(v).astype("category"),
    "Index": lambda v: pandas(v, index=v).index,
    "Arrow": lambda v: arrow(v.tolist()),
    "Arrow chunks": lambda v: chunks(v.tolist()),
    "Polars": lambda v: pytest.importorskip("polars").Series(v.tolist()),
    "column of a data set": lambda v: pytest.importorskip("datasets").Dataset.from_dict({"v": v.tolist()})[
        "v"
    ],
}
OF_NUMBERS = {
    "memoryview": memoryview,
    "array.array": lambda v: array.array("d" if v.dtype.kind == "f" else "q", v.tolist()),
    "tensor": tensor,
    "list of tensors": lambda v: [tensor(item) for item in v.tolist()],
}
OF_FLOATS = {
    "float16": lambda v: v.astype(np.float16),
    "integers": lambda v: (v * 4).astype(int),
    "bfloat16 with gradient": lambda v: tensor(v).bfloat16().requires_grad_(),
    "bfloat16": lambda v: v.astype(pytest.importorskip("ml_dtypes").bfloat16),
    "sparse": lambda v: pytest.importorskip("scipy.sparse").csr_matrix(v),
    "one column": lambda v: v[:, None],
    "frame of one column": frame,
}
OF_STRINGS = {"StringDType": lambda v: v.astype(np.dtypes.StringDType())}
COLUMNS = {"quality": Q, "costs": COSTS, "groups": NUMBERS, "groups of strings": NAMES, "given": GIVEN}
KINDS = [
    (name, kind)
    for name, value in COLUMNS.items()
    for kind in [
        *ITEMS,
        *(OF_STRINGS if value.dtype.kind == "U" else OF_NUMBERS),
        *(OF_FLOATS if value.dtype.kind == "f" else ()),
    ]
]


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_a_column_of_every_kind_means_the_same(name, kind):
    make = (ITEMS | OF_NUMBERS | OF_FLOATS | OF_STRINGS)[kind]
    scale = 4 if kind == "integers" else 1
    want = use(name.split()[0], COLUMNS[name] * scale if scale > 1 else COLUMNS[name])
    assert settle(name.split()[0], make(COLUMNS[name])) == want


def test_a_mask_of_given_rows():
    assert settle("given", np.isin(np.arange(N), GIVEN)) == use("given", GIVEN)


def on_a_device(value: np.ndarray) -> Any:
    return type("OnDevice", (), {"__cuda_array_interface__": {}, "ndim": value.ndim})()


def without_last(value: np.ndarray, last: Any) -> list[Any]:
    return [*value.tolist()[:-1], last]


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (np.ma.array, "got a masked array, wanted a plain one; fill it or drop the masked rows"),
        (lambda v: arrow(without_last(v, None)), "is null, wanted a value; fill it or drop it"),
        (lambda v: without_last(v, None), "is None, wanted "),
        (lambda v: without_last(v, float("nan")), "nan|missing"),
        (lambda v: without_last(v, np.ones(400)), r"is (\[|array\(\[).{,60}\.\.\., wanted"),
        (lambda v: pandas(without_last(v, None)).convert_dtypes(), "nan|NA|missing"),
        (lambda v: {"a": 1}, "got dict, wanted an array$"),
        (lambda v: v == v[0], "got dtype bool"),
        (lambda v: v.reshape(1, 1, -1), "got shape"),
        (lambda v: v[0], "no such file|got shape"),
        (on_a_device, r"got an array on a device \(CUDA\), wanted one in CPU memory"),
    ],
)
def test_a_column_that_would_be_read_wrongly(name, spoil, text):
    with pytest.raises((TypeError, ValueError, FileNotFoundError), match=f"^{name.split()[0]}: .*({text})"):
        use(name.split()[0], spoil(COLUMNS[name]))


@pytest.mark.parametrize(
    ("groups", "text"),
    [
        ([1, "1"] * 15, "row 1 is '1', wanted integers or strings, all of one kind; row 0 is 1"),
        (
            ["de", float("nan")] * 15,
            "row 1 is nan, wanted integers or strings, all of one kind; row 0 is 'de'",
        ),
        ([True, "a"] * 15, "row 0 is True, wanted integers or strings"),
        ([0] * 29 + [2**70], "row 29 is 1180591620717411303424, wanted at most 64 bits"),
        ([2**63, *[-1] * 29], "row 0 is 9223372036854775808, wanted at most 64 bits"),
    ],
)
def test_groups_of_several_kinds(groups, text):
    for values in (groups, np.array(groups, object)):
        with pytest.raises((TypeError, ValueError)) as caught:
            use("groups", values)
        assert str(caught.value) == f"groups: {text}"


@pytest.mark.parametrize(
    ("name", "value"), [("quality", Q), ("costs", COSTS), ("groups", NAMES), ("embeddings", X)]
)
def test_an_index_that_is_another_order_of_the_rows(name, value):
    """Rows may be meant by position or by index: the two remedies give the two meanings."""
    order = np.arange(N)[::-1]
    moved = frame(value, index=order) if value.ndim == 2 else pandas(value, index=order)
    with pytest.raises(
        ValueError, match=f"^{name}: got an index that names the rows in another order"
    ) as caught:
        use(name, moved)
    assert "x.sort_index() to go by the index, or x.to_numpy() to go by position" in str(caught.value)
    assert settle(name, moved.sort_index()) == use(name, value[::-1].copy())
    assert settle(name, moved.to_numpy()) == use(name, value)


@pytest.mark.parametrize("measure", [qdit.objective, qdit.coverage, qdit.row_coverage])
def test_masked_indices(measure):
    masked = np.ma.array([1, 2], mask=[0, 1])
    options = {"alpha": 0} if measure is qdit.objective else {}
    with pytest.raises(TypeError, match=r"^indices: got a masked array, wanted a plain one"):
        measure(X, masked, **options)


def test_masked_scores_of_a_shard():
    for scores in (np.ma.array(Q), [np.ma.array(Q)], [Q[:10], np.ma.array(Q[10:])]):
        shards = [X] if len(scores) != 2 else [X[:10], X[10:]]
        with pytest.raises(TypeError, match=r"^quality: got a masked array, wanted a plain one"):
            distributed.select(shards, scores, 0.5, 3, address="in-process")


def test_vectors_of_several_lengths_are_named():
    for rows in ([[1.0, 2.0], [3.0]], np.array([np.ones(2), np.ones(1)], object)):
        with pytest.raises(TypeError, match=r"row 1 has shape \(1,\), row 0 \(2,\)$"):
            qdit.select(rows, alpha=0, k=1)
