"""Sources of vectors of every kind, each written by the package that it is of."""

import numpy as np
import pytest

from helpers.oracle import clustered_rows

N, D = 500, 12
ROWS = clustered_rows(N, D, seed=11, dtype="float32")
IDS = [f"doc {i}" for i in range(N)]


def arrow_table(rows=ROWS, kind=None, ids=IDS):
    pa = pytest.importorskip("pyarrow")
    kind = kind or pa.list_(pa.float32(), D)
    return pa.table({"id": ids, "embeddings": pa.array(rows.tolist(), kind), "text": ["x"] * len(ids)})


def write_parquet(path, **options):
    pq = pytest.importorskip("pyarrow.parquet")
    pq.write_table(arrow_table(**options), path, row_group_size=60)
    return path


def parquet(folder):
    return write_parquet(folder / "x.parquet"), {}


def parquet_folder(folder):
    pq = pytest.importorskip("pyarrow.parquet")
    (folder / "pool").mkdir()
    for part in range(5):
        pq.write_table(
            arrow_table().slice(part * 100, 100), folder / "pool" / f"{part}.parquet", row_group_size=33
        )
    (folder / "pool" / "_metadata.parquet").write_bytes(b"not one")
    return folder / "pool", {}


def arrow_file(folder):
    pa = pytest.importorskip("pyarrow")
    with (
        pa.OSFile(str(folder / "x.arrow"), "wb") as sink,
        pa.ipc.new_file(sink, arrow_table().schema) as writer,
    ):
        writer.write_table(arrow_table(), max_chunksize=70)
    return folder / "x.arrow", {}


def arrow_stream(folder):
    pa = pytest.importorskip("pyarrow")
    with (
        pa.OSFile(str(folder / "x.arrow"), "wb") as sink,
        pa.ipc.new_stream(sink, arrow_table().schema) as writer,
    ):
        writer.write_table(arrow_table(), max_chunksize=70)
    return folder / "x.arrow", {}


def feather(folder):
    module = pytest.importorskip("pyarrow.feather")
    module.write_feather(arrow_table(), folder / "x.feather")
    return folder / "x.feather", {}


def table(folder):
    return arrow_table(), {}


def hdf5(folder):
    h5py = pytest.importorskip("h5py")
    with h5py.File(folder / "x.h5", "w") as file:
        file.create_dataset("train/embeddings", data=ROWS, chunks=(64, D), compression="gzip")
        file["train/ids"] = IDS
        file["train/labels"] = np.arange(N)
    return folder / "x.h5", {"id_column": "train/ids"}


def safetensors(folder):
    module = pytest.importorskip("safetensors.numpy")
    module.save_file({"embeddings": ROWS, "ids": np.arange(N), "other": ROWS[:3]}, folder / "x.safetensors")
    return folder / "x.safetensors", {}


def faiss_index(folder):
    faiss = pytest.importorskip("faiss")
    index = faiss.IndexFlatIP(D)
    index.add(ROWS)
    faiss.write_index(index, str(folder / "x.faiss"))
    return folder / "x.faiss", {}


def faiss_with_ids(folder):
    faiss = pytest.importorskip("faiss")
    index = faiss.IndexIDMap(faiss.IndexFlatL2(D))
    index.add_with_ids(ROWS, np.arange(N) + 1000)
    return index, {}


def faiss_graph(folder):
    faiss = pytest.importorskip("faiss")
    index = faiss.IndexHNSWFlat(D, 8)
    index.add(ROWS)
    faiss.write_index(index, str(folder / "x.index"))
    return folder / "x.index", {}


def duckdb_table(folder):
    duckdb = pytest.importorskip("duckdb")
    docs = arrow_table()
    with duckdb.connect(str(folder / "x.duckdb")) as database:
        database.register("docs_view", docs)
        database.execute("CREATE TABLE docs AS SELECT * FROM docs_view")
        database.execute("CREATE TABLE other AS SELECT 1 AS one")
    return folder / "x.duckdb", {"table": "docs"}


def duckdb_array(folder):
    duckdb = pytest.importorskip("duckdb")
    docs = arrow_table()
    with duckdb.connect(str(folder / "x.duckdb")) as database:
        database.register("docs_view", docs)
        database.execute(
            f"CREATE TABLE docs AS SELECT id, embeddings::FLOAT[{D}] AS embeddings FROM docs_view"
        )
    return folder / "x.duckdb", {"query": "SELECT * FROM docs"}


def duckdb_relation(folder):
    duckdb = pytest.importorskip("duckdb")
    return duckdb.connect().from_arrow(arrow_table()), {}


def lance(folder):
    lancedb = pytest.importorskip("lancedb")
    lancedb.connect(folder / "lance").create_table("docs", arrow_table())
    return folder / "lance", {"table": "docs"}


def lance_folder(folder):
    source, _ = lance(folder)
    return source / "docs.lance", {}


def lance_table(folder):
    lancedb = pytest.importorskip("lancedb")
    return lancedb.connect(folder / "lance").create_table("docs", arrow_table()), {}


def array(folder):
    return np.asfortranarray(ROWS), {}


SOURCES = [
    *(parquet, parquet_folder, arrow_file, arrow_stream, feather, table, hdf5, safetensors),
    *(faiss_index, faiss_with_ids, faiss_graph, duckdb_table, duckdb_array, duckdb_relation),
    *(lance, lance_folder, lance_table, array),
]
WANTED_IDS = {
    **dict.fromkeys((faiss_index, faiss_graph, array)),
    safetensors: list(range(N)),
    faiss_with_ids: list(range(1000, 1000 + N)),
}
