"""The operator qdit_selector in Data-Juicer itself: registry, base class, data sets, a recipe."""

import json

import numpy as np
import pytest

import qdit
from helpers.oracle import clustered_rows

data_juicer = pytest.importorskip("data_juicer")
pytestmark = pytest.mark.filterwarnings("ignore")

from data_juicer.core.data import NestedDataset  # noqa: E402
from data_juicer.ops import OPERATORS, load_ops  # noqa: E402
from data_juicer.ops.base_op import Selector  # noqa: E402

from qdit.adapters.data_juicer import QDITSelector  # noqa: E402

N, D = 120, 16
ROWS = clustered_rows(N, D, seed=5, dtype="float64")
QUALITY = np.random.default_rng(6).uniform(1, 5, N)
TEXTS = [f"Sample {i} about subject {i % 9}" for i in range(N)]


@pytest.fixture
def dataset():
    return NestedDataset.from_list(
        [
            {
                "text": TEXTS[i],
                "vector": ROWS[i].tolist(),
                "__dj__stats__": {"score": QUALITY[i]},
                "flat": QUALITY[i],
            }
            for i in range(N)
        ]
    )


def test_it_is_registered():
    assert OPERATORS.get("qdit_selector") is QDITSelector
    assert issubclass(QDITSelector, Selector)
    (op,) = load_ops([{"qdit_selector": {"k": 12, "alpha": 0.5, "embedding_key": "vector"}}])
    assert isinstance(op, QDITSelector)
    assert op._name == "qdit_selector"


@pytest.mark.parametrize("key", ["flat", "__dj__stats__.score"])
def test_it_picks_what_select_picks(dataset, key):
    (op,) = load_ops(
        [{"qdit_selector": {"k": 12, "alpha": 0.5, "embedding_key": "vector", "quality_key": key}}]
    )
    want = qdit.select(ROWS, QUALITY, alpha=0.5, k=12)
    for chosen in (op.process(dataset), op.run(dataset), dataset.process([op])):
        assert chosen["text"] == [TEXTS[i] for i in want.indices]


def test_it_embeds_text(dataset):
    op = QDITSelector(k=0.1, alpha=0, model="builtin:hash")
    chosen = op.process(dataset)
    assert len(chosen) == 12
    assert set(chosen["text"]) <= set(TEXTS)


def test_options_and_errors(dataset):
    op = QDITSelector(
        k=12, alpha=0.5, embedding_key="vector", quality_key="flat", select_options={"quality_scale": "rank"}
    )
    want = qdit.select(ROWS, QUALITY, alpha=0.5, k=12, quality_scale="rank")
    assert op.process(dataset)["text"] == [TEXTS[i] for i in want.indices]
    assert len(op.process(dataset.select([0]))) == 1
    with pytest.raises(ValueError, match="quality_key: got 'worth'"):
        QDITSelector(k=12, embedding_key="vector", quality_key="worth").process(dataset)
    with pytest.raises(ValueError, match=r"row 0 has no '__dj__stats__\.worth'"):
        QDITSelector(k=12, embedding_key="vector", quality_key="__dj__stats__.worth").process(dataset)


def test_a_recipe(tmp_path):
    from data_juicer.config import init_configs
    from data_juicer.core import DefaultExecutor

    source = tmp_path / "in.jsonl"
    rows = [{"text": TEXTS[i], "vector": ROWS[i].tolist(), "score": QUALITY[i]} for i in range(N)]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        json.dumps(
            {
                "project_name": "qdit",
                "dataset_path": str(source),
                "export_path": str(tmp_path / "out" / "out.jsonl"),
                "work_dir": str(tmp_path / "out"),
                "np": 1,
                "ds_cache_dir": str(tmp_path / "cache"),
                "process": [
                    {
                        "qdit_selector": {
                            "k": 12,
                            "alpha": 0.5,
                            "embedding_key": "vector",
                            "quality_key": "score",
                        }
                    }
                ],
            }
        )
    )
    DefaultExecutor(init_configs(["--config", str(recipe)])).run()
    chosen = [json.loads(line)["text"] for line in (tmp_path / "out" / "out.jsonl").read_text().splitlines()]
    want = qdit.select(ROWS, QUALITY, alpha=0.5, k=12)
    assert chosen == [TEXTS[i] for i in want.indices]
