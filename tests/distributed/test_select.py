"""The protocol of qdit.distributed, with workers in this process: no Ray."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qdit
from conftest import skip_without_cuda
from helpers.oracle import replay
from helpers.shards import Fails, assert_same, cut, one_process, pool, select
from qdit import distributed
from qdit.cli.main import main


@settings(max_examples=25)
@given(data=st.data())
def test_shard_agnosticism(data):
    n = data.draw(st.integers(2, 120), "n")
    places = data.draw(st.lists(st.integers(1, n - 1), max_size=4, unique=True), "cuts")
    seed = data.draw(st.integers(0, 99), "seed")
    metric = data.draw(st.sampled_from(["cosine", "dot"]), "metric")
    integers = data.draw(st.booleans(), "integers")
    floor = data.draw(st.sampled_from([None, 0.0]), "floor")
    rows, quality = pool(n, 5, seed)
    if integers:  # ties
        rows, quality = np.rint(rows).astype(np.float32), np.rint(quality)
        rows[:, 0] = 1
    given_rows = data.draw(st.lists(st.integers(0, n - 1), max_size=3, unique=True), "given")
    options = {"metric": metric, "floor": floor, "given": np.array(given_rows, np.int64)}
    k = data.draw(st.integers(1, n - len(given_rows)), "k")
    alpha = data.draw(st.sampled_from([0.0, 0.3, 0.9, 1.0]), "alpha")
    method = data.draw(st.sampled_from(["exact", "lazy"]), "method")
    got = select(cut(rows, *sorted(places)), quality, alpha, k, method=method, **options)
    wanted = qdit.select(rows, quality, alpha, k, backend="cpu", threads=1, **options)
    assert_same(got, wanted)


@pytest.mark.parametrize("memory", [1, 200_000, 10**9])
def test_lists_that_do_not_fit_change_nothing(memory):
    rows, quality = pool(2500)
    wanted = one_process(rows, quality, 0.5, 120)
    got = select(cut(rows, 1100), quality, 0.5, 120, memory_budget=memory)
    assert_same(got, wanted)
    assert got.upper_bound >= got.objective


def test_one_round_makes_several_picks():
    rows, quality = pool(3000)
    got = select(cut(rows, 1000, 2000), quality, 0.5, 400)
    assert got.stats["rounds"] < 100
    assert got.stats["actors"] == 3
    assert got.stats["bytes_received"] > 0


def test_reference_backend_agrees_with_itself_and_the_oracle():
    rows, quality = pool(90, 6)
    got = select(cut(rows, 40), quality, 0.5, 12, backend="reference")
    wanted = qdit.select(rows, quality, 0.5, 12, backend="reference")
    assert_same(got, wanted)
    assert got.params["method"] == "lazy"
    replay(rows, got.indices, quality, 0.5, k=12, gains=got.gains)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("alpha", [0.0, 0.7])
def test_cuda_picks_what_one_device_picks(dtype, alpha):
    skip_without_cuda()
    rows, quality = pool(260, dtype=dtype)
    wanted = qdit.select(rows, quality, alpha, 12, backend="cuda", method="lazy")
    for places in ([], [100], [1, 200]):
        got = select(cut(rows, *places), quality, alpha, 12, backend="cuda")
        assert_same(got, wanted)
        assert got.params["method"] == "lazy"
        assert got.params["backend"] == got.stats["backend"] == "cuda"
        assert got.params["precision"] == wanted.params["precision"]
        assert got.stats["device"] == wanted.stats["device"]


def test_cuda_keeps_no_lists_for_others():
    skip_without_cuda()
    rows, quality = pool(60)
    for method in ("exact", "sparse"):
        with pytest.raises(ValueError, match="lists of pairs"):
            select([rows], quality, 0.5, 3, backend="cuda", method=method)


def test_the_oracle_finds_every_pick_the_best_of_its_step():
    rows, quality = pool(700, dtype=np.float32)
    got = select(cut(rows, 300, 450), quality, 0.3, 80)
    replay(rows, got.indices, quality, 0.3, k=80, gains=got.gains)


def test_dot_takes_the_longest_row_of_all_shards_for_its_scale():
    rows, quality = pool(400, dtype=np.float32)
    rows[250:] *= 9
    wanted = one_process(rows, quality, 0.2, 30, metric="dot")
    assert_same(select(cut(rows, 250), quality, 0.2, 30, metric="dot"), wanted)


def test_outside_rows_zero_rows_and_scales():
    rows, quality = pool(300)
    rows[[3, 200]] = 0
    outside = pool(4, seed=9)[0]
    options = {
        "given": outside,
        "zero_rows": "ignore",
        "gain_scale": "per_k",
        "quality_scale": "rank",
    }
    wanted = one_process(rows, quality, 0.4, 25, **options)
    got = select(cut(rows, 120), quality, 0.4, 25, **options)
    assert_same(got, wanted)
    assert got.params["ignored_rows"] == 2


def test_shards_from_files_of_several_kinds(tmp_path):
    arrow = pytest.importorskip("pyarrow", reason="Parquet shards need pyarrow")
    from pyarrow import parquet

    rows, quality = pool(200, dtype=np.float32)
    np.save(tmp_path / "a.npy", rows[:70])
    table = arrow.table({"embeddings": arrow.array(list(rows[70:150]), arrow.list_(arrow.float32()))})
    parquet.write_table(table, tmp_path / "b.parquet")
    np.save(tmp_path / "quality.npy", quality)
    shards = [tmp_path / "a.npy", tmp_path / "b.parquet", np.ascontiguousarray(rows[150:])]
    got = select(shards, tmp_path / "quality.npy", 0.5, 20)
    assert_same(got, one_process(rows, quality, 0.5, 20))
    parts = [quality[:70], quality[70:150], quality[150:]]
    assert np.array_equal(select(shards, parts, 0.5, 20).indices, got.indices)


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("kind", ["array", "npy", "parquet"])
def test_a_shard_without_rows_changes_nothing(tmp_path, place, kind):
    rows, quality = pool(60)
    shards, scores, empty = cut(rows, 20), [quality[:20], quality[20:]], rows[:0]
    if kind == "npy":
        np.save(tmp_path / "empty.npy", empty)
        empty = tmp_path / "empty.npy"
    elif kind == "parquet":
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        empty = tmp_path / "empty.parquet"
        pq.write_table(pa.table({"embeddings": pa.nulls(0)}), empty)
    shards.insert(place, empty)
    scores.insert(place, quality[:0])
    for method in ("exact", "sparse"):
        got = select(shards, scores, 0.5, 12, method=method)
        assert_same(got, select(cut(rows, 20), quality, 0.5, 12, method=method))
    with pytest.raises(ValueError, match=r"^shards: none of 2 has a row; pass one that has$"):
        select([empty, empty], quality, 0.5, 12)


def test_command_line(tmp_path, monkeypatch, capsys):
    rows, quality = pool(300)
    np.save(tmp_path / "x.npy", rows)
    np.save(tmp_path / "q.npy", quality)
    monkeypatch.chdir(tmp_path)
    line = "select x.npy --quality q.npy --alpha 0.5 --k 20 --ray in-process --no-progress"
    assert main([*line.split(), "--actors", "3", "--out", "chosen"]) == 0
    assert "picked" in capsys.readouterr().out
    got = qdit.Selection.load("chosen")
    assert_same(got, one_process(rows, quality, 0.5, 20))
    assert got.stats["actors"] == 3
    assert not (tmp_path / "chosen" / "checkpoint").exists()
    assert main([*line.split(), "--costs", "q.npy"]) == 2
    assert "costs: got 'q.npy' with --ray" in capsys.readouterr().err
    assert main([*line.split(), "--precision", "split"]) == 2
    assert "precision: got 'split' with --ray" in capsys.readouterr().err
    assert main([*line.split(), "--tau", "0.4"]) == 2
    assert "tau: got 0.4 with --ray, which knows no such option; leave it out" in capsys.readouterr().err
    assert main(["select", "x.npy", "--actors", "2"]) == 2
    assert "without ray" in capsys.readouterr().err
    (tmp_path / "shards").mkdir()
    np.save(tmp_path / "shards" / "b.npy", rows[100:])
    np.save(tmp_path / "shards" / "a.npy", rows[:100])
    assert main([*line.replace("x.npy", "shards").split(), "--out", "again"]) == 0
    assert np.array_equal(qdit.Selection.load("again").indices, got.indices)


@pytest.mark.parametrize(
    ("method", "calls"),
    [
        ("begin", [2]),
        ("first_gains", [1]),
        ("open_lists", [2]),
        ("list_block", [1]),
        ("start_lists", [2]),
        ("step", [5]),
        ("step", [4, 9, 14]),
        ("take", [3]),
        ("bounds", [1]),
    ],
)
def test_a_lost_worker_changes_nothing(method, calls):
    rows, quality = pool(600)
    fails = Fails(method, *calls)
    got = distributed.select(cut(rows, 250), quality, 0.3, 60, transport=fails.transport)
    assert got.stats["actors_lost"] == len(calls)
    assert_same(got, one_process(rows, quality, 0.3, 60))


def test_a_run_that_loses_worker_after_worker_gives_up():
    rows, quality = pool(100)
    fails = Fails("begin", *range(100))
    with pytest.raises(RuntimeError, match="gives up"):
        distributed.select(cut(rows, 50), quality, 0.3, 10, transport=fails.transport)


def test_a_stopped_run_goes_on_from_its_checkpoint(tmp_path):
    rows, quality = pool(800)
    shards = cut(rows, 300)

    class StopError(Exception):
        pass

    def stop(progress):
        if progress.phase == "picking" and progress.picks >= 40:
            raise StopError

    with pytest.raises(StopError):
        select(shards, quality, 0.3, 150, checkpoint=tmp_path / "run", progress=stop)
    got = select(shards, quality, 0.3, 150, checkpoint=tmp_path / "run")
    assert got.stats["resumed_picks"] >= 40
    assert_same(got, one_process(rows, quality, 0.3, 150))
    again = select(shards, quality, 0.3, 150, checkpoint=tmp_path / "run")
    assert np.array_equal(again.indices, got.indices)
    with pytest.raises(ValueError, match=r"alpha is 0\.4 now and was 0\.3"):
        select(shards, quality, 0.4, 150, checkpoint=tmp_path / "run")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shards": []}, "empty list"),
        ({"shards": "a.npy"}, "wanted a list of paths or arrays"),
        ({"shards": ["/no/such/file.npy"]}, "no such file or folder"),
        ({"k": 1000}, "wanted at most 100"),
        ({"quality": [np.ones(50)]}, "one for each of the 2 shards"),
        ({"quality": np.ones(99)}, "quality"),
        ({"method": "naive"}, "method"),
        ({"method": "exact", "backend": "reference"}, "use 'lazy'"),
    ],
)
def test_bad_input_is_refused(change, message):
    rows, quality = pool(100)
    call = {"shards": cut(rows, 50), "quality": quality, "alpha": 0.5, "k": 5} | change
    with pytest.raises((ValueError, TypeError, FileNotFoundError), match=message):
        distributed.select(**call, address="in-process")


def test_without_ray_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    rows, quality = pool(100)
    with pytest.raises(ImportError, match=r"pip install 'qdit\[ray\]'"):
        distributed.select(cut(rows, 50), quality, 0.5, 5, address="local")


def test_shards_that_do_not_go_together_are_named():
    rows, quality = pool(100)
    with pytest.raises(ValueError, match=r"shard 1 \(memory\) has d 23, wanted 24"):
        select([rows[:50], np.ascontiguousarray(rows[50:, :23])], quality, 0.5, 5)
    with pytest.raises(ValueError, match="has dtype 'float32', wanted 'float16'"):
        select([rows[:50], rows[50:].astype(np.float32)], quality, 0.5, 5)
    rows[70] = np.nan
    with pytest.raises(ValueError, match=r"shard 1 \(memory\): embeddings: row 20 has nan"):
        select(cut(rows, 50), quality, 0.5, 5)


def test_options_that_shards_do_not_know_are_named():
    rows, quality = pool(100)
    with pytest.raises(TypeError, match=r"distributed.select: got option 'costs', wanted one of quality, "):
        select([rows], quality, 0.5, 5, costs=quality)
    with pytest.raises(TypeError, match=r"distributed.two_round: got option 'method', wanted one of "):
        distributed.two_round([rows], quality, 0.5, 5, method="lazy")
