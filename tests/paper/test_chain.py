"""A whole study with real, tiny models: select, export, train, generate, score, judge, tabulate."""

import csv
import importlib.util
import json

import pytest
import yaml

from helpers.openai_server import OpenAIServer
from helpers.paper_pools import write_study
from helpers.smollm import tiny_llama
from helpers.tiny_models import make_reward_model
from qdit.cli.paper_study import paper_fig4_command, paper_loss_command, paper_table1_command

MISSING = [
    name
    for name in ("torch", "transformers", "trl", "accelerate", "datasets", "openai", "matplotlib")
    if importlib.util.find_spec(name) is None
]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}: pip install 'qdit[all]'"),
]


def rows(path) -> list[dict[str, str]]:
    """Return the rows of a CSV file."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def study(tmp_path):
    tiny_llama(tmp_path / "models" / "tiny")
    make_reward_model(tmp_path / "models" / "reward")
    with OpenAIServer(answer=lambda text: f"{len(text) % 10 + 1} {sum(text.encode()) % 10 + 1}") as server:
        yield write_study(
            tmp_path,
            sizes=[16],
            methods=["random", "quality", "qdit:0.6"],
            seeds=[0],
            train={"epochs": 1.0, "batch_size": 8, "device": "cpu", "learning_rate": 0.01, "save_steps": 0},
            generate={"max_new_tokens": 8, "device": "cpu"},
            hh={"reward_model": "models/reward", "device": "cpu", "reward_template": "human-assistant"},
            judge={
                "against": "quality",
                "judge_model": "m",
                "base_url": server.url,
                "retries": 0,
            },
            loss={"device": "cpu"},
        )


def test_a_reward_model_that_cannot_be_used_is_found_before_training(study, tmp_path):
    content = yaml.safe_load(study.read_text())
    del content["hh"]["reward_template"]  # and it has no chat template
    study.write_text(yaml.safe_dump(content))
    with pytest.raises(ValueError, match="reward_template"):
        paper_table1_command(str(study), str(tmp_path / "out"), work=str(tmp_path / "work"), progress=False)
    assert not (tmp_path / "work").exists()


def test_a_study_with_tiny_models(study, tmp_path, capsys):
    out, work = tmp_path / "out", tmp_path / "work"
    paper_table1_command(str(study), str(out), work=str(work), progress=False)
    table = rows(out / "table1.csv")
    assert {row["choice"] for row in table} == {"random", "quality", "qdit-0.6"}
    for row in table:
        assert (
            float(row["HH score, worst 10%"])
            <= float(row["HH score, mean"])
            <= float(row["HH score, best 10%"])
        )
        if row["choice"] != "quality":
            assert 0 <= float(row["winning score, worst 10%"]) <= float(row["winning score, mean"]) <= 2
    differences = rows(out / "table1-differences.csv")
    assert {row["difference"] for row in differences if row["score"] == "HH score"} == {
        "less quality",
        "less random",
    }
    assert any(row["paper"] == "6.993" for row in rows(out / "table1-paper.csv"))
    by_choice = {row["choice"]: float(row["HH score, mean"]) for row in table}
    least = next(
        row for row in differences if (row["score"], row["difference"]) == ("HH score", "less random")
    )
    assert float(least["mean"]) == pytest.approx(by_choice["qdit-0.6"] - by_choice["random"])
    capsys.readouterr()

    paper_table1_command(str(study), str(out), work=str(work), progress=False, dry_run=True)
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()} == {"reuse"}

    paper_loss_command(str(study), str(out), work=str(work), progress=False)
    assert " train " not in capsys.readouterr().out  # the models of the table
    losses = rows(out / "losses.csv")
    assert all(float(row["loss, worst 10%"]) >= float(row["loss, mean"]) > 0 for row in losses)
    assert {row["category"] for row in rows(out / "losses-categories.csv")} == {"all", "c0", "c1"}

    paper_fig4_command(str(study), str(out), work=str(work), progress=False)
    assert (out / "fig4.png").is_file()
    trained = json.loads(next(work.glob("models/*/train/train.json")).read_text())
    assert trained["format"] == "qdit-training"
