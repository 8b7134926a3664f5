"""The sample pool and the demo, in small."""

import sys

import numpy as np
import pytest

from qdit import Selection
from qdit.cli import main
from qdit.demo import format_outcomes, run_demo
from qdit.picture import project
from qdit.sample import write_sample


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    return write_sample(tmp_path_factory.mktemp("sample"), 3000, 64, seed=1)


def test_a_seed_makes_the_same_files(sample, tmp_path):
    again = write_sample(tmp_path, 3000, 64, seed=1)
    assert again.embeddings.read_bytes() == sample.embeddings.read_bytes()
    assert again.quality.read_bytes() == sample.quality.read_bytes()
    other = write_sample(tmp_path / "other", 3000, 64, seed=2)
    assert other.embeddings.read_bytes() != sample.embeddings.read_bytes()


def test_the_sample_has_what_it_promises(sample):
    rows = np.load(sample.embeddings, mmap_mode="r")
    assert (rows.shape, rows.dtype) == ((3000, 64), np.float16)
    unit = rows.astype(np.float32)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, atol=2e-3)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -1)
    nearest = similarity.max(axis=1)
    assert 0.05 < (nearest > 0.98).mean() < 0.3, "near-duplicates"
    outliers = sample.topic == -1
    assert 0.001 < outliers.mean() < 0.02
    assert np.median(nearest[outliers]) < np.median(nearest) - 0.1
    sizes = np.bincount(sample.topic[~outliers])
    assert sizes.max() > 1.5 * sizes.min()


def test_the_ratings_are_skewed_and_follow_topics(sample):
    quality = np.load(sample.quality)
    assert quality.dtype == np.float32
    assert quality.min() >= 1
    assert quality.max() <= 5
    assert quality.mean() > np.median(quality)
    means = [quality[sample.topic == topic].mean() for topic in range(12)]
    assert max(means) - min(means) > 0.7
    assert 0.5 < quality.std() < 1.2


def test_project_finds_the_two_widest_directions():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(9000, 2)) * [5, 2]
    axes = np.linalg.qr(rng.normal(size=(10, 2)))[0].T
    got = project((points @ axes + 3 + rng.normal(size=(9000, 10)) * 0.01).astype(np.float32))
    centred = points - points.mean(axis=0)
    for i in range(2):
        assert abs(np.corrcoef(got[:, i], centred[:, i])[0, 1]) > 0.99


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    said = []
    return folder, said, run_demo(folder, rows=3000, dims=64, k=150, progress=False, say=said.append)


def test_the_demo_shows_the_trade_off(outcomes):
    qdit, diverse, best, random = outcomes[2]
    assert best.mean_quality >= qdit.mean_quality > random.mean_quality + 0.5
    assert diverse.coverage >= qdit.coverage > best.coverage + 0.02
    assert qdit.worst > best.worst
    assert diverse.coverage > random.coverage
    assert len({tuple(sorted(outcome.indices)) for outcome in outcomes[2]}) == 4


def test_the_demo_writes_table_picture_and_selections(outcomes):
    folder, said, found = outcomes
    assert format_outcomes(found, 3000, 150) in said[-1]
    assert [line.split("  ")[0] for line in said[-1].splitlines()[2:6]] == [o.name for o in found]
    picture = (folder / "picks.png").read_bytes()
    assert picture.startswith(b"\x89PNG\r\n")
    assert len(picture) > 50_000
    for alpha, outcome in zip(("0.7", "0", "1"), found, strict=False):
        saved = Selection.load(folder / f"alpha-{alpha}")
        assert saved.indices.tolist() == outcome.indices.tolist()
        assert saved.coverage == pytest.approx(outcome.coverage, abs=1e-7)


def test_the_command(tmp_path, capsys):
    line = f"demo --out {tmp_path / 'demo'} --rows 500 --dims 16 --k 25 --threads 1 --no-progress"
    assert main(line.split()) == 0
    text = capsys.readouterr().out
    assert "25 of 500 rows" in text
    assert f"picture: {tmp_path / 'demo' / 'picks.png'}" in text


def test_without_matplotlib_the_command_says_what_to_install(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["demo", "--out", str(tmp_path / "demo"), "--rows", "100"]) == 1
    text = "qdit: error: the picture needs matplotlib; install it with: pip install 'qdit[plots]'\n"
    assert capsys.readouterr().err == text
    assert not (tmp_path / "demo").exists()
