"""What is read from a model's files before it runs: limits, and what to pad with."""

import pytest

from helpers.tiny_models import make_language_model
from qdit.models.causal import CausalModel
from qdit.models.hub import positions, set_padding
from qdit.models.options import ModelOptions

pytest.importorskip("torch", reason="needs qdit[score]")
transformers = pytest.importorskip("transformers", reason="needs qdit[score]")


@pytest.mark.parametrize(
    ("config", "want"),
    [
        (lambda: transformers.LlamaConfig(max_position_embeddings=96), 96),
        (lambda: transformers.GPT2Config(n_positions=64), 64),
        (lambda: transformers.MptConfig(max_seq_len=48), 48),
        (lambda: transformers.RobertaConfig(max_position_embeddings=514, pad_token_id=1), 512),
        (lambda: transformers.BertConfig(max_position_embeddings=512, pad_token_id=1), 512),
        (lambda: transformers.XLNetConfig(), None),
        (lambda: transformers.MambaConfig(), None),
    ],
)
def test_positions(config, want):
    assert positions(config()) == want


@pytest.mark.parametrize("limit", [int(1e30), 64, 500])
def test_the_smaller_of_the_limits_of_model_and_tokenizer(tmp_path, limit):
    folder = make_language_model(tmp_path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.model_max_length = limit
    tokenizer.save_pretrained(folder)
    assert CausalModel(str(folder), ModelOptions()).max_length == min(limit, 96)


@pytest.mark.parametrize(
    ("own", "unknown", "want"), [(3, "<unk>", "<pad>"), (-1, "<unk>", "<unk>"), (999, None, "</s>")]
)
def test_the_token_to_pad_with_is_the_models_own(tmp_path, own, unknown, want):
    tokenizer = transformers.AutoTokenizer.from_pretrained(make_language_model(tmp_path))
    tokenizer.unk_token = unknown
    config = transformers.GPT2Config(vocab_size=320)
    config.pad_token_id = own
    set_padding(tokenizer, config)
    assert tokenizer.pad_token == want


def test_a_model_spread_over_devices(tmp_path, monkeypatch):
    """Layers on a disk stand for another device; inputs go where the first layer runs."""
    pytest.importorskip("accelerate", reason="needs accelerate")
    folder = make_language_model(tmp_path / "model")
    rows = [[5, 6, 7, 8], [9, 10]]
    whole = CausalModel(str(folder), ModelOptions())
    want = whole.logits(whole.load_causal(), rows)
    places = {"model.embed_tokens": "cpu", "model.layers.0": "disk", "model.layers.1": "cpu"}
    places |= {"model.norm": "cpu", "model.rotary_emb": "cpu", "lm_head": "disk"}
    load = transformers.AutoModelForCausalLM.from_pretrained

    def spread(name, device_map, **options):
        assert device_map == "auto"
        return load(name, device_map=places, offload_folder=tmp_path / "disk", **options)

    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", spread)
    monkeypatch.setattr("qdit.models.hub.check_device", lambda name: "cpu")
    several = CausalModel(str(folder), ModelOptions(device="all"))
    model = several.load_causal()
    assert model.hf_device_map == places
    assert (several.logits(model, rows)[0] == want[0]).all()
