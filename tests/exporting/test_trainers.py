"""Blocks for LLaMA-Factory, axolotl and trl, for every format of rows."""

import json

import numpy as np
import pytest
import yaml

from helpers.export_pools import export_rows

N, K = 24, 6
ROWS = {
    "alpaca": lambda i: {
        "instruction": f"Do {i} {{input}}",
        "input": f"in {i}" if i % 2 else "",
        "output": "x",
    },
    "dolly": lambda i: {"instruction": f"Do {i}", "context": "c", "response": "x", "category": "qa"},
    "sharegpt": lambda i: {
        "conversations": [{"from": "human", "value": f"Do {i}"}, {"from": "gpt", "value": "x"}]
    },
    "messages": lambda i: {
        "messages": [{"role": "user", "content": f"Do {i}"}, {"role": "assistant", "content": "x"}]
    },
    "prompt": lambda i: {"prompt": f"Do {i}", "completion": "x"},
}


def exported(folder, rows, **options):
    """Export K rows of a pool; return the folder and the chosen rows."""
    out, chosen = export_rows(folder, rows, K, **options)
    everything = [row for some in rows.values() for row in some]
    return out, [everything[i] for i in chosen]


def blocks(out):
    """Return the three blocks, parsed."""
    factory = json.loads((out / "dataset_info.json").read_text())
    parsed = [yaml.safe_load((out / name).read_text()) for name in ("axolotl.yaml", "trl-sft.yaml")]
    return factory["out"], parsed[0]["datasets"][0], parsed[1]


def plain(out):
    return [json.loads(line) for line in (out / "sft.jsonl").read_text().splitlines()]


def test_alpaca(tmp_path):
    out, rows = exported(tmp_path, {"a": [ROWS["alpaca"](i) for i in range(N)]})
    factory, axolotl, trl = blocks(out)
    assert factory == {
        "file_name": "data.jsonl",
        "columns": {"prompt": "instruction", "query": "input", "response": "output"},
    }
    assert axolotl == {"path": "data.jsonl", "ds_type": "json", "type": "alpaca"}
    columns = ["prompt", "completion"]
    assert trl["datasets"] == [{"path": "json", "data_files": "sft.jsonl", "columns": columns}]
    assert trl["completion_only_loss"] is True
    for got, row in zip(plain(out), rows, strict=True):
        assert got["completion"] == row["output"]
        assert f"### Instruction:\n{row['instruction']}\n\n###" in got["prompt"]
        assert ("### Input:\nin " in got["prompt"]) == bool(row["input"])
        assert got["prompt"].endswith("\n\n### Response:")


def test_columns_by_other_names(tmp_path):
    rows = [{"question": f"Do {i}", "hint": "", "answer": "x"} for i in range(N)]
    names = {"instruction": "question", "input": "hint", "output": "answer"}
    out, _ = exported(tmp_path, {"a": rows}, reading={"columns": names})
    factory, axolotl, _ = blocks(out)
    assert factory["columns"] == {"prompt": "question", "query": "hint", "response": "answer"}
    kind = axolotl["type"]
    fields = [kind[name] for name in ("field_instruction", "field_input", "field_output")]
    assert fields == ["question", "hint", "answer"]
    assert "{instruction}" in kind["no_input_format"]


def test_dolly_is_read_as_alpaca(tmp_path):
    out, _ = exported(tmp_path, {"a": [ROWS["dolly"](i) for i in range(N)]})
    factory, axolotl, _ = blocks(out)
    assert factory["columns"] == {"prompt": "instruction", "query": "context", "response": "response"}
    assert axolotl["type"]["field_input"] == "context"


