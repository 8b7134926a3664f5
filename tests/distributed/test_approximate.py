"""Approximate selections over shards, with workers in this process; predictions for larger runs."""

import numpy as np
import pytest

import qdit
from conftest import skip_without_cuda
from helpers.shards import Fails, assert_same, cut, one_process, pool, select
from qdit import distributed
from qdit.cli.main import main


@pytest.mark.parametrize("places", [[], [900], [500, 1100]])
def test_sparse_is_near_exact_and_says_the_truth(places):
    rows, quality = pool(2000)
    shards = cut(rows, *places)
    got = select(shards, quality, 0.3, 100, method="sparse")
    wanted = one_process(rows, quality, 0.3, 100)
    random = qdit.select(rows, quality, 0.3, 100, method="random")
    gained = got.objective - random.objective
    assert gained > 0.8 * (wanted.objective - random.objective)
    assert got.objective == pytest.approx(qdit.objective(rows, got.indices, quality, 0.3), rel=1e-6)
    assert np.array_equal(got.indices, select(shards, quality, 0.3, 100, method="sparse").indices)


def test_sparse_of_one_shard_merges_nothing_and_given_rows_stay_out():
    rows, quality = pool(900)
    got = select(cut(rows, 400), quality, 0.3, 50, method="sparse", given=np.array([5, 600]))
    assert not set(got.indices.tolist()) & {5, 600}
    assert len(set(got.indices.tolist())) == 50
    with pytest.raises(ValueError, match="metric 'cosine' only"):
        select(cut(rows, 400), quality, 0.3, 50, method="sparse", metric="dot")


@pytest.mark.parametrize("given_kind", ["none", "pool", "outside"])
def test_two_rounds_are_near_exact(given_kind):
    rows, quality = pool(1200)
    given = {"none": None, "pool": np.array([3, 800]), "outside": pool(3, seed=7)[0]}[given_kind]
    got = distributed.two_round(cut(rows, 500), quality, 0.3, 60, address="in-process", given=given, parts=3)
    wanted = one_process(rows, quality, 0.3, 60, given=given)
    assert got.objective <= wanted.objective * (1 + 1e-9)
    assert got.objective > 0.97 * wanted.objective
    assert got.stats["candidates"] <= 180
    assert got.objective == max(got.stats["objective_union"], got.stats["objective_best_part"])
    true = qdit.objective(rows, got.indices, quality, 0.3, given=given)
    assert got.objective == pytest.approx(true, rel=1e-6)


def test_two_rounds_take_given_rows_of_another_dtype():
    rows, quality = pool(300)
    given = pool(3, seed=7)[0].astype(np.float32)
    options = {"given": given, "address": "in-process", "parts": 1}
    got = distributed.two_round(cut(rows, 120), quality, 0.3, 20, **options)
    assert got.indices.tolist() == one_process(rows, quality, 0.3, 20, given=given).indices.tolist()


def test_two_rounds_of_one_part_are_exact_greedy():
    rows, quality = pool(500)
    got = distributed.two_round(cut(rows, 200), quality, 0.3, 30, address="in-process", parts=1)
    assert got.indices.tolist() == one_process(rows, quality, 0.3, 30).indices.tolist()
    with pytest.raises(ValueError, match="parts: got 20, wanted 1 to 16"):
        distributed.two_round(cut(rows, 200), quality, 0.3, 30, address="in-process", parts=20)


def test_two_rounds_on_cuda():
    skip_without_cuda()
    rows, quality = pool(260)
    options = {"parts": 1, "address": "in-process", "floor": 0.0}
    got = distributed.two_round(cut(rows, 100), quality, 0.5, 8, backend="cuda", **options)
    wanted = qdit.select(rows, quality, 0.5, 8, backend="cuda", method="exact", floor=0.0)
    assert np.array_equal(got.indices, wanted.indices)


@pytest.mark.parametrize("method", ["collect", "choose", "sparse"])
def test_a_worker_lost_by_an_approximation_changes_nothing(method):
    rows, quality = pool(600)
    shards = cut(rows, 250)

    def run(**options):
        if method == "sparse":
            return distributed.select(shards, quality, 0.3, 40, method="sparse", **options)
        return distributed.two_round(shards, quality, 0.3, 40, **options)

    got = run(transport=Fails(method, 2).transport)
    assert got.stats["actors_lost"] == 1
    assert_same(got, run(address="in-process"))


def test_predictions_follow_from_what_was_measured():
    rows, quality = pool(800)
    rates = distributed.measure(rows, quality, k=60)
    assert 0 < rates.rounds < 4
    assert rates.bytes > 0
    assert rates.pairs > 1e5
    small, large = (distributed.predict(rates, n, 1000, distributed.Cluster(8, 4)) for n in (10**7, 10**8))
    assert [one.method for one in small] == ["exact", "sparse", "two_round"]
    assert large[0].compute == pytest.approx(100 * small[0].compute)
    assert large[1].compute == pytest.approx(10 * small[1].compute)
    more = distributed.predict(rates, 10**8, 1000, distributed.Cluster(16, 4))
    assert more[0].compute < large[0].compute < 2.2 * more[0].compute
    assert all(one.seconds >= one.compute + one.network for one in large)


def test_simulate_command(capsys):
    assert main(["simulate", "--rows", "1000000,2000000", "--d", "16", "--nodes", "4"]) == 0
    text = capsys.readouterr().out
    assert "predicted for 4 nodes of 32 cores" in text
    assert text.count("| exact |") == text.count("| two_round |") == 2
    assert main(["simulate", "--nodes", "0"]) == 2
    assert "nodes: got 0" in capsys.readouterr().err
