"""The encoder that options ask for."""

from __future__ import annotations

from .encoder import Encoder
from .hashed import HashEncoder
from .options import EmbedOptions
from .sentence import SentenceEncoder
from .server import ServerEncoder


def encoder_class(options: EmbedOptions) -> type[Encoder]:
    """Return what encodes with these options; called with them, it loads the model, or makes a client."""
    if options.base_url is not None:
        return ServerEncoder
    return HashEncoder if options.is_builtin else SentenceEncoder
