"""`qdit embed` beside plain `SentenceTransformer.encode`: the same texts, the same model, in turn in one run.

`python bench/bench_embed.py --model FOLDER --source FILE` compares the vectors first, then measures, and
writes bench/results/embed.{json,md}. FILE is anything that `qdit import` reads. Beside the time stands what
batches hold: the share of tokens that is padding, which is counted, over all rows of the source.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import Report, interleave
from qdit.embedding import EmbedOptions, embed
from qdit.embedding.encoder import longest_first
from qdit.embedding.sentence import SentenceEncoder
from qdit.records import import_records, open_records
from qdit.records.templates import make_template

BATCH, CHUNK, WINDOW = 32, 2048, EmbedOptions(model="any").layout()["window_rows"]
Ints = NDArray[np.int64]


def orders(characters: Ints, tokens: Ints) -> Iterator[tuple[str, Ints]]:
    """Yield ways to put texts into batches."""

    def by(lengths: Ints, window: int) -> Ints:
        starts = range(0, len(lengths), window)
        return np.concatenate([start + longest_first(lengths[start : start + window], 0) for start in starts])

    yield "as they come", np.arange(len(tokens))
    yield f"characters, {CHUNK:,} rows", by(characters, CHUNK)
    yield "characters, all rows (encode)", by(characters, len(tokens))
    yield f"tokens, {WINDOW:,} rows (embed)", by(tokens, WINDOW)


def padding(tokens: Ints, order: Ints) -> float:
    """Return the share of padding in batches of texts in an order."""
    filled = [tokens[order[start : start + BATCH]] for start in range(0, len(order), BATCH)]
    return 1 - float(tokens.sum() / sum(int(batch.max()) * len(batch) for batch in filled))


def seconds_used() -> float:
    """Return the processor seconds of this process and of those that have ended."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, kinds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--rows", type=int, default=2000, help="rows that are timed")
    parser.add_argument("--processes", type=int, nargs="*", default=[2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    report = Report("embed", "qdit embed beside SentenceTransformer.encode (in one call) on the same texts")
    with tempfile.TemporaryDirectory() as folder:
        whole, part = Path(folder) / "whole", Path(folder) / "part"
        import_records(options.source, whole).close()
        import_records(options.source, part, limit=options.rows).close()
        with open_records(whole) as records:
            texts = [make_template("with_input")(row) for row in records.rows()]
        with SentenceEncoder(EmbedOptions(model=options.model, device="cpu")) as encoder:
            tokens = np.minimum(encoder.lengths(texts), encoder.longest)
            model = encoder._model
        characters = np.array([len(text) for text in texts])
        for name, order in orders(characters, tokens):
            report.add({"what": "padding, sorted by", "how": name, "value": padding(tokens, order)})
        timed(report, part, texts[: options.rows], model, options)
    report.write(options.out)


def timed(report: Report, pool: Path, texts: list[str], model: Any, options: argparse.Namespace) -> None:
    """Compare the vectors, then the time."""
    used: dict[str, list[float]] = {}

    def watched(name: str, run: Callable[[], NDArray[np.float32]]) -> Callable[[], NDArray[np.float32]]:
        def watch() -> NDArray[np.float32]:
            before = seconds_used()
            rows = run()
            used.setdefault(name, []).append(seconds_used() - before)
            return rows

        return watch

    def mine(**how: Any) -> Callable[[], NDArray[np.float32]]:
        def run() -> NDArray[np.float32]:
            for made in pool.glob("embeddings.*"):
                shutil.rmtree(made) if made.is_dir() else made.unlink()
            return np.array(
                embed(pool, options.model, dtype="float32", **{"device": "cpu", **how}).rows.array
            )

        return run

    ways = {
        "encode": lambda: model.encode(texts, batch_size=BATCH, normalize_embeddings=True),
        "embed": mine(),
    } | {f"embed, {count} processes": mine(processes=count) for count in options.processes}
    want = ways["encode"]()
    for name, way in ways.items():
        least = float((way() * want).sum(axis=1).min())
        assert least > 0.99999, f"{name}: cosine {least} to the vectors of encode"
    seconds = interleave([watched(name, way) for name, way in ways.items()], options.rounds)
    for name, mine_seconds in zip(ways, seconds, strict=True):
        report.add({"what": "seconds", "how": name, "value": float(np.median(mine_seconds))})
        ratio = float(np.median(seconds[0] / mine_seconds))
        report.add({"what": "times as fast as encode", "how": name, "value": ratio})
        work = float(np.median(used[name][1:]))
        report.add({"what": "processor seconds", "how": name, "value": work})


if __name__ == "__main__":
    main()
