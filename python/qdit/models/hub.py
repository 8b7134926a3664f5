"""A model of the Hub or in a folder: files, revision, device and limits, before the weights are loaded."""

import itertools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Any

from ..common.failures import check_folder, free_memory, is_out_of_memory, loading
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
ALL = "all"  # as a device: every CUDA device, the layers of a model spread over them
_POSITIONS = ("max_position_embeddings", "n_positions", "max_seq_len", "context_length", "seq_length")
_POSITIONS_AFTER_PADDING = {  # the first position of a text comes after the padding token's number
    *("camembert", "data2vec-text", "esm", "ibert", "lilt", "longformer", "luke", "markuplm", "mpnet"),
    *("roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "xmod"),
}


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
        folder = self._folder
        return f"sha256:{sha256_folder(folder)}" if Path(self.name).is_dir() else folder.name

    @cached_property
    def _folder(self) -> Path:
        """Where the model's files are; of a Hub model .../snapshots/<commit>."""
        folder = Path(self.name)
        if folder.is_dir():
            return check_folder(folder)
        hub = require("huggingface_hub", "score", "to load a model")
        with loading(self.name):
            return Path(hub.hf_hub_download(self.name, "config.json", revision=self._wanted_revision)).parent

    @cached_property
    def device(self) -> str:
        """The torch device; of a model that is spread over several, their kind."""
        if self._options.device == ALL:
            return check_device("cuda")
        if self._options.device != "auto":
            return check_device(self._options.device)
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
        with self._loading():
            return self._transformers.AutoConfig.from_pretrained(self.name, **self._where())

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer, with a padding token, padding on the right."""
        with self._loading():
            tokenizer = self._transformers.AutoTokenizer.from_pretrained(self.name, **self._where())
        tokenizer.padding_side = "right"
        set_padding(tokenizer, self.config)
        return tokenizer

    @cached_property
    def context(self) -> int:
        """Tokens that the model takes, prompt and answer."""
        limits = (self.tokenizer.model_max_length, positions(self.config))
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
        spread = {"device_map": "auto"} if self._options.device == ALL else {}
        options = {
            **self._where(),
            **spread,
            "config": self.config,
            "dtype": getattr(self._torch, self.dtype),
        }
        if spread:
            require("accelerate", "train", "to spread a model over devices")
        with self._loading():
            model, info = loader.from_pretrained(self.name, **options, output_loading_info=True)
        missing = sorted(info["missing_keys"])
        if missing:
            raise ValueError(
                f"{self.name} has no trained weights for {', '.join(missing[:3])}, so it is no "
                f"{auto_class.removeprefix('AutoModelFor')} model and would score at random; pass another"
            )
        with self._loading():
            return (model if spread else model.to(self.device)).eval()

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
            except Exception as error:
                if self.batch_size == 1 or not is_out_of_memory(error):
                    raise
                self.batch_size = max(1, self.batch_size // 2)
                free_memory()
                continue
            start += len(batch)
            tick(start)

    def pad(self, rows: Sequence[Sequence[int]], fill: int | None = None) -> Tensor:
        """Return token ids as one tensor on the device, filled up on the right (None: with padding)."""
        fill = self.padding if fill is None else fill
        longest = max(map(len, rows))
        return self._torch.tensor(
            [[*row, *[fill] * (longest - len(row))] for row in rows], device=self.device
        )

    def logits(self, model: Network, rows: Sequence[Sequence[int]]) -> Tensor:
        """Return what a loaded model gives for the token ids of rows; padding is masked.

        Sequence classifiers of decoders read the last token that is not padding; of a row alone the very last
        where their configuration names no such token. Here that is one that ends no row then.
        """
        size = model.get_input_embeddings().num_embeddings
        most = max(map(max, rows))
        if most >= size:
            raise ValueError(
                f"{self.name}: its tokenizer gives token {most:,}, and the model has {size:,}; they do not "
                "belong together: fetch or copy both again"
            )
        fill = own_padding(self.config)
        if fill is None:
            fill = next(token for token in itertools.count() if token not in {row[-1] for row in rows})
            model.config.get_text_config().pad_token_id = fill
        mask = self.pad([[1] * len(row) for row in rows], 0)
        return model(input_ids=self.pad(rows, fill), attention_mask=mask).logits

    @cached_property
    def padding(self) -> int:
        """A token to pad with, which is masked: the model's own, else the tokenizer's if the model has it."""
        own, token = own_padding(self.config), self.tokenizer.pad_token_id
        size = getattr(self.config.get_text_config(), "vocab_size", token + 1)
        return own if own is not None else token if token < size else 0

    def _loading(self) -> AbstractContextManager[None]:
        return loading(self.name, folder=self._folder)

    def _where(self) -> JSON:
        where = {} if Path(self.name).is_dir() else {"revision": self.revision}
        return where | {"trust_remote_code": False}  # left open, transformers asks on the terminal


def check_device(name: str) -> str:
    """Return the name of a torch device; ValueError if there is none of that name here."""
    torch = require("torch", "score", "to run a model")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(f"device: got {name!r}, wanted auto, all, or a name such as cpu or cuda:1") from None
    count = {"cuda": torch.cuda.device_count, "mps": torch.mps.device_count}.get(device.type, lambda: 1)()
    if (device.index or 0) >= count:
        raise ValueError(f"device: got {name!r}, but torch finds {count} such devices here; pass auto or cpu")
    return str(device)


def own_padding(config: Any) -> int | None:
    """Return the token that a configuration pads with, None if it names none that there is."""
    text = config.get_text_config()
    token = getattr(text, "pad_token_id", None)
    if not isinstance(token, int) or token < 0:
        return None
    return token if token < getattr(text, "vocab_size", token + 1) else None


def set_padding(tokenizer: Tokenizer, config: Any) -> None:
    """Give a tokenizer a padding token if it has none: the model's own, or any, because padding is masked."""
    if tokenizer.pad_token_id is None:
        own = own_padding(config)
        token = None if own is None else tokenizer.convert_ids_to_tokens(own)
        # not the end token if there is a choice: texts may end with it
        tokenizer.pad_token = (
            token or tokenizer.unk_token or tokenizer.eos_token or tokenizer.convert_ids_to_tokens(0)
        )


def positions(config: Any) -> int | None:
    """Return how many tokens a configuration has positions for, None if it names no limit."""
    text = config.get_text_config()
    for name in _POSITIONS:
        limit = getattr(text, name, None)
        if isinstance(limit, int) and limit > 0:
            before = own_padding(text) if text.model_type in _POSITIONS_AFTER_PADDING else None
            return limit if before is None else limit - before - 1
    return None
