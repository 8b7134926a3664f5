"""Reward models, real two-layer Llamas, against one row at a time; chunks that a killed run goes on from."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from helpers.scoring_pools import make_pool, prompt_of, rows_of
from qdit.cli.score import score_command
from qdit.records import import_records
from qdit.scoring import prepare, score
from qdit.scoring.modelscorer import ChunkFile

torch = pytest.importorskip("torch", reason="needs torch: pip install 'qdit[score]'")
transformers = pytest.importorskip("transformers", reason="needs transformers: pip install 'qdit[score]'")

from helpers.tiny_models import LENGTH, make_language_model, make_reward_model  # noqa: E402

N = 40


@pytest.fixture(scope="session", autouse=True)
def two_threads():
    torch.set_num_threads(2)


@pytest.fixture(scope="session")
def reward_folder(tmp_path_factory):
    return make_reward_model(tmp_path_factory.mktemp("reward"))


@pytest.fixture(scope="session")
def lm_folder(tmp_path_factory):
    return make_language_model(tmp_path_factory.mktemp("lm"))


@pytest.fixture
def pool(tmp_path):
    return make_pool(tmp_path, N)


def alone(folder, texts, *, special=True):
    """Rewards of texts one at a time, without padding, straight from transformers."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    model.config.pad_token_id = None
    rewards = []
    for text in texts:
        ids = tokenizer(text, return_tensors="pt", add_special_tokens=special)["input_ids"][:, :LENGTH]
        with torch.inference_mode():
            rewards.append(model(input_ids=ids).logits.item())
    return np.array(rewards)


def human_assistant(row):
    return f"###Human: {prompt_of(row)} ###Assistant: {row.output}"


def test_rewards_are_those_of_each_row_alone(pool, reward_folder):
    options = {"reward_model": str(reward_folder), "reward_template": "human-assistant"}
    made = score(pool, "reward", **options, batch_size=4)
    want = alone(reward_folder, [human_assistant(row) for row in rows_of(pool)])
    np.testing.assert_allclose(made.quality, want, atol=1e-6)
    assert np.std(want) > 1e-3
    (scorer,), (result,) = made.manifest["scorers"], made.manifest["results"]
    assert scorer["kind"] == "reward model"
    assert scorer["revision"].startswith("sha256:")
    assert (scorer["template"], scorer["dtype"], scorer["max_length"]) == (
        "human-assistant",
        "float32",
        LENGTH,
    )
    assert result["truncated"] > 0
    assert {"torch", "transformers", "tokenizers"} < set(made.manifest["versions"])


def test_batch_size_changes_rounding_only(pool, reward_folder):
    found = []
    for size in (1, 7, 100):
        for path in pool.glob("scoring/*.f64"):
            path.unlink()
        for path in pool.glob("quality.*"):
            path.unlink()
        options = {"reward_model": str(reward_folder), "reward_template": "{output}", "batch_size": size}
        found.append(score(pool, "reward", **options).quality)
    np.testing.assert_allclose(found[1:], [found[0]] * 2, atol=1e-6)


PAD, EOS = 3, 1  # of the tiny tokenizer


