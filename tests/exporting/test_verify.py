"""Verify: what is whole passes, every kind of damage is found and named."""

import json
import shutil

import numpy as np
import pytest
from jsonargparse import auto_cli

import qdit
from helpers.export_pools import K, make, vectors
from qdit import Selection, distributed
from qdit.cli.export import verify_command
from qdit.common.files import sha256_file
from qdit.exporting import export, verify


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make(tmp_path_factory.mktemp("verify"))


@pytest.fixture
def out(made, tmp_path):
    return export(made.chosen, tmp_path / "out", pool=made.pool)


def statuses(found):
    return {check.name: check.status for check in found.checks}


def failure(found):
    """Return the name and detail of the first check that failed."""
    assert not found.ok
    return found.failures[0].name, found.failures[0].detail


def resave(made, folder, **changes):
    """Save a selection that was tampered with and hashed again."""
    kept = {"params": made.selection.params, "stats": made.selection.stats, "inputs": made.selection.inputs}
    values = {
        name: getattr(made.selection, name).copy() for name in ("indices", "gains", "scores", "quality")
    }
    values |= {"d_start": made.selection.d_start} | changes
    Selection.from_picks(**values, **kept).save(folder)
    return folder


def test_an_export_and_a_selection_pass(made, out):
    found = verify(out, threads=1)
    assert found.ok
    assert statuses(found) == dict.fromkeys(
        ("files", "selection", "pool", "rows", "gains", "objective", "picks"), "ok"
    )
    assert verify(made.chosen, threads=1).ok
    assert verify(out / "selection", pool=made.pool).ok


def test_every_file_is_watched(out):
    record = json.loads((out / "manifest.json").read_text())
    for name in record["files"]:
        path = out / name
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        details = " ".join(check.detail for check in verify(out, steps=0).failures)
        assert str(path) in details, name
        path.unlink()
        assert not verify(out, steps=0).ok
        path.write_bytes(content)
    assert verify(out, steps=0).ok


@pytest.mark.parametrize(("old", "new"), [('"files": {', '"files": [], "x": {'), ('"format"', "")])
def test_a_damaged_manifest_of_an_export_fails(out, old, new):
    path = out / "manifest.json"
    path.write_text(path.read_text().replace(old, new))
    name, detail = failure(verify(out))
    assert name == "export"
    assert detail.startswith(f"{path} is damaged: ")


def test_changed_rows_are_found_even_with_new_hashes(out):
    data = out / "data.jsonl"
    rows = data.read_bytes().split(b"\n")
    rows[4] = rows[4].replace(b"topic", b"Topic")
    data.write_bytes(b"\n".join(rows))
    record = json.loads((out / "manifest.json").read_text())
    record["files"]["data.jsonl"]["sha256"] = sha256_file(data)
    (out / "manifest.json").write_text(json.dumps(record))
    name, detail = failure(verify(out))
    assert name == "rows"
    assert "line 5 of" in detail
    data.write_bytes(b"\n".join(rows[:3]) + b"\n")
    record["files"]["data.jsonl"]["sha256"] = sha256_file(data)
    (out / "manifest.json").write_text(json.dumps(record))
    assert failure(verify(out)) == ("rows", f"{data} has not 30 rows, one for each pick")


def test_rows_with_columns_and_other_formats(made, tmp_path):
    assert verify(export(made.chosen, tmp_path / "a", columns=True)).ok
    found = verify(export(made.chosen, tmp_path / "b", format="json"))
    assert found.ok
    assert "rows" not in statuses(found)


def test_swapped_picks_fail_the_replay(made, tmp_path):
    order = np.arange(K)
    order[[3, 20]] = order[[20, 3]]
    folder = resave(made, tmp_path / "swapped", indices=made.selection.indices[order])
    name, detail = failure(verify(folder, pool=made.pool, steps=K))
    assert name == "gains"
    assert "pick 4: the recorded gain" in detail