def test_sharegpt(tmp_path):
    out, rows = exported(tmp_path, {"a": [ROWS["sharegpt"](i) for i in range(N)]}, format="json")
    factory, axolotl, trl = blocks(out)
    assert factory["file_name"] == axolotl["path"] == "data.json"
    assert factory["formatting"] == "sharegpt"
    assert factory["columns"] == {"messages": "conversations"}
    assert (factory["tags"]["role_tag"], factory["tags"]["user_tag"]) == ("from", "human")
    assert axolotl["type"] == "chat_template"
    assert axolotl["message_property_mappings"] == {"role": "from", "content": "value"}
    assert "human" in axolotl["roles"]["user"]
    assert trl["assistant_only_loss"] is True
    assert plain(out)[0]["messages"][0] == {"role": "user", "content": rows[0]["conversations"][0]["value"]}


def test_messages_are_read_as_they_are(tmp_path):
    out, _ = exported(tmp_path, {"a": [ROWS["messages"](i) for i in range(N)]})
    factory, axolotl, trl = blocks(out)
    assert factory["columns"] == {"messages": "messages"}
    assert factory["tags"]["role_tag"] == "role"
    assert axolotl == {
        "path": "data.jsonl",
        "ds_type": "json",
        "type": "chat_template",
        "field_messages": "messages",
    }
    assert trl["datasets"][0]["data_files"] == "data.jsonl"
    assert not (out / "sft.jsonl").exists()


def test_settings_name_the_roles_of_the_rows(tmp_path):
    rows = [ROWS["messages"](i) for i in range(N)]
    for row in rows:
        row["messages"][0]["role"] = "human"
    out, _ = exported(tmp_path, {"a": rows})
    factory, axolotl, trl = blocks(out)
    assert factory["file_name"] == axolotl["path"] == "data.jsonl"
    assert (factory["tags"]["user_tag"], factory["tags"]["assistant_tag"]) == ("human", "assistant")
    assert axolotl["roles"] == {"user": ["human"], "assistant": ["assistant"]}
    assert trl["datasets"][0]["data_files"] == "sft.jsonl"
    assert {turn["role"] for row in plain(out) for turn in row["messages"]} == {"user", "assistant"}


def test_prompt_and_completion(tmp_path):
    out, _ = exported(tmp_path, {"a": [ROWS["prompt"](i) for i in range(N)]})
    factory, axolotl, trl = blocks(out)
    assert factory["columns"] == {"prompt": "prompt", "response": "completion"}
    assert axolotl["type"]["format"] == "{instruction}"
    assert trl["datasets"][0]["data_files"] == "data.jsonl"
    assert trl["completion_only_loss"] is True


def test_several_formats_become_one(tmp_path):
    half = N // 2
    rows = {"a": [ROWS["alpaca"](i) for i in range(half)], "m": [ROWS["messages"](i) for i in range(half)]}
    out, _ = exported(tmp_path, rows)
    factory, axolotl, trl = blocks(out)
    assert factory["file_name"] == axolotl["path"] == trl["datasets"][0]["data_files"] == "sft.jsonl"
    assert all(row["messages"][-1] == {"role": "assistant", "content": "x"} for row in plain(out))


def test_the_name_of_the_entry_has_no_comma(tmp_path):
    out, _ = exported(tmp_path, {"a": [ROWS["alpaca"](i) for i in range(N)]}, name="my data, v2")
    assert list(json.loads((out / "dataset_info.json").read_text())) == ["my_data_v2"]


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")  # trl's own
def test_trl_reads_its_config_and_the_rows(tmp_path, monkeypatch):
    """What trl does with the config, without a model: its own parser and loader."""
    trl = pytest.importorskip("trl", reason="pip install trl")
    scripts = pytest.importorskip("trl.scripts.utils")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    out, _ = exported(tmp_path, {"a": [ROWS["alpaca"](i) for i in range(N)]})
    monkeypatch.chdir(out)
    parser = trl.TrlParser((trl.SFTConfig, scripts.DatasetMixtureConfig))
    config, mixture = parser.parse_args_and_config(["--config", "trl-sft.yaml", "--bf16", "false"])
    assert config.completion_only_loss is True
    assert config.learning_rate == 2e-5
    assert np.isclose(config.warmup_steps, 0.03)
    found = scripts.get_dataset(mixture)["train"]
    assert found.column_names == ["prompt", "completion"]
    assert len(found) == K