@pytest.mark.parametrize(
    ("in_config", "in_tokenizer", "side"),
    [
        (None, None, "right"),
        (None, "</s>", "left"),
        (None, "<pad>", "right"),
        (EOS, None, "right"),
        (EOS, "<pad>", "left"),
        (PAD, None, "left"),
        (PAD, "</s>", "right"),
    ],
)
def test_rewards_are_read_where_the_model_reads_them(tmp_path, side, in_tokenizer, in_config):
    """Whatever pads: the reward of a row in a batch is that of the untouched model for the row alone."""
    folder = make_reward_model(tmp_path / "model", pad=False)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.pad_token, tokenizer.padding_side = in_tokenizer, side
    tokenizer.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text()) | {"pad_token_id": in_config}
    (folder / "config.json").write_text(json.dumps(config))
    ends = ("", "</s>", "<pad>", "<unk>", "</s></s>", "</s> and on", "<pad> and on")
    rows = [
        {"instruction": "Explain rivers", "input": "", "output": f"so{' and bees' * i}{end}"}
        for i, end in enumerate(ends)
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    import_records(tmp_path / "rows.jsonl", tmp_path / "pool").close()
    made = score(tmp_path / "pool", "reward", reward_model=str(folder), reward_template="{output}")
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        want = [model(**tokenizer(row["output"], return_tensors="pt")).logits.item() for row in rows]
    np.testing.assert_allclose(made.quality, want, atol=1e-6)


@pytest.mark.parametrize("pad", [True, False])
def test_chat_template(tmp_path, pool, pad):
    folder = make_reward_model(tmp_path / "model", pad=pad, chat=True)
    made = score(pool, "reward", reward_model=str(folder), batch_size=4)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    texts = [
        tokenizer.apply_chat_template([{"role": r, "content": t} for r, t in row.turns], tokenize=False)
        for row in rows_of(pool)
    ]
    assert texts[1].startswith("<s>[user] Explain")
    assert texts[1].endswith("</s>")  # which padding must not hide from the model
    np.testing.assert_allclose(made.quality, alone(folder, texts, special=False), atol=1e-6)
    assert made.manifest["scorers"][0]["template"] == "chat"


def test_chat_templates_may_refuse(tmp_path):
    folder = make_reward_model(tmp_path / "model", chat=True)
    turns = [{"role": role, "content": "x"} for role in ("system", "user", "assistant")]
    pool = make_pool(tmp_path, [{"messages": turns[1:]}, {"messages": turns}])
    with pytest.raises(
        ValueError, match=r"row 1: .* refuses its turns \(system, user, assistant\): no system"
    ):
        score(pool, "reward", reward_model=str(folder))


def test_free_template(pool, reward_folder):
    made = score(pool, "reward", reward_model=str(reward_folder), reward_template="{output} <- {instruction}")
    want = alone(reward_folder, [f"{row.output} <- {row.instruction}" for row in rows_of(pool)])
    np.testing.assert_allclose(made.quality, want, atol=1e-6)


def test_max_length_and_dtype(pool, reward_folder):
    options = {"reward_model": str(reward_folder), "reward_template": "{output}", "overwrite": True}
    full = score(pool, "reward", **options).quality
    short = score(pool, "reward", **options, max_length=8)
    assert short.manifest["results"][0]["truncated"] > N / 2
    assert not np.allclose(short.quality, full)
    low = score(pool, "reward", **options, dtype="bfloat16").quality
    np.testing.assert_allclose(low, full, atol=0.05)
    with pytest.raises(ValueError, match=f"max_length: got 500, wanted at most the {LENGTH}"):
        score(pool, "reward", **options, max_length=500)


def test_models_that_are_no_reward_models(tmp_path, pool, lm_folder):
    two = make_reward_model(tmp_path / "two", labels=2)
    with pytest.raises(ValueError, match="has 2 outputs, wanted a model with one"):
        score(pool, "reward", reward_model=str(two), reward_template="{output}")
    config = json.loads((lm_folder / "config.json").read_text())
    base = tmp_path / "base"
    base.mkdir()
    for path in lm_folder.iterdir():
        (base / path.name).write_bytes(path.read_bytes())
    config |= {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}
    (base / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"no trained weights for score\.weight.*at random"):
        score(pool, "reward", reward_model=str(base), reward_template="{output}")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({}, "reward_template: got none, and .* has no chat template"),
        ({"reward_template": "chat"}, "has no chat template; pass 'human-assistant'"),
        ({"reward_template": "{id}"}, "reward_template: got field 'id'"),
        ({"dtype": "int8"}, "dtype: got 'int8'"),
        ({"batch_size": 0}, "batch_size: got 0"),
        ({"max_length": 1}, "max_length: got 1"),
    ],
)
def test_wrong_options(pool, reward_folder, options, error):
    with pytest.raises(ValueError, match=error):
        score(pool, "reward", reward_model=str(reward_folder), **options)


def test_no_such_model(pool):
    with pytest.raises(FileNotFoundError, match=r"\./nope is no folder here, and no model that"):
        score(pool, "reward", reward_model="./nope", reward_template="{output}")


def test_changed_weights_are_another_model(tmp_path, pool):
    folder = make_reward_model(tmp_path / "model")
    options = {"reward_model": str(folder), "reward_template": "{output}"}
    first = score(pool, "reward", **options)
    make_reward_model(folder, seed=1)
    with pytest.raises(ValueError, match="--overwrite"):
        score(pool, "reward", **options)
    second = score(pool, "reward", **options, overwrite=True)
    assert not np.allclose(first.quality, second.quality)


def test_a_score_that_is_not_finite_ends_the_run_where_it_is(pool, reward_folder, monkeypatch):
    forward = transformers.LlamaForSequenceClassification.forward
    batches = []

    def overflow(self, input_ids, **others):
        made = forward(self, input_ids, **others)
        batches.append(len(input_ids))
        if len(batches) == 17:  # of the second chunk
            made.logits[0] = float("inf")
        return made

    monkeypatch.setattr(transformers.LlamaForSequenceClassification, "forward", overflow)
    options = {"reward_model": str(reward_folder), "reward_template": "{output}", "batch_size": 1}
    with pytest.raises(
        RuntimeError, match=r"1 scores are not finite, the first of row \d+ .*--dtype float32"
    ):
        score(pool, "reward", **options)
    assert sum(batches) == 32
    made = score(pool, "reward", **options)  # what was done is kept
    assert sum(batches) == N + 16
    assert np.isfinite(made.quality).all()