def test_a_worse_pick_with_true_gains_fails_the_replay(made, tmp_path):
    picks = made.selection.indices.copy()
    picks[12] = np.setdiff1d(np.arange(240), picks)[np.argmin(made.q[np.setdiff1d(np.arange(240), picks)])]
    engine = qdit._core.Engine(made.x, dtype="float16")
    gains = engine.commit(picks) / engine.scale
    scores = 0.4 * gains + 0.6 * made.q[picks]
    folder = resave(
        made, tmp_path / "worse", indices=picks, gains=gains, scores=scores, quality=made.q[picks]
    )
    found = verify(folder, pool=made.pool, steps=K)
    name, detail = failure(found)
    assert name == "picks"
    assert f"pick 13 is row {picks[12]}" in detail
    assert statuses(found)["gains"] == statuses(found)["objective"] == "ok"
    assert not verify(folder, pool=made.pool, steps=K, candidates=20).ok


def test_a_wrong_objective_is_found(made, tmp_path):
    folder = resave(made, tmp_path / "x", d_start=1.0)
    assert failure(verify(folder, pool=made.pool))[0] == "objective"


def test_a_repeated_pick_is_found(made, tmp_path):
    picks = made.selection.indices.copy()
    picks[9] = picks[2]
    folder = resave(made, tmp_path / "x", indices=picks)
    assert failure(verify(folder, pool=made.pool)) == ("picks", f"{folder}: a row was picked twice")


@pytest.mark.parametrize("method", ["quality", "random", "stochastic", "threshold", "cluster", "sparse"])
def test_other_methods(tmp_path, method):
    options = {"quality": {"alpha": 1.0}, "cluster": {"clusters": 5}, "threshold": {"tau": 0.9}}
    made = make(tmp_path, method=method, **options.get(method, {}))
    found = verify(made.chosen, threads=1)
    assert found.ok
    what = "order" if method in ("quality", "random") else "picks"
    assert statuses(found)[what] == ("ok" if method in ("quality", "random", "sparse") else "not checked")
    if what == "order":
        order = np.arange(K)[::-1]
        folder = resave(
            made,
            tmp_path / "wrong",
            indices=made.selection.indices[order],
            gains=(e := qdit._core.Engine(made.x, dtype="float16")).commit(made.selection.indices[order])
            / e.scale,
        )
        assert statuses(verify(folder, pool=made.pool))["order"] == "FAILED"


def test_limits_are_said_not_to_be_replayed(tmp_path):
    made = make(tmp_path, groups=np.arange(240) % 3, quota=10)
    check = verify(made.chosen).checks[-1]
    assert (check.status, check.detail) == (
        "not checked",
        "no replay against other candidates under a quota",
    )


@pytest.mark.parametrize("mode", ["covered", "dropped"])
def test_excluded_rows(tmp_path, mode):
    made = make(tmp_path, exclude=[3, 4], exclude_mode=mode)
    assert statuses(verify(made.chosen))["replay"] == "not checked"
    found = statuses(verify(made.chosen, exclude=[4, 3]))
    assert found["gains"] == found["picks"] == found["objective"] == "ok"
    assert failure(verify(made.chosen, exclude=[3, 5]))[0] == "replay"
    told = qdit.explain(3, made.chosen, exclude=[3, 4])
    assert told.status == "excluded"
    assert "It was excluded" in str(told.reason)


def test_given_rows(tmp_path):
    made = make(tmp_path, given=[3, 4])
    found = verify(made.chosen)
    assert found.ok
    assert statuses(found)["replay"] == "not checked"
    assert statuses(verify(made.chosen, given=[3, 4]))["picks"] == "ok"
    assert failure(verify(made.chosen, given=[3, 5]))[0] == "replay"


def test_represented_rows_and_weights(tmp_path):
    asked = vectors(300)[-40:] + np.float16(0.25)
    np.save(tmp_path / "asked.npy", asked)
    made = make(tmp_path, represent=tmp_path / "asked.npy", alpha=0.2)
    found = verify(made.chosen, steps=K)
    assert found.ok
    assert statuses(found)["picks"] == "ok"
    assert export(made.chosen, tmp_path / "out", decisions="jsonl").is_dir()
    np.save(tmp_path / "asked.npy", asked[::-1])
    assert "asked.npy has sha256" in failure(verify(made.chosen))[1]
    (tmp_path / "asked.npy").unlink()
    assert statuses(verify(made.chosen))["replay"] == "not checked"
    assert statuses(verify(made.chosen, represent=asked))["picks"] == "ok"

    (tmp_path / "w").mkdir()
    weighted = make(tmp_path / "w", weights=np.arange(1.0, 241.0), alpha=0.2)
    told = verify(weighted.chosen)
    assert "240 rows were weighted when this selection was made; pass weights" in told.checks[-1].detail
    assert statuses(verify(weighted.chosen, weights=np.arange(1.0, 241.0)))["picks"] == "ok"
    assert failure(verify(weighted.chosen, weights=np.ones(240)))[0] == "replay"


