"""qdit.distributed on a Ray of this machine."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

import qdit
from conftest import skip_without_cuda
from qdit import _core, distributed
from qdit.distributed import ray_transport

ray = pytest.importorskip("ray", reason="needs Ray: pip install 'qdit[ray]'")

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own, of sockets and files that it leaves open


@pytest.fixture(scope="module")
def cluster():
    patch = pytest.MonkeyPatch()
    patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    patch.setenv("RAY_AUTH_MODE", "disabled")
    gpus = int(_core.cuda_status()["usable"])  # Ray counts no emulated one
    ray.init(num_cpus=2, num_gpus=gpus, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield
    ray.shutdown()
    patch.undo()


def pool(n, d=32):
    random = np.random.default_rng(1)
    centers = random.standard_normal((n // 40, d))
    rows = centers[random.integers(len(centers), size=n)] + 0.7 * random.standard_normal((n, d))
    return rows.astype(np.float16), random.uniform(1, 5, n)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    rows, quality = pool(4000)
    np.save(folder / "all.npy", rows)
    np.save(folder / "a.npy", rows[:1700])
    np.save(folder / "b.npy", rows[1700:])
    np.save(folder / "quality.npy", quality)
    return folder


def one_process(files, k):
    return qdit.select(
        files / "all.npy", files / "quality.npy", 0.5, k, method="exact", backend="cpu", threads=1
    )


def test_two_actors_pick_what_one_process_picks(cluster, files):
    seen = []
    got = distributed.select(
        [files / "a.npy", files / "b.npy"], files / "quality.npy", 0.5, 300, progress=seen.append
    )
    wanted = one_process(files, 300)
    assert np.array_equal(got.indices, wanted.indices)
    assert got.gains.tobytes() == wanted.gains.tobytes()
    assert got.stats["actors"] == 2
    assert {"first pass", "picking", "done"} <= {progress.phase for progress in seen}
    assert ray.is_initialized()  # the caller's Ray stays


def test_an_actor_killed_in_the_middle_changes_nothing(cluster, files, monkeypatch):
    transports = []
    start = ray_transport.RayTransport.__init__

    def remember(self, *args, **options):
        start(self, *args, **options)
        transports.append(self)

    monkeypatch.setattr(ray_transport.RayTransport, "__init__", remember)
    killed = []

    def kill(progress):
        if progress.phase == "picking" and progress.picks >= 30 and not killed:
            killed.append(transports[0].pids()[1])
            os.kill(killed[0], signal.SIGKILL)

    got = distributed.select(
        distributed.split(files / "all.npy", 2), files / "quality.npy", 0.5, 300, progress=kill
    )
    wanted = one_process(files, 300)
    assert killed
    assert got.stats["actors_lost"] == 1
    assert np.array_equal(got.indices, wanted.indices)
    assert got.gains.tobytes() == wanted.gains.tobytes()


def test_errors_of_actors_are_those_of_one_process(cluster, files):
    rows = np.load(files / "a.npy")
    rows[7, 3] = np.inf
    with pytest.raises(ValueError, match=r"shard 1 .*row 7 has inf"):
        distributed.select([files / "a.npy", rows], np.ones(3400), 0.5, 5)


def test_an_actor_with_a_gpu_picks_what_one_process_picks(cluster):
    skip_without_cuda()
    rows, quality = pool(300)
    got = distributed.select([rows], quality, 0.7, 10, backend="cuda")
    wanted = qdit.select(rows, quality, 0.7, 10, backend="cuda", method="lazy")
    assert got.stats["backend"] == "cuda"
    assert got.gains.tobytes() == wanted.gains.tobytes()
    assert np.array_equal(got.indices, wanted.indices)
    assert got.stats["actors"] == 1


def test_a_cluster_without_room_is_an_error(cluster, files, monkeypatch):
    monkeypatch.setattr(ray_transport, "_START_SECONDS", 2.0)
    with pytest.raises(RuntimeError, match="did not start"):
        distributed.select([files / "a.npy", files / "b.npy"], None, 0.0, 5, threads=2)


DRIVER = """
    import os, sys, time
    import ray
    ray.init(address=sys.argv[1], log_to_driver=False, logging_level="error")
    from qdit import distributed
    def slow(progress):
        if progress.phase == "picking":
            print(progress.picks, flush=True)
            time.sleep(0.05)
    folder = sys.argv[2]
    distributed.select([f"{folder}/a.npy", f"{folder}/b.npy"], f"{folder}/quality.npy", 0.5, 300,
                       checkpoint=f"{folder}/run-{sys.argv[3]}", progress=slow)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["kill", "ctrl-c"])
def test_a_driver_that_was_stopped_goes_on(cluster, files, number):
    address = ray.get_runtime_context().gcs_address
    command = [sys.executable, "-c", textwrap.dedent(DRIVER), address, str(files), number.name]
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in driver.stdout:
        if int(line) >= 20:
            break
    driver.send_signal(number)
    errors = driver.communicate(timeout=60)[1]
    assert driver.returncode != 0
    if number == signal.SIGINT:
        assert "KeyboardInterrupt" in errors
        assert "repeat the call to go on from the checkpoint" in errors
    deadline = time.monotonic() + 120  # Ray ends the actors of a dead driver when it comes to it
    while ray.available_resources().get("CPU") != 2:
        assert time.monotonic() < deadline, ray.available_resources()
        time.sleep(0.1)
    got = distributed.select(
        [files / "a.npy", files / "b.npy"],
        files / "quality.npy",
        0.5,
        300,
        checkpoint=files / f"run-{number.name}",
    )
    assert got.stats["resumed_picks"] >= 20
    wanted = one_process(files, 300)
    assert np.array_equal(got.indices, wanted.indices)
    assert got.gains.tobytes() == wanted.gains.tobytes()


@pytest.mark.slow
@pytest.mark.real_data
def test_alpaca_on_two_actors_is_what_one_process_picks(cluster):
    folder = Path(os.environ.get("QDIT_DATA", ""))
    file = folder / "alpaca_mpnet_f16.npy"
    if not file.exists():
        pytest.skip("no Alpaca embeddings: set QDIT_DATA to the folder that has them")
    quality = np.load(folder / "alpaca_quality.npy").astype(np.float64)
    got = distributed.select(distributed.split(file, 2), quality, 0.7, 3000)
    wanted = qdit.select(file, quality, 0.7, 3000, method="exact", backend="cpu")
    assert np.array_equal(got.indices, wanted.indices)
    assert got.gains.tobytes() == wanted.gains.tobytes()
    assert got.objective == wanted.objective
    assert got.stats["rounds"] < 600
