"""The recipe: its defaults, the steps that follow, and what is refused. No model is needed."""

import json

import pytest

from qdit.training import Lora, Recipe
from qdit.training.estimate import checkpoint_bytes, estimate_memory
from qdit.training.output import checkpoints, complete, newest, remove_broken
from qdit.training.recipe import make_schedule


def test_the_paper():
    recipe = Recipe()
    assert (recipe.batch_size, recipe.learning_rate, recipe.epochs) == (128, 2e-5, 3)
    assert (recipe.max_length, recipe.weight_decay, recipe.template) == (512, 0, "alpaca")
    assert (recipe.schedule, recipe.warmup, recipe.lora) == ("cosine", 0.03, None)
    assert json.loads(json.dumps(recipe.describe()))["batch_size"] == 128


@pytest.mark.parametrize(
    ("processes", "given", "size", "accumulation"),
    [(1, None, 4, 32), (4, None, 4, 8), (128, None, 1, 1), (8, 16, 16, 1), (2, 1, 1, 64), (64, None, 2, 1)],
)
def test_batches_are_of_128_rows(processes, given, size, accumulation):
    recipe = Recipe(per_device_batch=given).settled(processes)
    found = make_schedule(recipe, 9000, processes)
    assert (recipe.per_device_batch, found.accumulation) == (size, accumulation)
    assert recipe.per_device_batch * found.accumulation * processes == 128


def test_batches_that_cannot_be_made_up():
    with pytest.raises(ValueError, match="batch_size: got 128, wanted a multiple of the 3 processes"):
        Recipe().settled(3)
    with pytest.raises(
        ValueError, match=r"per_device_batch: got 6, wanted a divisor of 64 \(batch_size 128 on 2"
    ):
        Recipe(per_device_batch=6).settled(2)


@pytest.mark.parametrize(
    ("rows", "epochs", "max_steps", "want"),
    [
        (9000, 3, None, (71, 213, 7)),  # 9000 / 128 = 70.3
        (128, 3, None, (1, 3, 1)),
        (129, 0.5, None, (2, 1, 1)),
        (10, 3, None, (1, 3, 1)),
        (9000, 3, 10, (71, 10, 1)),
    ],
)
def test_steps(rows, epochs, max_steps, want):
    found = make_schedule(Recipe(epochs=epochs, max_steps=max_steps).settled(1), rows, 1)
    assert (found.per_epoch, found.total, found.warmup) == want


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"epochs": 0}, "epochs: got 0, wanted a number above 0"),
        ({"learning_rate": -1}, "learning_rate: got -1, wanted a number above 0"),
        ({"weight_decay": -0.1}, "weight_decay: got -0.1, wanted 0 or more"),
        ({"warmup": 1}, "warmup: got 1, wanted a share"),
        ({"schedule": "cosin"}, "schedule: got 'cosin', .* did you mean 'cosine'"),
        ({"batch_size": 0}, "batch_size: got 0, wanted at least 1"),
        ({"max_length": 4}, "max_length: got 4, wanted at least 8"),
        ({"max_steps": 0}, "max_steps: got 0, wanted at least 1"),
        ({"seed": 2**32}, "seed: got 4294967296, wanted an integer below"),
        ({"template": "x"}, "template: got 'x'"),
    ],
)
def test_wrong_values(options, error):
    with pytest.raises(ValueError, match=error):
        Recipe(**options)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"rank": 0}, "lora_rank: got 0"),
        ({"alpha": 0}, "lora_alpha: got 0"),
        ({"dropout": 1.0}, "lora_dropout: got 1.0"),
        ({"targets": ()}, "lora_targets: got"),
        ({"targets": ("q_proj", "")}, "lora_targets: got"),
    ],
)
def test_wrong_adapters(options, error):
    with pytest.raises(ValueError, match=error):
        Lora(**options)


def test_memory_of_a_known_model():
    sizes = {"parameters": 1000, "trained": 1000, "layers": 2, "width": 10}
    found = estimate_memory(sizes, weight_bytes=4, compute_bytes=4, tokens=5, recompute=False)
    assert found == {
        "weights": 4000,
        "gradients": 4000,
        "optimizer": 8000,
        "activations": 2 * 17 * 5 * 10 * 4,
        "total": 16000 + 6800,
    }
    less = estimate_memory(sizes, weight_bytes=4, compute_bytes=4, tokens=5, recompute=True)
    assert less["activations"] == (2 + 17) * 5 * 10 * 4
    adapters = sizes | {"trained": 10}
    held = estimate_memory(adapters, weight_bytes=2, compute_bytes=2, tokens=5, recompute=False)
    assert held["weights"] == 990 * 2 + 10 * 4 + 10 * 2
    assert held["optimizer"] == 80
    assert checkpoint_bytes(sizes, adapters=False) == 12000
    assert checkpoint_bytes(adapters, adapters=True) == 120


IDENTITY = {"model": "a", "recipe": {"seed": 0, "epochs": 3.0}}


def make_checkpoint(folder, step):
    path = folder / f"checkpoint-{step}"
    path.mkdir(parents=True)
    (path / "model.safetensors").write_bytes(b"x")
    return path


def test_the_newest_whole_checkpoint_counts(tmp_path):
    assert newest(tmp_path, IDENTITY) is None
    first = make_checkpoint(tmp_path, 9)
    complete(first, IDENTITY)
    second = make_checkpoint(tmp_path, 10)  # killed while it was written
    assert newest(tmp_path, IDENTITY) == first
    remove_broken(tmp_path)
    assert checkpoints(tmp_path) == [first]
    assert not second.exists()
    third = make_checkpoint(tmp_path, 100)
    complete(third, IDENTITY)
    assert checkpoints(tmp_path) == [third]
    assert newest(tmp_path, IDENTITY) == third


def test_checkpoints_of_another_run_are_refused(tmp_path):
    complete(make_checkpoint(tmp_path, 9), IDENTITY)
    other = {"model": "a", "recipe": {"seed": 1, "epochs": 3.0}}
    with pytest.raises(ValueError, match=r"checkpoint-9 was made otherwise: recipe.seed is 1 now and was 0;"):
        newest(tmp_path, other)