def test_a_prefix_and_per_k(tmp_path):
    made = make(tmp_path, gain_scale="per_k", floor=0.1)
    assert verify(made.chosen, steps=K).ok
    made.selection[:11].save(tmp_path / "prefix")
    assert verify(tmp_path / "prefix", pool=made.pool).checks


def test_without_the_pool_only_hashes_are_checked(made, out, tmp_path):
    moved = tmp_path / "far" / "away"
    shutil.copytree(out, moved)
    selection = json.loads((moved / "selection" / "manifest.json").read_text())
    selection["inputs"]["embeddings"]["source"] = "memory"
    (moved / "selection" / "manifest.json").write_text(json.dumps(selection))
    record = json.loads((moved / "manifest.json").read_text())
    record["files"]["selection/manifest.json"]["sha256"] = sha256_file(moved / "selection" / "manifest.json")
    (moved / "manifest.json").write_text(json.dumps(record))
    found = verify(moved)
    assert found.ok
    assert statuses(found) == {"files": "ok", "selection": "ok", "pool": "not checked"}
    assert verify(moved, pool=made.pool).ok


def test_another_pool_is_found(made, out, tmp_path):
    shutil.copytree(made.pool, tmp_path / "pool")
    x = made.x.copy()
    x[7] = -x[7]
    np.save(tmp_path / "pool" / "embeddings.npy", x)
    name, detail = failure(verify(out, pool=tmp_path / "pool"))
    assert name == "pool"
    assert "embeddings.npy has sha256" in detail


@pytest.mark.parametrize("option", ["seed", "tolerance"])
def test_wrong_options(out, option):
    with pytest.raises(ValueError, match=f"{option}: got -1.*, wanted"):
        verify(out, **{option: -1})


def test_nothing_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="no complete export or selection"):
        verify(tmp_path)


def test_the_command_fails_with_what_and_where(out, capsys):
    args = ["verify", str(out), "--steps", "5", "--progress", "false"]
    auto_cli({"verify": verify_command, "x": verify_command}, args=args)
    assert capsys.readouterr().out.count("ok  ") >= 7
    (out / "README.md").write_text("other")
    with pytest.raises(RuntimeError, match=r"verify: .*out failed: file: .*README.md was changed"):
        auto_cli({"verify": verify_command, "x": verify_command}, args=args)
    assert "FAILED       file" in capsys.readouterr().out


def test_a_selection_from_shards(made, tmp_path):
    """Slices of a pool's file lead to the pool; files of their own need it named, and have its rows."""
    x = np.load(made.pool / "embeddings.npy")
    for number, part in enumerate((x[:20], x[20:])):
        np.save(tmp_path / f"{number}.npy", part)
    sliced = distributed.split(made.pool / "embeddings.npy", 3)
    own = [tmp_path / "0.npy", tmp_path / "1.npy"]
    for name, shards in (("sliced", sliced), ("own", own), ("memory", [x[:7], x[7:]])):
        scores = np.load(made.pool / "quality.npy")
        distributed.select(shards, scores, 0.5, K, address="in-process").save(tmp_path / name)
    assert verify(tmp_path / "sliced", threads=1).ok
    for name in ("own", "memory"):
        assert statuses(verify(tmp_path / name)) == {"selection": "ok", "pool": "not checked"}
        found = verify(tmp_path / name, pool=made.pool, threads=1)
        assert statuses(found) == dict.fromkeys(("selection", "pool", "gains", "objective", "picks"), "ok")
    other = tmp_path / "other"
    shutil.copytree(made.pool, other)
    np.save(other / "embeddings.npy", np.roll(x, 1, 0))
    name, detail = failure(verify(tmp_path / "own", pool=other))
    assert "the selection in" in detail
