"""Losses of a language model, a real two-layer Llama, against one row at a time."""

import json

import numpy as np
import pytest

from helpers.scoring_pools import alpaca_rows, make_pool, prompt_of, rows_of
from qdit.records import Row
from qdit.scoring import MissingScoresError, score
from qdit.scoring.likelihood import Likelihood, LikelihoodOptions, _fit

torch = pytest.importorskip("torch", reason="needs torch: pip install 'qdit[score]'")
transformers = pytest.importorskip("transformers", reason="needs transformers: pip install 'qdit[score]'")

from helpers.tiny_models import LENGTH, make_language_model  # noqa: E402

N = 40


@pytest.fixture(scope="session", autouse=True)
def two_threads():
    torch.set_num_threads(2)


@pytest.fixture(scope="session")
def lm_folder(tmp_path_factory):
    return make_language_model(tmp_path_factory.mktemp("lm"))


@pytest.fixture
def pool(tmp_path):
    return make_pool(tmp_path, N)


def test_a_first_token_has_no_likelihood(tmp_path, lm_folder):
    """There is nothing before it that it could be likely after."""
    folder = tmp_path / "model"
    folder.mkdir()
    for path in lm_folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["post_processor"] = None  # none that begins every text
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    scorer = Likelihood("lm-loss", LikelihoodOptions(lm_model=str(folder), lm_template="{instruction}"))
    found = [Row(i, str(i), "", "", "", text, ()) for i, text in enumerate(("a", "ab", ""))]
    scores, tokens = scorer.score_chunk(found, lambda done: None)
    assert np.isnan(scores).tolist() == [True, False, True]
    assert tokens.tolist() == [0, 2, 0]


def nll(folder, prompts, responses, *, special=True):
    """Mean loss of each response by transformers' own loss, one row at a time."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    losses = []
    for prompt, response in zip(prompts, responses, strict=True):
        before = tokenizer(prompt, add_special_tokens=special)["input_ids"]
        after = tokenizer(response, add_special_tokens=False)["input_ids"]
        before, after = _fit(before, after, LENGTH)
        labels = torch.tensor([[-100] * len(before) + after])
        with torch.inference_mode():
            losses.append(model(input_ids=torch.tensor([before + after]), labels=labels).loss.item())
    return np.array(losses)


def test_language_model_loss(pool, lm_folder):
    rows = rows_of(pool)
    made = score(pool, "lm-loss", lm_model=str(lm_folder), batch_size=4)
    want = nll(lm_folder, [f"{prompt_of(row)}\n\n" for row in rows], [row.output for row in rows])
    np.testing.assert_allclose(made.quality, want, rtol=1e-5)
    assert made.manifest["scorers"][0]["kind"] == "heuristic"
    negative = score(pool, "lm-likelihood", lm_model=str(lm_folder), batch_size=4, overwrite=True).quality
    assert negative.tolist() == (-made.quality).tolist()


def test_language_model_loss_with_a_chat_template(tmp_path, pool):
    folder = make_language_model(tmp_path / "model", chat=True)
    rows = rows_of(pool)
    made = score(pool, "lm-loss", lm_model=str(folder))
    prompts = [f"<s>[user] {prompt_of(row)}</s>[assistant] " for row in rows]
    want = nll(folder, prompts, [row.output for row in rows], special=False)
    np.testing.assert_allclose(made.quality, want, rtol=1e-5)


def test_empty_responses_have_no_loss(tmp_path, lm_folder):
    rows = alpaca_rows(5)
    rows[2]["output"] = ""
    pool = make_pool(tmp_path, rows)
    with pytest.raises(MissingScoresError, match=r"1 of 5 rows have no score \(rows 2\); lm-loss: 1 without"):
        score(pool, "lm-loss", lm_model=str(lm_folder))
    made = score(pool, "lm-loss", lm_model=str(lm_folder), missing="lowest")
    assert made.quality[2] == np.delete(made.quality, 2).min()


def test_loss_needs_a_model(pool):
    with pytest.raises(ValueError, match="lm_model: got none"):
        score(pool, "lm-loss")


@pytest.mark.parametrize(
    ("prompt", "response", "want"),
    [(3, 4, (3, 4)), (8, 4, (6, 4)), (8, 30, (5, 5)), (2, 30, (2, 8)), (30, 1, (9, 1))],
)
def test_long_rows_keep_the_end_of_the_prompt(prompt, response, want):
    before, after = _fit(list(range(prompt)), list(range(100, 100 + response)), 10)
    assert (len(before), len(after)) == want
    assert before[-1] == prompt - 1
    assert after[0] == 100
