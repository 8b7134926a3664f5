"""Answers of a model that runs here, in batches."""

from collections.abc import Sequence
from functools import cached_property

from ..common.failures import free_memory, is_out_of_memory, running
from ..common.identity import digest
from ..common.optional import require
from ..common.progress import RowProgressLike, RowTracker
from ..common.types import JSON
from ..models.answers import LENGTH, STOP, Written, WrittenAnswers
from ..models.causal import CausalModel
from ..models.hub import Network
from ..models.prompts import check_tokenizer, make_prompt, writes_special_tokens
from . import sampling
from .options import GenerateOptions
from .questions import Question, as_row, draw_key

_SMALLER = "pass a smaller max_new_tokens (--max-new-tokens), dtype bfloat16, or a smaller model"


class LocalModel:
    """Writes answers with a model in this process.

    Questions are sorted by length and cut into batches before it is known which of them have answers, and a
    batch is done as a whole: so a run that was interrupted makes the same batches as one that was not.
    """

    libraries: tuple[str, ...] = ("torch", "transformers", "tokenizers")
    limit: int | None = None  # of tokens, at which a server would cut an answer

    def __init__(self, options: GenerateOptions, questions: Sequence[Question]) -> None:
        """Look at the model, without its weights; ImportError without torch and transformers."""
        self.name = options.model
        self._hub = CausalModel(options.model, options, revision=options.revision)
        self._options = options
        self._questions = questions

    @cached_property
    def identity(self) -> JSON:
        """Model, revision, dtype and length limit."""
        return self._hub.identity()

    @property
    def keys(self) -> list[str]:
        """What each answer depends on, hashed."""
        decided = self.identity, self._options.deciding()
        return [digest([*decided, one.set, one.id, one.instruction]) for one in self._questions]

    @cached_property
    def prompts(self) -> list[list[int]]:
        """Tokens of each prompt; ValueError if one leaves no room for an answer."""
        hub, template = self._hub, self._options.prompt_template
        most = self._options.max_new_tokens
        check_tokenizer(template, hub.tokenizer, hub.name)
        prompt = make_prompt(template, hub.tokenizer)
        texts = [prompt(as_row(question)) for question in self._questions]
        special = not writes_special_tokens(template)
        found: list[list[int]] = hub.tokenizer(texts, add_special_tokens=special, verbose=False)["input_ids"]
        for question, ids in zip(self._questions, found, strict=True):
            if len(ids) + most > hub.context:
                raise ValueError(
                    f"question {question.id} of {question.set}: its prompt has {len(ids):,} tokens, which "
                    f"with {most:,} new ones is more than the {hub.context:,} that "
                    f"{hub.name} takes; pass a smaller max_new_tokens, or leave the question out"
                )
        return found

    def estimate(self, journal: WrittenAnswers | None) -> JSON:
        """Return questions left, tokens of their prompts, and of answers at most."""
        left = [i for i, key in enumerate(self.keys) if journal is None or key not in journal]
        return {
            "left": len(left),
            "prompt_tokens": sum(len(self.prompts[i]) for i in left),
            "completion_tokens_at_most": len(left) * self._options.max_new_tokens,
        }

    def run(self, journal: WrittenAnswers, progress: RowProgressLike) -> JSON:
        """Write every answer that is not in the journal; return what there is to report."""
        keys, size = self.keys, self._options.batch_size
        order = sorted(range(len(keys)), key=lambda i: (-len(self.prompts[i]), i))
        batches = [order[i : i + size] for i in range(0, len(order), size)]
        left = [batch for batch in batches if any(keys[i] not in journal for i in batch)]
        done = 0
        with RowTracker(progress, "generate", sum(map(len, left))) as tracker:
            for batch in left:
                journal.extend((keys[i], one) for i, one in zip(batch, self._batch(batch), strict=True))
                done += len(batch)
                tracker.update(done)
            tracker.done(done)
        return {"device": self._hub.device, "batch_size": size}

    @cached_property
    def _model(self) -> Network:
        model = self._hub.load_causal()
        transformers = require("transformers", "train", "to run a model")
        ends = model.generation_config.eos_token_id  # some models end their turns in several ways
        ends = ends if isinstance(ends, list) else [] if ends is None else [ends]
        end = self._hub.tokenizer.eos_token_id
        # a new one, without the penalties and temperature that the model's authors preset
        model.generation_config = transformers.GenerationConfig(
            eos_token_id=sorted({*ends, *([] if end is None else [end])}) or None,
            pad_token_id=self._hub.padding,
            do_sample=False,
            use_cache=True,
        )
        return model

    def _batch(self, batch: Sequence[int]) -> list[Written]:
        """Return the answers to some questions; where memory runs out, in halves."""
        torch = require("torch", "train", "to run a model")
        first = self._questions[batch[0]]
        more = f" and {len(batch) - 1} with it" if len(batch) > 1 else ""
        where, model = f"question {first.id} of {first.set}{more}", self._model
        try:
            with torch.inference_mode():
                return self._generate(model, batch)
        except Exception as error:
            if len(batch) == 1 or not is_out_of_memory(error):
                with running(self.name, where, _SMALLER):
                    raise
        free_memory()
        half = (len(batch) + 1) // 2
        return self._batch(batch[:half]) + self._batch(batch[half:])

    def _generate(self, model: Network, batch: Sequence[int]) -> list[Written]:
        hub, options = self._hub, self._options
        prompts = [self.prompts[i] for i in batch]
        longest = max(map(len, prompts))
        # padding goes to the left: rows are turned around, padded on the right, and turned back
        ids = hub.pad([prompt[::-1] for prompt in prompts]).flip(1)
        mask = hub.pad([[1] * len(prompt) for prompt in prompts], 0).flip(1)
        how: JSON = {}
        if options.temperature > 0:
            keys = [draw_key(options.seed, self._questions[i]) for i in batch]
            draws = sampling.make_processor(keys, longest, options.temperature, options.top_p)
            how["logits_processor"] = draws
        if options.stops:
            how["stopping_criteria"] = sampling.make_criteria(self._text, longest, options.stops)
        most = options.max_new_tokens
        made = model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=most, **how)
        answers = made[:, longest:].tolist()
        return [self._written(prompt, answer) for prompt, answer in zip(prompts, answers, strict=True)]

    def _written(self, prompt: Sequence[int], answer: list[int]) -> Written:
        ends = self._model.generation_config.eos_token_id or []
        size = next((i for i, token in enumerate(answer) if token in ends), len(answer))
        text, stopped = sampling.cut(self._text(answer[:size]), self._options.stops)
        finish = STOP if stopped or size < len(answer) else LENGTH
        return Written(text, finish, len(prompt), min(size + 1, len(answer)))

    def _text(self, ids: Sequence[int]) -> str:
        return str(self._hub.tokenizer.decode(ids, skip_special_tokens=True))
