"""A variant of a source on its way from import to export: what becomes of it, and what is wrong with that.

PYTHONPATH=tests python -m helpers.mutation_run chat.jsonl.gz 17
"""

from __future__ import annotations

import json
import random
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

import qdit
from helpers.error_form import complaint
from helpers.mutations import make_variant, mutate_value
from helpers.openai_server import OpenAIServer, Request, rating
from helpers.plain_reading import BAD, holds, plain, read_plainly
from helpers.trainer_rules import READERS
from qdit.records.importing import describe_records

SECONDS = 20  # for a variant
ANSWERS = ["4", "Score: 3\nGood.", "<think>5</think>2", "<think>", "", "ten", "11", "-1", "3/5", "\ud83d 4"]
FAULTS = ["500", "429:0", "400", "drop", "garbage", "half", "truncated", "empty", "unparsable"]


class Hang(BaseException):
    """The time of a variant is over."""


class FindingError(AssertionError):
    """What is wrong with how a variant ended."""


@dataclass
class Ending:
    """How a variant ended.

    Attributes:
        stages: each stage that it came to, and "right" or the kind of its error.
        told: the errors.
        finding: what is wrong, "" if all is right.

    """

    stages: list[tuple[str, str]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    finding: str = ""


def follow(name: str, seed: int, server: OpenAIServer | None, folder: Path) -> Ending:
    """Send a variant through all stages in an empty folder; server: a judge, whose faults this sets."""
    ending = Ending()
    try:
        with _time_limit(), warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", "[a-z_]+: ", UserWarning)  # the project's own name an option
            _Way(name, seed, server, folder, ending).go()
    except FindingError as finding:
        ending.finding = str(finding)
    except Hang:
        ending.finding = f"no end after {SECONDS} s: {''.join(traceback.format_exc(limit=-6))}"
    except Exception:  # not of a stage: this helper, or a file that a stage wrote
        ending.finding = traceback.format_exc(limit=-4)
    return ending


@contextmanager
def _time_limit() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class _Way:
    def __init__(
        self, name: str, seed: int, server: OpenAIServer | None, folder: Path, ending: Ending
    ) -> None:
        self.rng = random.Random(f"way {name} {seed}")
        self.name, self.seed, self.server = name, seed, server
        self.folder, self.ending = folder, ending
        self.pool = folder / "pool"
        self.files = make_variant(name, seed)

    def go(self) -> None:
        n = self.read()
        if n and self.embed(n) and self.score(n):
            k = self.select(n)
            if k:
                self.export(k)

    def stage(self, name: str, work: Callable[..., Any], *given: Any, **options: Any) -> Any:
        """Return what a stage returns, None where it ends with an error in the project's form."""
        try:
            found = work(*given, **options)
        except Hang:
            raise
        except Exception as error:
            self.ending.stages.append((name, type(error).__name__))
            self.ending.told.append(f"{name}: {str(error).replace(str(self.folder), '')}")
            if wrong := complaint(error, self.folder if name == "import" else None):
                at = traceback.format_tb(error.__traceback__, limit=-1)[0]
                raise FindingError(
                    f"{name}, {options}: {type(error).__name__} {wrong}: {error}\n{at}"
                ) from error
            return None
        self.ending.stages.append((name, "right"))
        return found

    def need(self, right: bool, what: str) -> None:
        if not right:
            raise FindingError(what)

    # -- import

    def read(self) -> int:
        root = self.folder / "rows"
        for path, data in self.files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
        single = len(self.files) == 1 and self.rng.random() < 0.7
        source = root / next(iter(self.files)) if single else root
        more: list[dict[str, Any]] = [
            {"split": "all"},
            {"limit": 5},
            {"id_column": "id"},
            {"format": "messages"},
        ]
        more += [{"columns": {"output": "completion", "instruction": "prompt"}}, {"columns": {"system": "x"}}]
        options = {"skip_bad": self.rng.random() < 0.6} | (
            self.rng.choice(more) if self.rng.random() < 0.3 else {}
        )
        records = self.stage("import", qdit.import_records, source, self.pool, **options)
        if records is None:
            self.need(not list(self.pool.glob("*")), f"a failed import left {list(self.pool.glob('*'))}")
            return 0
        with records:
            self.compare(records, root)
            return len(records)

    def compare(self, records: Any, root: Path) -> None:
        """Every row of every file is in the pool, or among those that are said to be left out."""
        (entry,) = records.manifest["sources"]
        read = [Path(one["path"]) for one in entry["inputs"]]
        told = {*read, *map(Path, entry["left_out"])}
        everything = {path for path in root.rglob("*") if path.is_file()}
        if not (root / "state.json").exists():
            self.need(everything <= told, f"not a word of {sorted(everything - told)}")
        elif not (entry["kind"] == "arrow" and read):
            return
        skipped = entry["skipped"]["count"]
        self.need(
            not skipped or f"({skipped:,} left out" in describe_records(records), "skipped without a word"
        )
        origins = range(len(records)) if entry["origins"] is None else records.parts[0].origins.tolist()
        ways = [read_plainly(path) for path in read]
        pool = [plain(value) for value in records.values()]
        counts = set()
        for parts in product(*ways):
            rows = [row for part in parts for row in part][: entry["limit"]]
            counts.add(len(rows))
            if len(rows) == len(pool) + skipped:
                kept = [rows[i] for i in origins]
                if BAD not in kept and all(
                    holds(got, plain(want)) for got, want in zip(pool, kept, strict=True)
                ):
                    break
        else:
            self.need(
                len(pool) + skipped == entry["limit"],  # what is damaged may lie behind them
                f"{len(pool)} rows and {skipped} left out, the files {[path.name for path in read]} have "
                f"{sorted(counts) or 'none that can be read'}; or rows differ",
            )
        found = list(records.rows())
        self.need(len(found) == len(pool) == len(records), "rows get lost after the import")
        self.need(len({row.id for row in found}) == len(found), "ids are not unique")
        for raw in records.raws():
            self.need(b"\n" not in raw, "a row has a newline")
            json.loads(raw.decode(), parse_constant=lambda name: self.need(False, f"a row has {name}"))

    # -- embed and score

    def embed(self, n: int) -> bool:
        options = {"model": "builtin:hash", "zero_rows": self.rng.choice(["error", "keep"])}
        made = self.stage("embed", qdit.embed, self.pool, **options)
        if made is None and options["zero_rows"] == "error":  # as the error says
            made = self.stage(
                "embed", qdit.embed, self.pool, **options | {"zero_rows": "keep"}, overwrite=True
            )
        if made is None:
            return False
        rows = np.load(self.pool / "embeddings.npy")
        self.need(len(rows) == n and bool(np.isfinite(rows).all()), f"{len(rows)} vectors of {n} rows")
        return True

    def score(self, n: int) -> bool:
        options: dict[str, Any] = {"by": self.rng.choice(["response-words", "response-chars"])}
        if self.server is not None and self.rng.random() < 0.4:
            self.server._faults = self.fault if self.rng.random() < 0.7 else ()
            options = {"by": self.rng.choice(["alpagasus", "deita-quality"]), "judge_model": "m"}
            options |= {"base_url": self.server.url, "retries": 1, "timeout": 5.0, "concurrency": 4}
        made = self.stage("score", qdit.score, self.pool, **options)
        if made is None and "judge_model" in options:
            made = self.stage("score", qdit.score, self.pool, **options, missing="lowest", overwrite=True)
        if made is None:  # no row has a score
            made = self.stage("score", qdit.score, self.pool, by="response-words", overwrite=True)
        self.need(made is not None and len(made.quality) == n, "no score for some row")
        return bool(np.isfinite(np.load(self.pool / "quality.npy")).all())

    def fault(self, request: Request) -> Any:
        """Return what the server does, of the text alone: threads may ask in any order."""
        rng = random.Random(f"{self.seed} {request.text}")
        how = rng.random()
        if how < 0.5:
            return None
        if how < 0.65:
            return rng.choice(FAULTS)
        content = rng.choice([*ANSWERS, rating(request.text)])
        choice = {"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
        return mutate_value(rng, choice) if how < 0.85 and isinstance(choice, dict) else choice

    # -- select and export

    def select(self, n: int) -> int:
        k = self.rng.choice([1, min(n, 5), min(n, 5), n, n + 1, 0.5])
        options = {"k": k, "alpha": self.rng.choice([0, 0.5, 0.7, 1]), "threads": 1}
        options |= self.rng.choice([{}, {}, {}, {"per_source": 3}, {"budget_tokens": 60}])
        made = self.stage("select", qdit.select_pool, self.pool, **options)
        if made is None:
            made = self.stage("select", qdit.select_pool, self.pool, k=1, threads=1)
        if made is None:
            return 0
        made.save(self.folder / "chosen")
        return len(made)

    def export(self, k: int) -> None:
        formats = self.rng.choice(
            ["jsonl", "json", "parquet", "hf", "jsonl,parquet", "parquet,json", "jsonl,json,hf"]
        )
        options = {"format": formats, "columns": self.rng.random() < 0.3, "threads": 1}
        options["decisions"] = self.rng.choice(["auto", "none", "jsonl", "parquet"])
        given = (self.folder / "chosen", self.folder / "out")
        out = self.stage("export", qdit.export, *given, **options)
        if out is None:  # as the errors say
            options = {"format": "jsonl", "columns": False, "threads": 1}
            out = self.stage("export", qdit.export, *given, **options)
            self.need(out is not None, "no export as jsonl")
        self.check_export(out, k, options["format"].split(","), options["columns"])

    def check_export(self, out: Path, k: int, formats: list[str], columns: bool) -> None:
        """The chosen rows are there, in every format, and each trainer gets all but those counted."""
        chosen = np.load(out / "indices.npy").tolist()
        with qdit.open_records(self.pool) as records:
            want = [plain(records.value(i)) for i in chosen]
            own = b"".join(records.raw(i) + b"\n" for i in chosen)
        self.need(len(chosen) == k, f"{len(chosen)} rows, wanted {k}")
        if not columns and "jsonl" in formats:
            self.need((out / "data.jsonl").read_bytes() == own, "rows are not written as they came")
        for name in formats:
            got = self.read_export(out, name)
            same = len(got) == k and all(
                holds(
                    {key: one for key, one in row.items() if key in right or not key.startswith("qdit_")},
                    right,
                )
                for row, right in zip(map(plain, got), want, strict=True)
            )
            self.need(same, f"{name} has other rows than were chosen")
        trainers = json.loads((out / "manifest.json").read_text())["trainers"]
        for name, read in READERS.items():
            if Path(trainers[name]["file"]).suffix not in (".jsonl", ".json", ".parquet"):
                continue
            got = read(out)
            lost = sum(count["rows"] for count in trainers[name].get("left_out", {}).values())
            self.need(
                len(got) == k and got.count(None) == lost, f"{name} gets {got}, of {k} rows, {lost} told"
            )

    def read_export(self, out: Path, name: str) -> list[Any]:
        if name == "hf":
            import pyarrow as pa

            found = []
            for path in sorted((out / "data").glob("*.arrow")):
                with pa.memory_map(str(path)) as file:
                    found += pa.ipc.open_stream(file).read_all().to_pylist()
            return found
        if name == "parquet":
            import pyarrow.parquet as pq

            return pq.read_table(out / "data.parquet").to_pylist()
        text = (out / f"data.{name}").read_bytes().decode()
        return json.loads(text) if name == "json" else [json.loads(line) for line in text.split("\n")[:-1]]


def main() -> None:
    """Show what becomes of one variant."""
    name, seed = sys.argv[1], int(sys.argv[2])
    folder = Path(tempfile.mkdtemp(prefix=f"qdit-{name}-{seed}-"))
    with OpenAIServer() as server:
        ending = follow(name, seed, server, folder)
    print(f"files in {folder}", *ending.stages, *ending.told, ending.finding, sep="\n")


if __name__ == "__main__":
    main()
