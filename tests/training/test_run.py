"""Training runs of a tiny random Llama: what the steps compute, resuming, adapters, and what is written."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from helpers.children import child_environment
from helpers.training_data import alpaca_rows, write_jsonl
from qdit.training import output

torch = pytest.importorskip("torch", reason="needs torch: pip install 'qdit[train]'")
for name in ("transformers", "trl", "accelerate", "datasets"):
    pytest.importorskip(name, reason=f"needs {name}: pip install 'qdit[train]'")

import transformers  # noqa: E402

import qdit.training  # noqa: E402
from helpers.smollm import tiny_llama  # noqa: E402
from qdit.cli.train import train_command  # noqa: E402
from qdit.common.lock import Lock  # noqa: E402
from qdit.models.causal import quiet  # noqa: E402

OPTIONS = {"batch_size": 4, "per_device_batch": 2, "learning_rate": 1e-3, "device": "cpu", "max_length": 256}
OPTIONS |= {"save_steps": 0}
LORA = {"lora": True, "lora_dropout": 0.3}
ROWS = 12  # three steps an epoch, nine in all


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    return str(tiny_llama(tmp_path_factory.mktemp("llama")))


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return write_jsonl(tmp_path_factory.mktemp("rows") / "rows.jsonl", alpaca_rows(ROWS))


@pytest.fixture(scope="module")
def whole_adapters(tmp_path_factory, rows, llama):
    """An unbroken run that trains adapters."""
    pytest.importorskip("peft", reason="needs peft: pip install 'qdit[train]'")
    return train(rows, tmp_path_factory.mktemp("whole"), llama, **LORA)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, rows, llama):
    """An unbroken run with the default options."""
    return train(rows, tmp_path_factory.mktemp("whole"), llama)


def train(rows, out, llama, **options):
    return qdit.training.train(rows, out, model=llama, **(OPTIONS | options))


def weights(folder):
    return {path.name: path.read_bytes() for path in Path(folder).glob("*.safetensors")}


def state(folder):
    return transformers.AutoModelForCausalLM.from_pretrained(folder).state_dict()


def test_steps_are_those_of_a_plain_loop(tmp_path, llama):
    """Batches of all rows, so their order does not matter; AdamW on the mean over learnt tokens, by hand."""
    data = write_jsonl(tmp_path / "rows.jsonl", alpaca_rows(8))
    options = {"epochs": 3, "schedule": "constant", "warmup": 0, "weight_decay": 0.1, "batch_size": 8}
    trained = train(data, tmp_path / "out", llama, **options)
    job = qdit.training.prepare(data, tmp_path / "other", model=llama, **(OPTIONS | options))
    model = transformers.AutoModelForCausalLM.from_pretrained(llama)
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.999), eps=1e-8)
    losses = []
    for _ in range(3):
        total, count = 0.0, 0
        for row in job.tokens.dataset():
            ids, labels = torch.tensor([row["input_ids"]]), torch.tensor(row["labels"])
            logits = model(input_ids=ids).logits[0, :-1]
            total = total + torch.nn.functional.cross_entropy(logits, labels[1:], reduction="sum")
            count += int((labels[1:] != -100).sum())
        loss = total / count
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert trained.losses == pytest.approx(losses, rel=1e-5)
    found, start = state(trained.model), state(llama)
    for key, want in model.state_dict().items():
        torch.testing.assert_close(found[key], want, atol=2e-5, rtol=0)
    moved = max(float((found[key] - start[key]).abs().max()) for key in found)
    assert moved > 1e-3


def test_modules_that_the_model_lacks_are_refused(tmp_path, rows, llama):
    pytest.importorskip("peft", reason="needs peft: pip install 'qdit[train]'")
    with pytest.raises(ValueError, match=r"lora_targets: got \('none',\), which are no modules of .*llama"):
        train(rows, tmp_path / "out", llama, lora=True, lora_targets="none")


def test_every_epoch_takes_every_row_once_in_another_order(tmp_path, rows, llama, monkeypatch):
    """What reaches the model, padding taken away, is what was tokenized."""
    seen = []

    def watched(*arguments):
        trainer = make_trainer(*arguments)
        step = trainer.training_step

        def training_step(model, inputs, *rest, **named):
            for ids, labels, mask in zip(
                inputs["input_ids"], inputs["labels"], inputs["attention_mask"].bool(), strict=True
            ):
                assert (labels[~mask] == -100).all()
                seen.append((ids[mask].tolist(), labels[mask].tolist()))
            return step(model, inputs, *rest, **named)

        trainer.training_step = training_step
        return trainer

    make_trainer = qdit.training.trainer.make_trainer
    monkeypatch.setattr("qdit.training.trainer.make_trainer", watched)
    train(rows, tmp_path / "out", llama)
    job = qdit.training.prepare(rows, tmp_path / "other", model=llama, **OPTIONS)
    want = [(row["input_ids"], row["labels"]) for row in job.tokens.dataset()]
    epochs = [seen[i : i + ROWS] for i in range(0, 3 * ROWS, ROWS)]
    assert len(seen) == 3 * ROWS
    for epoch in epochs:
        assert sorted(epoch) == sorted(want)
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]


def test_what_is_written(tmp_path, rows, llama):
    seen = []
    trained = train(rows, tmp_path / "out", llama, progress=seen.append)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["final", "train.json"]
    record = trained.manifest
    assert record == json.loads((tmp_path / "out" / "train.json").read_text())
    assert (record["steps"], record["steps_per_epoch"], record["accumulation"]) == (9, 3, 2)
    assert len(trained.losses) == 9
    assert trained.losses[-1] < trained.losses[0]
    assert record["identity"]["recipe"]["batch_size"] == 4
    assert record["data"]["rows"] == record["data"]["trained"] == ROWS
    assert record["data"]["sha256"]
    assert record["resumed_from_step"] is None
    assert {"torch", "trl", "transformers", "qdit"} <= record["versions"].keys()
    assert record["parameters"] == record["trained"] > 0
    names = set(record["files"])
    assert {"final/model.safetensors", "final/config.json", "final/tokenizer.json"} <= names
    assert "final/training_args.bin" not in names
    model = transformers.AutoModelForCausalLM.from_pretrained(trained.model)
    assert model.dtype == torch.float32
    assert model.config.use_cache
    assert transformers.AutoTokenizer.from_pretrained(trained.model).eos_token == "</s>"
    assert seen[-1].phase == "done"
    assert {one.phase for one in seen} <= {"tokenize", "train", "done"}


def test_the_same_seed_gives_the_same_bytes(tmp_path, rows, llama, whole):
    again = train(rows, tmp_path / "a", llama)
    assert weights(again.model) == weights(whole.model)
    assert again.losses == whole.losses
    other = train(rows, tmp_path / "b", llama, seed=1)
    assert weights(other.model) != weights(whole.model)


def test_a_repeated_call_does_nothing(tmp_path, rows, llama):
    first = train(rows, tmp_path / "out", llama, max_steps=2)
    before = (tmp_path / "out" / "train.json").stat().st_mtime_ns
    again = train(rows, tmp_path / "out", llama, max_steps=2)
    assert again.manifest == first.manifest
    assert (tmp_path / "out" / "train.json").stat().st_mtime_ns == before
    with pytest.raises(ValueError, match=r"made otherwise: recipe.seed is 1 now and was 0; pass"):
        train(rows, tmp_path / "out", llama, max_steps=2, seed=1)
    other = train(rows, tmp_path / "out", llama, max_steps=2, seed=1, overwrite=True)
    assert weights(other.model)
    assert other.manifest["identity"]["recipe"]["seed"] == 1
    (other.model / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="was changed since it was made"):
        train(rows, tmp_path / "out", llama, max_steps=2, seed=1)


def stopped(monkeypatch, step):
    """Make training stop as if it was killed, right after the checkpoint of a step became whole."""
    real = output.complete

    def die(path, identity):
        real(path, identity)
        if output.step_of(path) == step:
            raise SystemExit(9)

    monkeypatch.setattr("qdit.training.trainer.complete", die)


@pytest.mark.parametrize(("step", "options"), [(3, {}), (4, {}), (4, LORA), (3, LORA)], ids=str)
def test_a_stopped_run_ends_with_the_same_bytes(
    tmp_path, rows, llama, whole, monkeypatch, request, step, options
):
    """Step 4 is within an epoch, step 3 is between two; dropout needs the state of the random numbers."""
    if options:
        whole = request.getfixturevalue("whole_adapters")
    with monkeypatch.context() as patched:
        stopped(patched, step)
        with pytest.raises(SystemExit):
            train(rows, tmp_path / "out", llama, save_steps=step, **options)
    folder = tmp_path / "out" / "checkpoints"
    (folder / "checkpoint-7").mkdir()  # of a run that was killed while it wrote
    resumed = train(rows, tmp_path / "out", llama, save_steps=4, **options)
    assert resumed.manifest["resumed_from_step"] == step
    assert weights(resumed.model) == weights(whole.model)
    assert resumed.losses == whole.losses
    assert not folder.exists()


def test_a_stopped_overwrite_leaves_the_old_model_and_goes_on(tmp_path, rows, llama, whole, monkeypatch):
    out = tmp_path / "out"
    first = train(rows, out, llama, max_steps=2, seed=1)
    for step in (2, 4):
        with monkeypatch.context() as patched:
            stopped(patched, step)
            with pytest.raises(SystemExit):
                train(rows, out, llama, save_steps=2, overwrite=step == 2)
        again = train(rows, out, llama, max_steps=2, seed=1)
        assert (again.manifest, weights(again.model)) == (first.manifest, weights(first.model))
    assert weights(train(rows, out, llama).model) == weights(whole.model)


def test_a_checkpoint_of_another_recipe(tmp_path, rows, llama, monkeypatch):
    with monkeypatch.context() as patched:
        stopped(patched, 2)
        with pytest.raises(SystemExit):
            train(rows, tmp_path / "out", llama, save_steps=2)
    with pytest.raises(
        ValueError, match=r"checkpoint-2 was made otherwise: recipe.epochs is 1.0 now and was 3.0"
    ):
        train(rows, tmp_path / "out", llama, epochs=1.0)
    changed = write_jsonl(tmp_path / "changed.jsonl", alpaca_rows(ROWS - 1))
    with pytest.raises(ValueError, match="tokens_sha256 is"):
        train(changed, tmp_path / "out", llama)
    anew = train(rows, tmp_path / "out", llama, epochs=1.0, resume=False)
    assert anew.manifest["resumed_from_step"] is None
    assert anew.manifest["steps"] == 3


def test_two_runs_at_a_time(tmp_path, rows, llama):
    (tmp_path / "out").mkdir()
    with (
        Lock(tmp_path / "out", "training there"),
        pytest.raises(RuntimeError, match="another run is training there"),
    ):
        train(rows, tmp_path / "out", llama)


@pytest.mark.parametrize("overwrite", [False, True])
def test_ctrl_c_says_where_it_goes_on(tmp_path, rows, llama, whole, monkeypatch, overwrite):
    def interrupt(progress):
        if progress.phase == "train" and progress.rows >= 5 * 4:
            raise KeyboardInterrupt

    monkeypatch.setattr("qdit.common.progress._SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt) as caught:
        train(rows, tmp_path / "out", llama, save_steps=2, progress=interrupt, overwrite=overwrite)
    without = " (without overwrite, which begins again)" if overwrite else ""
    assert caught.value.__notes__ == [f"repeat the call to go on from step 4{without}"]
    assert weights(train(rows, tmp_path / "out", llama).model) == weights(whole.model)


def test_adapters(tmp_path, rows, llama):
    peft = pytest.importorskip("peft", reason="needs peft: pip install 'qdit[train]'")
    options = {"lora": True, "lora_rank": 2, "lora_targets": "q_proj,v_proj", "learning_rate": 1e-2}
    trained = train(rows, tmp_path / "adapters", llama, **options)
    assert trained.manifest["trained"] < trained.manifest["parameters"] / 10
    config = json.loads((trained.model / "adapter_config.json").read_text())
    assert (config["r"], sorted(config["target_modules"])) == (2, ["q_proj", "v_proj"])
    assert config["base_model_name_or_path"] == llama
    base = transformers.AutoModelForCausalLM.from_pretrained(llama)
    with quiet(transformers):
        adapted = peft.PeftModel.from_pretrained(base, trained.model).eval()
    merged = train(rows, tmp_path / "merged", llama, merge=True, **options)
    model = transformers.AutoModelForCausalLM.from_pretrained(merged.model).eval()
    ids = torch.arange(4, 60)[None]
    with torch.inference_mode():
        torch.testing.assert_close(model(ids).logits, adapted(ids).logits, atol=1e-4, rtol=0)
        with adapted.disable_adapter():
            assert float((adapted(ids).logits - model(ids).logits).abs().max()) > 1e-3
    with pytest.raises(ValueError, match="holds adapters, wanted a whole model"):
        train(rows, tmp_path / "more", str(trained.model))


def test_less_memory_for_the_same_weights(tmp_path, rows, llama):
    plain = train(rows, tmp_path / "plain", llama, epochs=1.0)
    less = train(rows, tmp_path / "less", llama, epochs=1.0, gradient_checkpointing=True)
    found, want = state(less.model), state(plain.model)
    for key in want:
        torch.testing.assert_close(found[key], want[key], atol=1e-5, rtol=0)


def test_nothing_is_reported_to_anyone(tmp_path, rows, llama, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("telemetry was sent")

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr("trl.trainer.base_trainer.send_telemetry", refuse)
    train(rows, tmp_path / "out", llama, max_steps=1)


def test_a_loss_that_is_no_number_stops_the_run(tmp_path, rows, llama):
    with pytest.raises(RuntimeError, match=r"the loss is (nan|inf) after step \d+; pass a smaller"):
        train(rows, tmp_path / "out", llama, learning_rate=1e30)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"template": "chat"}, "has no chat template; pass 'alpaca' or a format string"),
        ({"max_length": 5000}, "max_length: got 5000, wanted at most the 1024"),
        ({"merge": True}, "merge: there is nothing to merge without lora"),
        ({"dtype": "float16"}, "dtype: got 'float16' on cpu"),
        ({"device": "gpu"}, "device: got 'gpu', wanted one of"),
        ({"device": "mps", "dtype": "float32"}, "device: got 'mps', but torch finds 0 such devices here"),
        ({"save_steps": -1}, "save_steps: got -1"),
        ({"batch_size": 7}, "per_device_batch: got 2, wanted a divisor of 7"),
    ],
)
def test_wrong_options(tmp_path, rows, llama, options, error):
    with pytest.raises(ValueError, match=error):
        train(rows, tmp_path / "out", llama, **options)
    assert not (tmp_path / "out").exists()


def test_the_command(tmp_path, rows, llama, capsys):
    arguments = OPTIONS | {"model": llama, "progress": False, "max_steps": 2}
    train_command(str(rows), str(tmp_path / "out"), **arguments, dry_run=True)
    shown = capsys.readouterr().out
    assert "batch        4 rows = 2 x 2 accumulated x 1 process\n" in shown
    assert "steps        2 (3 an epoch, 1 of warmup)\n" in shown
    assert f"rows         {ROWS}\n" in shown
    assert "are trained" in shown
    assert not (tmp_path / "out").exists()
    train_command(str(rows), str(tmp_path / "out"), **arguments)
    shown = capsys.readouterr().out
    assert "steps   2\n" in shown
    assert f"saved   {tmp_path / 'out' / 'final'}\n" in shown


COMMAND = """
import os, sys
os.environ["OMP_NUM_THREADS"] = "1"
import torch
torch.set_num_threads(1)
import qdit.training
from test_run import OPTIONS
rows, out, model = sys.argv[1:]
qdit.training.train(rows, out, model=model, **(OPTIONS | {"save_steps": 1}))
"""


@pytest.mark.slow
def test_killed_again_and_again(tmp_path, llama):
    rows = write_jsonl(tmp_path / "rows.jsonl", alpaca_rows(60))
    environment = child_environment(__file__, OMP_NUM_THREADS="1")

    def start(out):
        command = [sys.executable, "-c", COMMAND, str(rows), str(out), llama]
        return subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    assert start(tmp_path / "calm").wait(300) == 0
    folder = tmp_path / "out" / "checkpoints"
    reached = []
    for step in (2, 20):
        child = start(tmp_path / "out")
        while not any(output.step_of(path) >= step for path in output.checkpoints(folder)):
            assert child.poll() is None
            time.sleep(0.001)
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        reached.append(max(map(output.step_of, output.checkpoints(folder))))
    assert reached == sorted(reached)
    assert start(tmp_path / "out").wait(300) == 0
    assert weights(tmp_path / "out" / "final") == weights(tmp_path / "calm" / "final")
    record = json.loads((tmp_path / "out" / "train.json").read_text())
    assert record["resumed_from_step"] >= 19
    assert len(record["losses"]) == 45


@pytest.mark.slow
def test_two_processes(tmp_path, rows, llama, whole):
    """Two processes of two rows: the same batches as one process of four, with sums in another order."""
    # with --cpu it would start one process; --multi_gpu is its way to start several, also without GPUs
    launch = "-m accelerate.commands.launch --multi_gpu --num_processes 2 --num_machines 1"
    launch += " --main_process_port 0 --mixed_precision no --dynamo_backend no -m qdit train"
    options = "--batch-size 4 --per-device-batch 2 --learning-rate 1e-3 --max-length 256 --device cpu"
    command = [sys.executable, *launch.split(), str(rows), str(tmp_path / "two"), "--model", llama]
    command += [*options.split(), "--no-progress"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("saved") == 1
    record = json.loads((tmp_path / "two" / "train.json").read_text())
    assert record["identity"]["processes"] == 2
    assert (record["steps"], record["accumulation"]) == (9, 1)
    assert record["losses"] == pytest.approx(whole.losses, rel=1e-3)
    again = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert again.returncode == 0, again.stderr
    assert json.loads((tmp_path / "two" / "train.json").read_text()) == record
