"""Errors of the libraries while models load and run, and what is said in their place."""

import json
import re

import pytest

from helpers.tiny_models import make_language_model
from qdit.common.failures import is_out_of_memory, running
from qdit.models.causal import CausalModel
from qdit.models.options import ModelOptions

torch = pytest.importorskip("torch", reason="needs qdit[score]")
pytest.importorskip("transformers", reason="needs qdit[score]")


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (MemoryError(), True),
        (RuntimeError("shapes do not match"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_counts_as_out_of_memory(error, wanted):
    assert is_out_of_memory(error) is wanted


def test_real_lack_of_memory_is_known():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return make_language_model(tmp_path_factory.mktemp("lm"))


@pytest.fixture
def folder(original, tmp_path):
    for path in original.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def change(folder, **values):
    config = json.loads((folder / "config.json").read_text()) | values
    (folder / "config.json").write_text(json.dumps(config))


def load(name, **options):
    return CausalModel(str(name), ModelOptions(**options)).load_causal()


def test_a_file_that_is_cut_off_is_named(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(
        OSError, match=rf"cannot be loaded \({re.escape(str(weights))}\): .*fetch or copy it again"
    ):
        load(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(OSError, match=r"cannot be loaded \(.*config.json\): .*cut off or damaged"):
        load(folder)


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        ("[]", OSError, r"cannot be loaded: 'list' object .*; check its files"),
        ('{"base_model_name_or_path": 3}', ValueError, "names no base model"),
    ],
)
def test_adapters_of_nothing(tmp_path, content, kind, message):
    (tmp_path / "adapter_config.json").write_text(content)
    with pytest.raises(kind, match=message):
        load(tmp_path)


def test_a_folder_without_weights(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(OSError, match=r"cannot be loaded: .*; fetch or copy all of its files"):
        load(folder)


def test_a_folder_of_no_model(folder, tmp_path_factory):
    outer = tmp_path_factory.mktemp("outer")
    folder.rename(outer / "inner")
    with pytest.raises(FileNotFoundError, match=r"has no config.json \(.* folder inner\); pass a folder"):
        load(outer)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"model_type": "no-such-architecture"},
            "does not recognize this architecture.*; update",
        ),
        ({"intermediate_size": 50}, "cannot be loaded: .*; its weights are not those of its config"),
        (
            {
                "model_type": "own",
                "auto_map": {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"},
            },
            "it comes with code of its own, which is not run here",
        ),
    ],
)
def test_configurations_that_do_not_fit(folder, changes, message):
    change(folder, **changes)
    with pytest.raises(OSError, match=message):
        load(folder)


@pytest.mark.parametrize("name", ["./nope", "nobody/no-such-model"])
def test_no_such_model(name, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        FileNotFoundError, match=rf"^{name} is no folder here, and no model that .*; check the"
    ):
        load(name)


def test_weights_too_large_for_the_memory(folder, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", fail)
    with pytest.raises(MemoryError, match=r"its weights are too much for the memory .*--dtype bfloat16"):
        load(folder)


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("gpu", "device: got 'gpu', wanted auto, all, or a name"),
        ("cuda:77", "device: got 'cuda:77', but torch finds . such devices here"),
    ],
)
def test_devices_that_are_not_there(folder, device, message):
    with pytest.raises(ValueError, match=message):
        load(folder, device=device)


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), MemoryError, "rows 1 to 2: one text .*; use less"),
        (
            IndexError("index out of range in self"),
            RuntimeError,
            "some/model: it failed at rows 1 to 2: index out",
        ),
        (MemoryError("rows 1 to 2: told already"), MemoryError, "^rows 1 to 2: told already$"),
        (KeyError("of the program"), KeyError, "of the program"),
    ],
)
def test_what_happens_while_a_model_runs(error, kind, message):
    with pytest.raises(kind, match=message), running("some/model", "rows 1 to 2", "use less"):
        raise error
