"""Embeddings of a pool's rows: sentence-transformers, servers, and a stand-in that needs no download.

A module imports only from those before it: encoder, hashed, sentence, server, settings, writer, job,
api, command.
"""

from ..common.identity import OtherRunError
from .api import embed, prepare
from .job import Embeddings, EmbedJob

__all__ = ["EmbedJob", "Embeddings", "OtherRunError", "embed", "prepare"]
