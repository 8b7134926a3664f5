"""The study file, and the runner of its cells: what is done once stays done."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from helpers.export_pools import K, N
from helpers.paper_pools import write_study
from qdit.evaluation.results import Value, write_result
from qdit.evaluation.stats import Interval, mean_interval, tail_interval
from qdit.paper import cells as cells_module
from qdit.paper import stages
from qdit.paper.cells import Runner
from qdit.paper.fig3 import alpha_lines
from qdit.paper.fig4 import size_lines
from qdit.paper.losses import category_table
from qdit.paper.methods import Method
from qdit.paper.scores import Scores, collect, group_of, read_rows
from qdit.paper.study import STAGES, Cell, read_study
from qdit.paper.table1 import difference_table, score_table
from qdit.paper.table2 import benchmark_table, read_scores
from qdit.pipeline.state import fingerprint


def test_a_study_is_every_combination(tmp_path):
    (tmp_path / "models" / "tiny").mkdir(parents=True)
    study = read_study(
        write_study(tmp_path, sizes=[10, 20], hh={"reward_model": "models/tiny", "batch_size": 2})
    )
    found = study.cells()
    assert len(found) == len(set(found)) == 2 * 3 * 2
    assert found[0] == Cell("small", "tiny", 10, Method("random", seed=0), 0)
    assert found[1].method == Method("random", seed=1)  # a seed of its own for each choice at random
    assert found[2].method == found[3].method == Method("quality")
    assert len({cell.name for cell in found}) == len(found)
    assert study.models == {"tiny": str((tmp_path / "models" / "tiny").resolve())}
    assert study.stages["hh"]["reward_model"] == str((tmp_path / "models" / "tiny").resolve())
    assert study.pools["small"] == tmp_path / "pool"
    assert [cell.method.alpha for cell in study.alpha_cells()][::4] == [0.1, 0.1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": [3]}, "got 'size', wanted .*did you mean 'sizes'"),
        ({"sizes": None}, "no sizes"),
        ({"sizes": [0]}, "sizes: got 0"),
        ({"sizes": [5, 5]}, "distinct"),
        ({"methods": ["random", "random:1"]}, "got random twice"),
        ({"methods": ["better"]}, "method: got 'better'"),
        ({"train": {"epoch": 2}}, "did you mean 'epochs'"),
        ({"train": {"seed": 2}}, "got 'seed'"),
        ({"select": {"alpha": 2}}, "select: got 'alpha'"),
        ({"select": {"gain_scale": "x"}}, r"study.yaml: select: gain_scale: got 'x'"),
        ({"judge": {"prompt": "worst", "against": "random"}}, r"study.yaml: judge: prompt: got 'worst'"),
        ({"alphas": [2]}, "alpha"),
        ({"pools": {"a/b": "pool"}}, "wanted letters"),
        ({"pools": ["pool"]}, "pools: got"),
        ({"seeds": [-1]}, "seeds: got -1"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        read_study(write_study(tmp_path, **change))


def test_a_missing_file_or_evaluation_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no\.yaml"):
        read_study(tmp_path / "no.yaml")
    study = read_study(write_study(tmp_path, hh=None, alphas=None))
    with pytest.raises(ValueError, match="no key 'hh'"):
        Runner(study, tmp_path / "work").run(study.cells(), ["hh"])
    with pytest.raises(ValueError, match="alphas: got none"):
        study.alpha_cells()


def test_paths_may_name_variables(tmp_path, monkeypatch):
    monkeypatch.setenv("QDIT_TEST_POOLS", str(tmp_path))
    (tmp_path / "base").mkdir()
    changes = {"pools": {"small": "$QDIT_TEST_POOLS/pool"}, "models": {"tiny": "${QDIT_TEST_POOLS}/base"}}
    study = read_study(write_study(tmp_path, **changes))
    assert study.pools["small"] == tmp_path / "pool"
    assert study.models["tiny"] == str((tmp_path / "base").resolve())
    with pytest.raises(ValueError, match=r"pools: small: .* variable QDIT_TEST_NONE, which is not set"):
        read_study(write_study(tmp_path, pools={"small": "$QDIT_TEST_NONE/pool"}))


def test_every_step_has_options():
    assert {"epochs", "learning_rate", "lora"} <= set(STAGES["train"].names)
    assert {"against", "judge_model", "base_url"} <= set(STAGES["judge"].names)
    assert "model" not in STAGES["loss"].names


class Recorder:
    """Stands in for training, generation and scoring: writes small results and notes every call."""

    def __init__(self, monkeypatch):
        self.calls, self.fail = [], None
        for name in ("train", "generate"):
            monkeypatch.setattr(stages, name, getattr(self, name))
        recorder = self

        class HHJob:
            def __init__(self, answers, given, folder):
                self.answers, self.folder = answers[0], folder

            def run(self, progress=None):
                recorder.note("hh", self.answers.model)
                self.folder.mkdir(parents=True, exist_ok=True)
                rows = [
                    {
                        "set": a.question.set,
                        "id": a.question.id,
                        "category": None,
                        "reward": len(a.output) / 10,
                    }
                    for a in self.answers.answers
                ]
                (self.folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
                write_result(self.folder / "hh.json", "hh", {}, [], {})

        monkeypatch.setattr(stages, "HHJob", HHJob)
        monkeypatch.setattr(cells_module, "check_installed", lambda packages: None)
        for kind in (stages.Train, stages.HH):
            monkeypatch.setattr(kind, "check", lambda place: None)

    def note(self, stage, what):
        """Note a call, and fail if this is the one to fail at."""
        self.calls.append((stage, what))
        if self.fail == len(self.calls):
            raise KeyboardInterrupt

    def train(self, data, out, *, model, pool, seed, progress, **options):
        """Write the number of rows and the seed as if they were a model."""
        out.mkdir(parents=True, exist_ok=True)
        self.note("train", out.parent.name)
        lines = (data / "data.jsonl").read_text().splitlines()
        (out / "train.json").write_text(json.dumps([len(lines), lines[0], seed, options]))

    def generate(self, questions, out, *, model, progress, **options):
        """Write answers that depend on the model."""
        out.parent.mkdir(parents=True, exist_ok=True)
        self.note("generate", Path(model).parent.parent.name)
        said = str(len((Path(model).parent / "train.json").read_text()))
        rows = [
            {**vars(q), "model": "m", "output": said * (i + 1), "finish": "stop"}
            for i, q in enumerate(questions)
        ]
        out.write_text("".join(json.dumps(row) + "\n" for row in rows))
        out.with_name(out.name + ".json").write_text(json.dumps(fingerprint(said=said)))


@pytest.fixture
def recorder(monkeypatch, tmp_path):
    (tmp_path / "models" / "tiny").mkdir(parents=True)
    return Recorder(monkeypatch)


def test_every_stage_runs_once(tmp_path, recorder):
    study = read_study(write_study(tmp_path))
    runner = Runner(study, tmp_path / "work")
    cells = study.cells()
    assert {step.action for step in runner.steps(cells, ["hh"])} == {"run"}
    steps = runner.run(cells, ["hh"])
    assert len(recorder.calls) == 3 * 6
    exports = [step for step in steps if step.stage == "export"]
    assert [step.action for step in exports].count(
        "run"
    ) == 4  # quality and QDIT choose the same for both seeds
    again = Runner(study, tmp_path / "work").run(cells, ["hh"])
    assert {step.action for step in again} == {"reuse"}
    assert len(recorder.calls) == 3 * 6
    assert {step.action for step in runner.steps(cells, ["hh"])} == {"reuse"}


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"models": {"tiny": "owner/none"}}, FileNotFoundError, "owner/none is no folder here"),
        ({"sets": {"jsonl": "none.jsonl"}}, FileNotFoundError, "none.jsonl"),
        ({"hh": {"reward_model": "owner/none"}}, FileNotFoundError, "owner/none is no folder here"),
        ({"sizes": [5, N + 1]}, ValueError, f"k: got {N + 1}, wanted at most {N}"),
    ],
)
def test_what_cannot_work_is_told_before_the_first_stage(tmp_path, monkeypatch, change, kind, message):
    pytest.importorskip("transformers", reason="needs transformers: pip install 'qdit[train]'")
    pytest.importorskip("trl", reason="needs trl: pip install 'qdit[train]'")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "models" / "tiny").mkdir(parents=True)
    (tmp_path / "models" / "tiny" / "config.json").write_text("{}")
    study = read_study(write_study(tmp_path, **change))
    with pytest.raises(kind, match=message):
        Runner(study, tmp_path / "work").run(study.cells(), ["hh"])
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize("package", ["trl", "lm_eval"])
def test_missing_packages_are_told_before_the_first_stage(tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / "models" / "tiny").mkdir(parents=True)
    (tmp_path / "models" / "tiny" / "config.json").write_text("{}")
    study = read_study(write_study(tmp_path, benchmarks={}))
    with pytest.raises(ImportError, match=f"{package} is needed"):
        Runner(study, tmp_path / "work").run(study.cells(), ["benchmarks"])
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize("at", [1, 5, 6, 11])
def test_a_stopped_study_goes_on(tmp_path, recorder, at):
    """Stopped in the middle of any stage, the same call does the rest, and nothing twice."""
    study = read_study(write_study(tmp_path))
    cells = study.cells()
    recorder.fail = at
    with pytest.raises(KeyboardInterrupt):
        Runner(study, tmp_path / "work").run(cells, ["hh"])
    recorder.fail = None
    planned = Runner(study, tmp_path / "work").steps(cells, ["hh"])
    assert [step.action for step in planned].count("resume") == 1
    steps = Runner(study, tmp_path / "work").run(cells, ["hh"])
    assert [step.action for step in steps].count("resume") == 1
    assert len(recorder.calls) == 3 * 6 + 1
    assert recorder.calls[at - 1] == recorder.calls[at]  # what was at work is called again
    assert len(set(recorder.calls)) == 3 * 6


def test_only_what_an_option_touches_runs_again(tmp_path, recorder):
    cells = read_study(write_study(tmp_path)).cells()
    Runner(read_study(write_study(tmp_path)), tmp_path / "work").run(cells, ["hh"])
    changed = read_study(
        write_study(tmp_path, generate={"max_new_tokens": 7}, train={"epochs": 1.0, "save_steps": 5})
    )
    steps = Runner(changed, tmp_path / "work").run(cells, ["hh"])
    ran = {step.stage for step in steps if step.action == "run"}
    assert ran == {
        "generate"
    }  # the answers came out the same, so their scores hold; where checkpoints are decides nothing


def test_another_pool_is_another_study(tmp_path, recorder):
    study = read_study(write_study(tmp_path))
    cells = study.cells()
    Runner(study, tmp_path / "work").run(cells, ["hh"])
    np.save(tmp_path / "pool" / "quality.npy", -np.load(tmp_path / "pool" / "quality.npy"))
    steps = Runner(study, tmp_path / "work").run(cells, ["hh"])
    stale = {step.cell for step in steps if step.stage == "train" and step.action == "run"}
    assert stale == {cell.name for cell in cells if cell.method.kind != "random"}  # random rows are the same


def test_scores_are_put_together_over_seeds(tmp_path, recorder):
    study = read_study(write_study(tmp_path))
    runner = Runner(study, tmp_path / "work")
    cells = study.cells()
    runner.run(cells, ["hh"])
    found = collect(runner, cells, "hh")
    assert list(found.runs) == [group_of(cell) for cell in cells[::2]]
    assert all(len(runs) == 2 for runs in found.runs.values())
    assert len(found.questions) == 6
    assert found.left_out == 0


GROUPS = [("p", "m", 10, "random"), ("p", "m", 10, "qdit-0.5")]


def made(step: str, left_out: int = 0) -> Scores:
    rng = np.random.default_rng(0)
    keys = [("one", str(i)) for i in range(20)] + [("two", str(i)) for i in range(10)]
    runs = {group: [rng.normal(size=30), rng.normal(size=30)] for group in GROUPS}
    return Scores(step, keys, ["a"] * 5 + [None] * 25, runs, left_out)


def test_worst_and_best_are_the_lowest_and_highest():
    scores = made("hh")
    runs = scores.runs[GROUPS[0]]
    low = np.mean([np.sort(run)[:3].mean() for run in runs])
    high = np.mean([np.sort(run)[-3:].mean() for run in runs])
    assert scores.value(GROUPS[0], share=0.1).mean == pytest.approx(low)
    assert scores.value(GROUPS[0], share=0.1, best=True).mean == pytest.approx(high)


def test_of_a_loss_the_worst_are_the_highest():
    scores = made("loss")
    runs = scores.runs[GROUPS[0]]
    value = scores.value(GROUPS[0], share=0.1)
    assert value.mean == pytest.approx(np.mean([np.sort(run)[-3:].mean() for run in runs]))
    assert value.low <= value.mean <= value.high
    assert scores.value(GROUPS[0]).mean == pytest.approx(np.mean(runs))
    less = scores.less(GROUPS[1], GROUPS[0])
    assert less.mean == pytest.approx(np.mean(scores.runs[GROUPS[1]]) - np.mean(runs))
    assert less.low < less.mean < less.high


@pytest.mark.parametrize("best", [False, True])
def test_of_one_seed_intervals_are_those_of_the_evaluation(best):
    scores = made("hh")
    one = Scores("hh", scores.questions, scores.categories, {GROUPS[0]: scores.runs[GROUPS[0]][:1]}, 0)
    values = scores.runs[GROUPS[0]][0]
    found, wanted = one.value(GROUPS[0], share=0.1, best=best), tail_interval(values, 0.1, not best)
    for name in ("mean", "low", "high"):
        assert getattr(found, name) == pytest.approx(getattr(wanted, name), abs=0.02)
    assert one.value(GROUPS[0]).low == pytest.approx(mean_interval(values).low)


def test_tables_have_a_row_for_each_group():
    found = {"hh": made("hh")}
    table = score_table(found)
    assert [tuple(row[:4]) for row in table.rows] == GROUPS
    assert [row[4] for row in table.rows] == [2, 2]
    (row,) = difference_table(found).rows
    assert row[:6] == ["HH score", *GROUPS[1], "less random"]
    by_category = category_table(made("loss"))
    assert [tuple(row[:3]) for row in by_category.rows[::2]] == [
        ("one", "a", 5),
        ("one", "all", 20),
        ("two", "all", 10),
    ]


def test_lines_go_through_the_values():
    scores = made("hh")
    alone = Scores("hh", scores.questions, scores.categories, {GROUPS[1]: scores.runs[GROUPS[1]]}, 0)
    mean, worst = alpha_lines(alone)
    assert (mean.label, list(mean.x)) == ("mean", [0.5])
    assert mean.y[0].mean == pytest.approx(np.mean(scores.runs[GROUPS[1]]))
    assert worst.y[0].mean < mean.y[0].mean
    lines = size_lines(scores, "m", None)
    assert [(line.label, list(line.x)) for line in lines] == [("Random", [10]), ("QDIT, alpha 0.5", [10])]


def test_a_question_half_judged_counts_for_none(tmp_path):
    rows = [
        *({"set": "s", "id": "1", "category": None, "outcome": one} for one in ("won", "tied")),
        *({"set": "s", "id": "2", "category": None, "outcome": one} for one in ("lost", None)),
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    categories = {}
    assert read_rows(path, "judge", categories) == {("s", "1"): 1.5}
    assert list(categories) == [("s", "1"), ("s", "2")]


def test_benchmarks_are_percent_and_averaged(tmp_path):
    for name, value in (("mmlu", Interval(0.25, 0.2, 0.3, 9)), ("drop", 0.75)):
        (tmp_path / name).mkdir()
        one = Value("m", "acc", value, name)
        score = {"metric": "acc", "value": one.json()["value"]}
        write_result(
            tmp_path / name / "result.json", "benchmark", {"benchmark": name}, [one], {"score": score}
        )
    assert read_scores(tmp_path) == {"mmlu": 25.0, "drop": 75.0}
    table = benchmark_table({GROUPS[0]: [{"a": 1.0, "b": 3.0}, {"a": 3.0, "b": 5.0}]})
    assert list(table.columns[-3:]) == ["a", "b", "average"]
    assert table.rows[0][-3:] == [2.0, 4.0, 3.0]
    with pytest.raises(FileNotFoundError):
        read_scores(tmp_path / "none")


def test_baselines_answer_before_others_are_judged(tmp_path):
    study = read_study(write_study(tmp_path, judge={"against": "quality", "judge_model": "j"}))
    runner = Runner(study, tmp_path / "work")
    stages_of = [(step.cell, step.stage) for step in runner.steps(study.cells(), ["judge"])]
    first = [cell for cell, stage in stages_of if stage == "generate"][:2]
    assert first == [f"small-tiny-k{K}-quality-seed{seed}" for seed in (0, 1)]
    assert not [cell for cell, stage in stages_of if stage == "judge" and "quality" in cell]
    assert len(runner.judged(study.cells())) == 4
    assert cells_module.Step("c", "s", "run").action == "run"
