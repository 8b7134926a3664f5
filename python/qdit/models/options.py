"""Options that several stages share: how a model is run here, and how one behind an endpoint is asked."""

from dataclasses import dataclass
from typing import Any

from ..common import checks
from ..common.options import Options
from .client import check_url, read_key

OPENAI_URL = "https://api.openai.com/v1"
DTYPES = ("auto", "float32", "bfloat16", "float16")


@dataclass(frozen=True, kw_only=True)
class ModelOptions(Options):
    """How a model that runs here is run.

    Attributes:
        device: auto, a torch device such as cuda:1 or cpu, or all to spread a model over every CUDA device.
        dtype: auto (float32 on a CPU, else bfloat16 or float16), float32, bfloat16 or float16.
        batch_size: Texts that the model runs at a time; halved when memory runs out. Results differ between
            batch sizes by rounding only.

    """

    device: str = "auto"
    dtype: str = "auto"
    batch_size: int = 16

    def _check(self) -> None:
        checks.check_choice("dtype", self.dtype, DTYPES)
        checks.check_least("batch_size", self.batch_size, 1)


@dataclass(frozen=True, kw_only=True)
class CausalModelOptions(ModelOptions):
    """Which causal language model, and how it is run.

    Attributes:
        model: Hub id or folder of a causal language model, or of adapters.
        revision: Branch, tag or commit of a model on the Hub.

    """

    model: str
    revision: str | None = None

    def _check(self) -> None:
        if not isinstance(self.model, str) or not self.model:
            raise ValueError(f"model: got {self.model!r}, wanted a Hub id or a folder")


@dataclass(frozen=True, kw_only=True)
class Endpoint(Options):
    """An OpenAI-compatible server, and how it is asked.

    Attributes:
        base_url: OpenAI-compatible endpoint, such as http://localhost:8000/v1.
        key_env: Name of the environment variable with the endpoint's key, which goes nowhere else.
        concurrency: Requests at a time.
        retries: How often a failed request is repeated, with growing pauses.
        timeout: Seconds that a request may take.

    """

    base_url: str | None = None
    key_env: str = "OPENAI_API_KEY"
    concurrency: int = 8
    retries: int = 5
    timeout: float = 120.0

    def _check(self) -> None:
        if self.base_url is not None:
            self._set("base_url", check_url(self.base_url))
        read_key(self.key_env)  # refuses what is no name of a variable
        checks.check_least("concurrency", self.concurrency, 1)
        checks.check_least("retries", self.retries, 0)
        if self.timeout <= 0:
            raise ValueError(f"timeout: got {self.timeout}, wanted seconds above 0")


@dataclass(frozen=True, kw_only=True)
class ChatEndpoint(Endpoint):
    """An endpoint for chat completions, and what its tokens cost.

    Attributes:
        price_in: Price of a million tokens of prompts, for estimates (--dry-run).
        price_out: Price of a million tokens of answers, for estimates (--dry-run).

    """

    price_in: float | None = None
    price_out: float | None = None

    def _check(self) -> None:
        for name in ("price_in", "price_out"):
            price = getattr(self, name)
            if price is not None and price < 0:
                raise ValueError(f"{name}: got {price}, wanted 0 or more")


@dataclass(frozen=True, kw_only=True)
class JudgeEndpoint(ChatEndpoint):
    """The model that judges, and the endpoint that has it.

    Attributes:
        judge_model: Name of the judge's model at the endpoint.
        judge_params: Fields of each request beside temperature 0 and max_tokens 64, such as
            {"max_tokens": 2048} for a model that reasons first; null (None) takes one out.
        retry_unparsable: Ask again where an earlier answer could not be read.

    """

    base_url: str = OPENAI_URL
    judge_model: str | None = None
    judge_params: dict[str, Any] | None = None
    retry_unparsable: bool = False
