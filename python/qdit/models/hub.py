"""A model of the Hub or in a folder: files, revision, device and limits, before the weights are loaded."""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from ..common.files import sha256_folder
from ..common.optional import Package, require
from ..common.types import JSON
from .options import ModelOptions

# what transformers and torch make; they are imported only when they are needed
Tokenizer = Any
Network = Any
Tensor = Any
Tick = Callable[[int], None]  # told how many rows are done
EXTRA = "score"
_LONGEST = 2048  # tokens by default: what a row may cost in time and memory
_NO_LIMIT = 1_000_000  # tokenizers without a limit name a huge one


def packages(extra: str = EXTRA) -> tuple[Package, ...]:
    """Return the packages that a model needs; extra: of qdit, that installs them."""
    return tuple((name, extra, "to run a model") for name in ("torch", "transformers"))


class HubModel:
    """Tokenizer, configuration and weights of a model, each loaded when it is first needed."""

    def __init__(
        self,
        name: str,
        options: ModelOptions,
        *,
        revision: str | None = None,
        max_length: int | None = None,
        extra: str = EXTRA,
    ) -> None:
        """Keep what is asked for; ImportError without torch and transformers.

        Args:
            name: Hub id or folder.
            options: device, dtype and size of batches.
            revision: branch, tag or commit of a Hub model.
            max_length: tokens of a row beyond which it is cut; None for what the model takes, at most 2048.
            extra: of qdit, that installs the packages.

        """
        self.name = name
        self.batch_size = options.batch_size
        self._options, self._wanted_revision, self._wanted_length = options, revision, max_length
        self._torch, self._transformers = (require(*package) for package in packages(extra))

    @cached_property
    def revision(self) -> str:
        """The commit of a Hub model, or the hash of a folder's files."""
        folder = Path(self.name)
        if folder.is_dir():
            return f"sha256:{sha256_folder(folder)}"
        hub = require("huggingface_hub", "score", "to load a model")
        try:
            config = hub.hf_hub_download(self.name, "config.json", revision=self._wanted_revision)
        except (OSError, ValueError) as error:
            raise FileNotFoundError(
                f"{self.name} is no folder here, and no model that the Hugging Face Hub or its cache has to "
                f"offer: {error}"
            ) from error
        return Path(config).parent.name  # .../snapshots/<commit>/config.json

    @cached_property
    def device(self) -> str:
        """The torch device."""
        if self._options.device != "auto":
            return str(self._torch.device(self._options.device))
        if self._torch.cuda.is_available():
            return "cuda"
        return "mps" if self._torch.backends.mps.is_available() else "cpu"

    @cached_property
    def dtype(self) -> str:
        """Name of the dtype of the weights."""
        if self._options.dtype != "auto":
            return self._options.dtype
        if self.device.startswith("cuda"):
            return "bfloat16" if self._torch.cuda.is_bf16_supported() else "float16"
        return "float16" if self.device == "mps" else "float32"

    @cached_property
    def config(self) -> Any:
        """The model's configuration."""
        return self._transformers.AutoConfig.from_pretrained(self.name, **self._where())

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer, with a padding token, padding on the right."""
        tokenizer = self._transformers.AutoTokenizer.from_pretrained(self.name, **self._where())
        tokenizer.padding_side = "right"
        if tokenizer.pad_token_id is None:
            # not the end token if there is a choice: texts may end with it, and sequence classifiers of
            # decoders read the last token that is not padding
            tokenizer.pad_token = tokenizer.unk_token or tokenizer.eos_token
        if tokenizer.pad_token_id is None:
            raise ValueError(f"{self.name}: the tokenizer has no padding, unknown or end token to pad with")
        return tokenizer

    @property
    def context(self) -> int:
        """Tokens that the model takes, prompt and answer."""
        limits = (self.tokenizer.model_max_length, getattr(self.config, "max_position_embeddings", None))
        return min(limit for limit in (*limits, _NO_LIMIT) if isinstance(limit, int) and limit > 0)

    @cached_property
    def max_length(self) -> int:
        """Tokens beyond which a row is cut."""
        wanted = self._wanted_length
        if wanted is None:
            return min(_LONGEST, self.context)
        if wanted > self.context:
            raise ValueError(f"max_length: got {wanted}, wanted at most the {self.context} of {self.name}")
        return wanted

    def identity(self) -> JSON:
        """Return what decides a score, template aside."""
        identity = {"model": self.name, "revision": self.revision, "dtype": self.dtype}
        return identity | {"max_length": self.max_length}

    def load(self, auto_class: str) -> Network:
        """Return the model with its weights, in evaluation mode on its device.

        Raises:
            ValueError: if the files lack weights that such a model has: its scores would be random.

        """
        loader = getattr(self._transformers, auto_class)
        dtype = getattr(self._torch, self.dtype)
        model, info = loader.from_pretrained(
            self.name, **self._where(), config=self.config, dtype=dtype, output_loading_info=True
        )
        missing = sorted(info["missing_keys"])
        if missing:
            raise ValueError(
                f"{self.name} has no trained weights for {', '.join(missing[:3])}, so it is no "
                f"{auto_class.removeprefix('AutoModelFor')} model and would score at random; pass another"
            )
        for config in (model.config, model.config.get_text_config()):
            config.pad_token_id = self.tokenizer.pad_token_id
        return model.to(self.device).eval()

    def batches(self, sizes: Sequence[int], forward: Callable[[list[int]], None], tick: Tick) -> None:
        """Call `forward` with the numbers of the rows of each batch, longest first.

        When memory runs out the batch size is halved, for good. tick is told how many rows are done.
        """
        order = sorted(range(len(sizes)), key=lambda i: -sizes[i])
        start = 0
        while start < len(order):
            batch = order[start : start + self.batch_size]
            try:
                with self._torch.inference_mode():
                    forward(batch)
            except self._torch.OutOfMemoryError:
                if self.batch_size == 1:
                    raise
                self.batch_size = max(1, self.batch_size // 2)
                self._torch.cuda.empty_cache()
                continue
            start += len(batch)
            tick(start)

    def pad(self, rows: Sequence[Sequence[int]], fill: int | None = None) -> Tensor:
        """Return token ids as one tensor on the device, filled up on the right (None: with padding)."""
        fill = self.tokenizer.pad_token_id if fill is None else fill
        longest = max(map(len, rows))
        return self._torch.tensor(
            [[*row, *[fill] * (longest - len(row))] for row in rows], device=self.device
        )

    def logits(self, model: Network, rows: Sequence[Sequence[int]]) -> Tensor:
        """Return what a loaded model gives for the token ids of rows; padding is masked."""
        mask = self.pad([[1] * len(row) for row in rows], 0)
        return model(input_ids=self.pad(rows), attention_mask=mask).logits

    def _where(self) -> JSON:
        return {} if Path(self.name).is_dir() else {"revision": self.revision}
