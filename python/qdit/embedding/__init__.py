"""A vector for every row of a pool.

A pool and options come in; embeddings.npy, (n, d) float16 or float32, and embeddings.json go into the pool.

    api          `embed` and `prepare`
    options      EmbedOptions: model, text, layout of the file
    job          a checked call: texts of rows in, finished rows out, chunk by chunk
    window       rows whose texts are sorted by length together
    writer       the rows on disk while they are made, and the last steps
    encoder      the interface of all encoders
    hashed       builtin:hash, a stand-in without a download
    sentence     models of sentence-transformers, on one or more devices
    runtime      how such a model is loaded: torch, ONNX Runtime, OpenVINO
    workers      processes that encode at the same time
    server       any server with OpenAI's /v1/embeddings
"""

from ..common.identity import OtherRunError
from .api import embed, prepare
from .job import Embeddings, EmbedJob
from .options import EmbedOptions

__all__ = ["EmbedJob", "EmbedOptions", "Embeddings", "OtherRunError", "embed", "prepare"]
