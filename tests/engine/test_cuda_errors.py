"""Why backend "cuda" cannot be used, and device arrays that are refused before a device is needed."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import qdit
from helpers.oracle import clustered_rows
from qdit import _core
from qdit.cli.info import info
from qdit.engine.rows import open_embeddings

X = clustered_rows(40, 8, seed=1)
STATUS = _core.cuda_status()
without_device = pytest.mark.skipif(STATUS["usable"], reason="there is a CUDA device here")


@dataclass
class OnDevice:
    """What CuPy arrays say of themselves; nothing is at the address."""

    shape: tuple[int, ...] = (40, 8)
    typestr: str = "<f2"
    strides: tuple[int, ...] | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    device: Any = field(default_factory=lambda: SimpleNamespace(id=0))

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        what = {"shape": self.shape, "typestr": self.typestr, "strides": self.strides, "data": (4096, False)}
        return what | {"version": 3} | self.extra


def test_the_status_says_why_or_what():
    assert STATUS["usable"] is (STATUS["reason"] == "")
    assert STATUS["usable"] is (STATUS["name"] != "")
    text = STATUS["name"] or f"not usable: {STATUS['reason']}"
    assert info()["cuda"] == text
    assert isinstance(_core.build_info()["cuda_built"], bool)
    assert not _core.cuda_status(99)["usable"]


@without_device
def test_cuda_without_a_device_is_an_error_with_the_reason():
    for call in (
        lambda: qdit.select(X, alpha=0, k=3, backend="cuda"),
        lambda: qdit.coverage(X, [1], backend="cuda"),
        lambda: qdit.build_graph(X, backend="cuda"),
        lambda: qdit.build_graph(OnDevice()),
        lambda: _core.GraphBuilder(X, dtype="float16", backend="cuda"),
        lambda: _core.Engine(X, dtype="float16", backend="cuda"),
        lambda: qdit.select(OnDevice(), alpha=0, k=3),
        lambda: qdit.select(OnDevice(), alpha=0, k=3, backend="cuda"),
    ):
        with pytest.raises(RuntimeError) as caught:
            call()
        assert STATUS["reason"] in str(caught.value)
        assert str(caught.value).lower().count("cannot be used") == 1


@without_device
def test_auto_without_a_device_is_cpu_and_says_so():
    chosen = qdit.select(X, alpha=0, k=3)
    assert chosen.params["backend"] == chosen.stats["backend"] == "cpu"
    assert "precision" not in chosen.params


@without_device
def test_the_command_line_fails_with_the_reason(tmp_path, capsys):
    cli = pytest.importorskip("qdit.cli.main", exc_type=ImportError)
    np.save(tmp_path / "x.npy", X)
    assert cli.main(["select", str(tmp_path / "x.npy"), "--alpha=0", "--k=3", "--backend=cuda"]) == 1
    assert STATUS["reason"] in capsys.readouterr().err


def in_process_with(library):
    """Return what a process says that is told to load this library."""
    code = "import qdit._core as c; print(c.cuda_status()['reason'])"
    environment = os.environ | {"QDIT_CUDA_LIBRARY": str(library)}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_a_library_that_is_not_there_or_not_ours_is_told(tmp_path):
    assert "no CUDA library was built" in in_process_with(tmp_path / "nothing.so")
    (tmp_path / "text.so").write_text("no library")
    assert "cannot be loaded" in in_process_with(tmp_path / "text.so")
    assert "has no function qdit_cuda" in in_process_with(_core.__file__)


@pytest.mark.parametrize(
    ("source", "error", "text"),
    [
        (OnDevice(typestr="<i4"), TypeError, "got dtype <i4 on a device, wanted float16, bfloat16"),
        (OnDevice(typestr=">f4"), TypeError, "got dtype >f4 on a device"),
        (OnDevice(shape=(40,)), ValueError, r"got 1 dimension \(shape \(40,\)\), wanted 2"),
        (OnDevice(shape=(0, 8)), ValueError, "wanted at least one row"),
        (OnDevice(strides=(32, 2)), ValueError, "strided rows on a device, wanted C-contiguous"),
        (OnDevice(extra={"mask": object()}), TypeError, "masked array"),
        (OnDevice(extra={"stream": 0}), ValueError, "stream 0"),
    ],
)
def test_device_arrays_that_cannot_be_read_are_refused(source, error, text):
    with pytest.raises(error, match=text):
        open_embeddings(source)


def test_device_arrays_are_described_and_do_not_pass_for_arrays():
    rows = open_embeddings(OnDevice(strides=(16, 2), extra={"stream": 7}))
    assert (rows.shape, rows.dtype, rows.nbytes, rows.device) == ((40, 8), "float16", 640, 0)
    assert rows.source == "CUDA device 0"
    assert open_embeddings(X).device is None
    with pytest.raises(TypeError, match="wanted them in CPU memory"):
        np.asarray(rows.array)
    with pytest.raises(TypeError, match="wanted them in CPU memory"):
        rows.array[3]
    with pytest.raises(TypeError, match="got dtype float16, wanted float32 as asked for"):
        open_embeddings(OnDevice(), dtype="float32")


@pytest.mark.skipif(not STATUS["usable"], reason="there is no CUDA device to ask")
def test_an_address_of_no_device_is_refused_where_the_array_names_none():
    with pytest.raises(ValueError, match=r"got an address 0x1000 .* no device's memory"):
        open_embeddings(OnDevice(device=None))
    assert _core.cuda_device_of(X.ctypes.data) == -1


@without_device
def test_an_array_that_names_no_device_waits_for_one():
    assert open_embeddings(OnDevice(device=None)).device == 0


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_rows_on_a_device_need_cuda(backend):
    with pytest.raises(ValueError, match=f"backend: got '{backend}' for embeddings on a CUDA device"):
        qdit.select(OnDevice(), alpha=0, k=3, backend=backend)


def test_dlpack_capsules_are_described():
    tensor = _core.describe_dlpack(np.ones((3, 4), np.float32).__dlpack__())
    assert (tensor["shape"], tensor["code"], tensor["bits"], tensor["lanes"]) == ((3, 4), 2, 32, 1)
    assert tensor["strides"] in (None, [4, 1])


def test_methods_that_read_rows_on_the_cpu_say_so(monkeypatch):
    monkeypatch.setattr(
        "qdit.engine.backend.cuda_status", lambda device=0: {"usable": True, "reason": "", "name": "x"}
    )
    with pytest.raises(ValueError, match="method: 'cluster' reads embeddings in CPU memory"):
        qdit.select(OnDevice(), np.arange(40), method="cluster", k=3)