def test_tokens_that_the_model_does_not_have(tmp_path, pool):
    folder = make_reward_model(tmp_path / "model")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens([*(f"<{i}>" for i in range(320 - len(tokenizer))), "zebras"])
    tokenizer.save_pretrained(folder)
    (tmp_path / "bees.jsonl").write_text(json.dumps({"instruction": "Why", "input": "", "output": "zebras"}))
    import_records(tmp_path / "bees.jsonl", tmp_path / "bees").close()
    with pytest.raises(ValueError, match="its tokenizer gives token 320, and the model has 320"):
        score(tmp_path / "bees", "reward", reward_model=str(folder), reward_template="{output}")


def test_out_of_memory_halves_the_batch(pool, reward_folder, monkeypatch):
    options = {"reward_model": str(reward_folder), "reward_template": "{output}"}
    want = score(pool, "reward", **options).quality
    forward = transformers.LlamaForSequenceClassification.forward

    def small(self, input_ids, **others):
        if len(input_ids) > 3:
            raise torch.OutOfMemoryError("scripted")
        return forward(self, input_ids, **others)

    monkeypatch.setattr(transformers.LlamaForSequenceClassification, "forward", small)
    for path in (pool / "scoring").glob("*.f64"):
        path.unlink()
    for path in pool.glob("quality.*"):
        path.unlink()
    made = score(pool, "reward", **options)
    assert made.manifest["results"][0]["batch_size"] == 2
    np.testing.assert_allclose(made.quality, want, atol=1e-6)


def test_dry_run_counts_what_is_left(pool, reward_folder, capsys):
    options = {"reward_model": str(reward_folder), "reward_template": "{output}", "batch_size": 1}
    score(pool, "reward", **options)
    (file,) = (pool / "scoring").glob("reward-*.f64")
    os.truncate(file, 16 * 16 + 5)
    score_command(str(pool), "reward", **options, dry_run=True)
    assert capsys.readouterr().out == "reward            24 of 40 rows to score\n"
    with prepare(pool, "reward", **options) as job:
        assert job.estimate() == [{"by": "reward", "rows": 40, "left": 24}]


def test_resumed_after_any_chunk(pool, reward_folder):
    options = {"reward_model": str(reward_folder), "reward_template": "{output}", "batch_size": 1}
    whole = score(pool, "reward", **options)
    (file,) = (pool / "scoring").glob("reward-*.f64")
    content = file.read_bytes()
    for size in (7, 16 * 17 + 3, len(content)):
        os.truncate(file, size)
        for path in pool.glob("quality.*"):
            path.unlink()
        seen = []
        again = score(pool, "reward", **options, progress=seen.append)
        assert again.quality.tobytes() == whole.quality.tobytes()
        assert file.read_bytes() == content
        assert seen[-1].rows == N - (N if size == len(content) else size // 256 * 16)


def test_chunk_files(tmp_path):
    path = tmp_path / "x.f64"
    values = np.arange(20.0).reshape(10, 2)
    with ChunkFile(path, 10, 4) as file:
        file.append(values[:4])
        file.append(values[4:8])
        file.append(values[8:])
    for size, rows in ((160, 10), (159, 8), (128, 8), (127, 4), (0, 0)):
        os.truncate(path, size)
        with ChunkFile(path, 10, 4) as file:
            assert file.rows == rows
            assert file.read().tolist() == values[:rows].tolist()


CHILD = """
import sys
import torch
torch.set_num_threads(1)
from qdit.cli.score import score_command
pool, model = sys.argv[1:]
score_command(pool, "reward", reward_model=model, reward_template="{output}", batch_size=1)
"""


@pytest.mark.slow
def test_killed_again_and_again_ends_with_the_same_scores(tmp_path, reward_folder):
    n = 400
    pool, calm = make_pool(tmp_path / "killed", n), make_pool(tmp_path / "calm", n)
    command = [sys.executable, "-c", CHILD]
    subprocess.run([*command, str(calm), str(reward_folder)], check=True, capture_output=True)
    for share in (0.1, 0.5):
        child = subprocess.Popen(
            [*command, str(pool), str(reward_folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while sum(path.stat().st_size for path in pool.glob("scoring/*.f64")) < share * n * 16:
            assert child.poll() is None
            time.sleep(0.002)
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert not (pool / "quality.npy").exists()
    (file,) = pool.glob("scoring/*.f64")
    done = file.stat().st_size
    assert 0.5 * n * 16 <= done < n * 16
    subprocess.run([*command, str(pool), str(reward_folder)], check=True, capture_output=True)
    assert (pool / "quality.npy").read_bytes() == (calm / "quality.npy").read_bytes()
