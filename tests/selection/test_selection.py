"""The result object: prefixes, values, and files that are whole or refused."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

import qdit
from qdit import Selection
from qdit.common import files

RNG = np.random.default_rng(8)
X = RNG.standard_normal((80, 8)).astype(np.float32)
Q = RNG.normal(3, 1, 80)
FIELDS = ("indices", "gains", "scores", "quality")


@pytest.fixture(scope="module")
def chosen() -> Selection:
    return qdit.select(X, Q, 0.5, 20, given=[4, 7])


def same(a: Selection, b: Selection) -> bool:
    arrays = [(getattr(a, name), getattr(b, name)) for name in FIELDS]
    whole = all((x is None and y is None) or x.tobytes() == y.tobytes() for x, y in arrays)
    return whole and (a.objective, a.coverage, a.mean_quality) == (b.objective, b.coverage, b.mean_quality)


def test_dtypes_and_values(chosen):
    assert [getattr(chosen, name).dtype.name for name in FIELDS] == ["int64", *["float64"] * 3]
    assert len(chosen) == 20
    assert len(set(chosen.indices.tolist()) - {4, 7}) == 20
    assert chosen.quality.tolist() == Q[chosen.indices].tolist()
    assert chosen.mean_quality == pytest.approx(Q[chosen.indices].mean(), rel=1e-15)
    assert chosen.coverage == qdit.coverage(X, chosen.indices, given=[4, 7])
    assert chosen.d_start / 80 == pytest.approx(qdit.coverage(X, [4, 7]), rel=1e-15)
    assert chosen.objective == pytest.approx(qdit.objective(X, chosen, Q, 0.5, given=[4, 7]), rel=1e-15)


@pytest.mark.parametrize("options", [{}, {"given": [4, 7]}, {"floor": 0.25}, {"metric": "dot"}])
def test_a_prefix_is_the_selection_of_that_size(options):
    whole = qdit.select(X, Q, 0.5, 20, **options)
    for k in (1, 7, 19, 20):
        assert same(whole[:k], qdit.select(X, Q, 0.5, k, **options))
    assert whole[:7].params["k"] == 7
    assert whole[:7][:3].params["prefix_of"] == 20
    assert same(whole[:-3], whole[0:17:1])
    assert whole[:] is whole


@pytest.mark.parametrize(
    ("key", "kind", "text"),
    [
        (3, TypeError, "selection: got index 3, wanted a prefix sel[:k]; single rows: sel.indices[i]"),
        (
            slice(2, 5),
            ValueError,
            "selection: got [2:5], wanted a prefix [:k]; other parts are no greedy selection: "
            "slice sel.indices",
        ),
        (
            slice(None, None, 2),
            ValueError,
            "selection: got [::2], wanted a prefix [:k]; other parts are no greedy selection: "
            "slice sel.indices",
        ),
        (slice(0), ValueError, "selection: got a prefix of 0 picks, wanted 1 to 20"),
        (slice(21), ValueError, "selection: got a prefix of 21 picks, wanted 1 to 20"),
        (slice(2.5), TypeError, "selection: end of the prefix: got 2.5, wanted an integer"),
        (slice(True), TypeError, "selection: end of the prefix: got True, wanted an integer"),
        (slice(-20), ValueError, "selection: got a prefix of 0 picks, wanted 1 to 20"),
    ],
    ids=str,
)
def test_what_is_no_prefix(chosen, key, kind, text):
    with pytest.raises(kind) as caught:
        chosen[key]
    assert str(caught.value) == text


def test_it_is_frozen_and_says_what_it_is(chosen):
    with pytest.raises(AttributeError):
        chosen.coverage = 1.0
    assert repr(chosen) == (
        f"Selection(k=20, coverage={chosen.coverage:.4f}, mean_quality={chosen.mean_quality:.4f}, "
        f"objective={chosen.objective:.6g}, alpha=0.5, method='exact', n=80)"
    )


def test_params_and_stats(chosen):
    assert chosen.params["n"] == 80
    assert chosen.params["given_rows"] == 2
    assert {"evaluations", "passes", "peak_bytes", "threads", "simd", "backend"} <= chosen.stats.keys()
    assert chosen.stats["seconds_total"] >= chosen.stats["seconds_gains"] >= 0
    assert chosen.stats["versions"]["qdit"] == qdit.__version__
    assert chosen.inputs.keys() == {"embeddings", "quality", "given"}


def test_save_and_load(chosen, tmp_path):
    assert chosen.save(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    loaded = Selection.load(tmp_path / "a" / "b")
    assert same(loaded, chosen)
    assert loaded.d_start == chosen.d_start
    assert json.loads(json.dumps(dict(chosen.params))) == loaded.params
    assert loaded.stats == chosen.stats
    assert loaded.inputs == chosen.inputs
    assert same(loaded[:5], chosen[:5])


def test_files_are_readable_as_the_umask_says(chosen, tmp_path):
    before = os.umask(0o022)
    try:
        chosen.save(tmp_path)
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o644}


def test_input_hashes_tell_inputs_apart(tmp_path):
    np.save(tmp_path / "x.npy", X)
    files = [qdit.select(source, alpha=0, k=2).inputs for source in (X, tmp_path / "x.npy", X.astype("f8"))]
    hashes = [inputs["embeddings"]["sha256"] for inputs in files]
    assert hashes[0] == hashes[1] != hashes[2]
    assert files[1]["embeddings"]["source"] == str(tmp_path / "x.npy")
    other = X.copy()
    other[79, 7] += 1
    assert qdit.select(other, alpha=0, k=2).inputs["embeddings"]["sha256"] != hashes[0]


def test_saving_without_quality_removes_the_old_quality(chosen, tmp_path):
    chosen.save(tmp_path)
    plain = qdit.select(X, alpha=0, k=3)
    plain.save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "indices.npy",
        "gains.npy",
        "scores.npy",
        "manifest.json",
    }
    assert same(Selection.load(tmp_path), plain)
    assert Selection.load(tmp_path).mean_quality is None


def test_a_damaged_file_is_refused(chosen, tmp_path):
    chosen.save(tmp_path)
    path = tmp_path / "indices.npy"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError) as caught:
        Selection.load(tmp_path)
    wanted = json.loads((tmp_path / "manifest.json").read_text())["files"]["indices.npy"]["sha256"]
    found = files.sha256_file(path)
    text = f"{path} is damaged or changed: sha256 is {found}, the manifest says {wanted}; select again"
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("{", " is damaged: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("[]", ": got format None, wanted 'qdit-selection'; this file is not qdit's"),
        ('{"format": "other"}', ": got format 'other', wanted 'qdit-selection'; this file is not qdit's"),
        (
            '{"format": "qdit-selection", "format_version": 9}',
            ": got format version 9, wanted 1; select again",
        ),
        ('{"format": "qdit-selection", "format_version": 1}', " is damaged: it has no 'files'; select again"),
    ],
)
def test_a_damaged_manifest_is_refused(chosen, tmp_path, content, text):
    chosen.save(tmp_path)
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(ValueError) as caught:
        Selection.load(tmp_path)
    assert str(caught.value) == f"{tmp_path / 'manifest.json'}{text}"


def test_a_missing_file_is_refused(chosen, tmp_path):
    chosen.save(tmp_path)
    (tmp_path / "scores.npy").unlink()
    with pytest.raises(ValueError) as caught:
        Selection.load(tmp_path)
    path = tmp_path / "scores.npy"
    assert str(caught.value) == f"{path} is missing though the manifest lists it; select again"


def test_a_save_stopped_anywhere_leaves_the_old_the_new_or_nothing(chosen, tmp_path, monkeypatch):
    """Fault injection at every rename: what can be loaded is one selection, whole."""
    new = qdit.select(X, Q, 0.9, 9)
    replace = Path.replace
    outcomes = []
    for stop in range(12):
        directory = tmp_path / str(stop)
        chosen.save(directory)
        calls = iter(range(99))

        def failing(self: Path, target: Path, calls=calls, stop=stop) -> Path:
            if next(calls) == stop:
                raise OSError("stopped")
            return replace(self, target)

        monkeypatch.setattr(Path, "replace", failing)
        try:
            new.save(directory)
            outcomes.append("new" if same(Selection.load(directory), new) else "mixed")
        except OSError:
            if (directory / "manifest.json").exists():
                outcomes.append("old" if same(Selection.load(directory), chosen) else "mixed")
            else:
                with pytest.raises(FileNotFoundError, match=r"no manifest\.json, so no complete selection"):
                    Selection.load(directory)
                outcomes.append("nothing")
        monkeypatch.setattr(Path, "replace", replace)
        assert not list(directory.glob(".*.tmp"))
        new.save(directory)
        assert same(Selection.load(directory), new)
    assert outcomes == ["old"] * 6 + ["nothing"] * 5 + ["new"]  # written beside the old one, then moved
