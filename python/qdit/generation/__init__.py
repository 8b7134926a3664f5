"""Answers of a language model to questions: one that runs here, or one behind an OpenAI-compatible server.

Questions come in; a JSONL file of answers goes out, and a manifest beside it.

    api          `generate` and `prepare`
    options      GenerateOptions: the model, its prompt, how it draws
    questions    what is asked: a question, its hash, what its draws depend on
    job          a checked call: which answers are left, and the files
    local        answers of a model in this process, in batches that an interruption does not change
    sampling     the choice of the next token, and ends of answers
    server       answers of a model behind an endpoint
"""

from .api import generate, prepare
from .job import Generated, GenerateJob
from .options import GenerateOptions

__all__ = ["GenerateJob", "GenerateOptions", "Generated", "generate", "prepare"]
