"""Rows of benchmarks: local files, a data set of the datasets library, and rows that are wrong."""

import json

import pytest

from helpers.benchmark_rows import BBH, DROP, MMLU_TEST, write_benchmarks
from qdit.evaluation.benchmarks import data as bench_data
from qdit.evaluation.benchmarks import protocol


@pytest.fixture
def data(tmp_path):
    return write_benchmarks(tmp_path / "data")


def test_rows_of_natural_instructions_become_rows_of_drop(tmp_path):
    pytest.importorskip("datasets", reason="pip install 'qdit[data]'")
    rows = [
        {"input": f"Passage: It  was {i}. \nQuestion: How many? \nAnswer type: Number ", "target": [f"{i}."]}
        for i in range(5)
    ]
    (tmp_path / "drop_natinst028.jsonl").write_text("\n".join(map(json.dumps, rows)))
    docs = list(bench_data.drop(data=str(tmp_path))["test"])
    assert len(docs) == 2
    assert docs[0]["question"].endswith(" How many?\nAnswer:")
    assert docs[0]["question"].startswith("It  was ")
    assert docs[0]["target"] in "01234"
    (tmp_path / "drop_natinst028.jsonl").write_text(json.dumps({"input": "What?", "target": ["x"]}))
    with pytest.raises(ValueError, match=r"row 0 \(line 1\): field 'input' is not 'Passage: "):
        bench_data.drop(data=str(tmp_path))


@pytest.mark.parametrize(
    ("name", "row", "message"),
    [
        ("bbh", {"task": "a", "input": "b"}, "bbh.jsonl, row 0 .line 1.: field 'target' is missing"),
        ("bbh", {"task": "a", "input": "b", "target": 3}, "field 'target' is a number, wanted text"),
        ("bbh", ["a"], "is no object with fields"),
        ("mmlu_test", {**MMLU_TEST[0], "answer": "E"}, "field 'answer' is neither A to D nor 0 to 3"),
        ("mmlu_test", {**MMLU_TEST[0], "answer": 4}, "field 'answer' is neither"),
        ("mmlu_test", {**MMLU_TEST[0], "choices": ["x"]}, "field 'choices' has 1 texts, wanted 4"),
        ("drop", {**DROP[0], "answers": []}, "field 'answers' is no list of texts"),
    ],
)
def test_a_wrong_row_is_named(name, row, message, data):
    for file in data.glob(f"{name}.*"):
        file.unlink()
    (data / f"{name}.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(ValueError, match=message):
        getattr(bench_data, name.partition("_")[0])(data=str(data))


def test_a_missing_file_is_named(data):
    (data / "mmlu_dev.jsonl").unlink()
    with pytest.raises(FileNotFoundError, match=r"has no mmlu_dev.jsonl"):
        bench_data.describe_data("mmlu", str(data))
    with pytest.raises(FileNotFoundError, match="no such folder"):
        bench_data.describe_data("bbh", str(data / "nowhere"))


def test_rows_of_a_data_set_for_the_datasets_library(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets", reason="pip install 'qdit[data]'")
    # a folder stands for a repository of the Hub: configurations and splits work the same
    for name, rows in {"navigate": BBH[:4], "word_sorting": BBH[4:]}.items():
        kept = [{"input": row["input"], "target": row["target"]} for row in rows]
        (tmp_path / "bbh" / name).mkdir(parents=True)
        datasets.Dataset.from_list(kept).to_parquet(tmp_path / "bbh" / name / "test.parquet")
    configs = "".join(
        f"- config_name: {name}\n  data_files:\n  - split: test\n    path: {name}/test.parquet\n"
        for name in ("navigate", "word_sorting")
    )
    (tmp_path / "bbh" / "README.md").write_text(f"---\nconfigs:\n{configs}---\n")
    rows = [{**row, "answers_spans": {"spans": row["answers"], "types": ["number"]}} for row in DROP]
    (tmp_path / "drop").mkdir()
    datasets.Dataset.from_list(rows).to_parquet(tmp_path / "drop" / "validation.parquet")
    monkeypatch.setattr(bench_data, "_HUB", {name: str(tmp_path / name) for name in ("bbh", "drop")})
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert list(bench_data.bbh()["test"]) == protocol.bbh_docs(BBH)
    assert list(bench_data.drop()["test"]) == protocol.drop_docs(DROP)
