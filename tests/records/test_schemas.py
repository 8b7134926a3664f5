"""Shards whose types differ, types that a pool stores otherwise, and values that Python or Arrow has not."""

import json
from decimal import Decimal

import numpy as np
import pytest

from qdit.records import import_records

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

NULLS = pa.nulls(2)
NO_NUMBERS = pa.array([None, None], pa.float64())  # what pandas writes for a column without a value
TEXTS = pa.array(["x", "y"])
ROLES = pa.array(["user", "assistant"]).dictionary_encode()
MAPS = [[("a", 1)], []]


def table(values=None):
    columns = {"instruction": ["a", "b"], "output": ["c", "d"]}
    return pa.table(columns if values is None else {**columns, "c": values})


def write(folder, *tables):
    folder.mkdir(exist_ok=True)
    for i, one in enumerate(tables):
        pq.write_table(one, folder / f"part-{i}.parquet")
    return folder


def stored(records):
    return [row["c"] for row in records.values()], records.table(range(len(records)))["c"].to_pylist()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (NULLS, TEXTS),
        (NO_NUMBERS, TEXTS),
        (NO_NUMBERS, pa.array([{"a": 1}, {"a": 2}])),
        (pa.array([1, 2], pa.int32()), pa.array([3, 2**40])),
        (pa.array([1, 2]), pa.array([0.5, None])),
        (TEXTS.cast(pa.large_string()), TEXTS),
        (TEXTS.dictionary_encode(), TEXTS),
        (TEXTS.dictionary_encode(), pa.array(["z", "x"]).dictionary_encode()),
        (pa.array([Decimal("1.25"), None]), pa.array([Decimal("12345.1"), None])),
        (pa.array([[], []], pa.list_(pa.null())), pa.array([["x"], None])),
        (pa.array([[0.5, 1.0]] * 2, pa.list_(pa.float32(), 2)), pa.array([[0.5], []])),
        (pa.array(MAPS, pa.map_(pa.string(), pa.int8())), pa.array(MAPS, pa.map_(pa.string(), pa.int64()))),
        (pa.array([1, 2], pa.timestamp("s")), pa.array([1, 2], pa.timestamp("us"))),
    ],
    ids=lambda array: str(array.type),
)
def test_shards_of_other_types_are_read_in_any_order(tmp_path, one, other):
    for first, second in ((one, other), (other, one)):
        folder = write(tmp_path / "shards", table(first), table(second))
        records = import_records(folder, tmp_path / "pool", overwrite=True)
        wanted = first.to_pylist() + second.to_pylist()
        assert stored(records) == (wanted, wanted)


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        ({"a": 1}, {"b": "x", "a": 2}, [{"a": 1, "b": None}, {"a": 2, "b": "x"}]),
        ([{"a": 1, "b": "x"}], [{"b": "y", "a": 2.5}], [[{"a": 1, "b": "x"}], [{"a": 2.5, "b": "y"}]]),
        ([{"a": None}], [{"a": {"q": [1]}}], [[{"a": None}], [{"a": {"q": [1]}}]]),
    ],
)
def test_fields_inside_columns_are_matched_by_name(tmp_path, one, other, wanted):
    folder = write(tmp_path / "shards", *(table(pa.array([value] * 2)) for value in (one, other)))
    values = stored(import_records(folder, tmp_path / "pool"))
    assert values == ([wanted[0]] * 2 + [wanted[1]] * 2,) * 2


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (pa.array([True, False]), pa.array([1, 2]), "is int64, in {0} it is bool;"),
        (TEXTS, pa.array([1, 2]), "is int64, in {0} it is string;"),
        (TEXTS, pa.array([b"x", b"y"]), "is binary, in {0} it is string;"),
        (
            pa.array([{"a": 1}] * 2),
            pa.array([{"a": "x"}] * 2),
            "is struct<a: string>, in {0} it is struct<a: int64>;",
        ),
        (
            pa.array([1, 2], pa.timestamp("ms")),
            pa.array([1, 2], pa.timestamp("ms", "UTC")),
            "is timestamp[ms, tz=UTC], in {0} it is timestamp[ms];",
        ),
    ],
)
def test_types_without_a_wider_one_are_refused(tmp_path, one, other, said):
    folder = write(tmp_path / "shards", table(NULLS), table(one), table(other))
    with pytest.raises(ValueError) as caught:
        import_records(folder, tmp_path / "pool")
    files = [str(folder / f"part-{i}.parquet") for i in range(3)]
    assert str(caught.value).startswith(
        f"{files[2]}: column 'c' {said.format(files[1])} bring them to one type"
    )


def test_a_column_without_a_value_decides_for_no_other(tmp_path):
    folder = write(tmp_path / "shards", table(NO_NUMBERS), table(pa.array([0.5, 1.0])), table(TEXTS))
    with pytest.raises(
        ValueError, match=r"part-2\.parquet: column 'c' is string, in .*part-1\.parquet it is double"
    ):
        import_records(folder, tmp_path / "pool")


def test_numbers_that_the_wider_type_does_not_hold_are_refused(tmp_path):
    folder = write(tmp_path / "shards", table(pa.array([1, 2**53 + 1])), table(pa.array([0.5, 1.0])))
    with pytest.raises(
        ValueError, match=r"part-0\.parquet: column 'c' is int64 and does not fit into double, .*992"
    ):
        import_records(folder, tmp_path / "pool")


def test_shards_without_rows_have_no_say_and_columns_go_by_name(tmp_path):
    empty = pa.table({"instruction": NO_NUMBERS[:0]})
    mixed = table(TEXTS).select(["c", "output", "instruction"])
    folder = write(tmp_path / "shards", empty, table(TEXTS), empty, mixed)
    records = import_records(folder, tmp_path / "pool")
    assert [list(value.values()) for value in records.values()] == [["a", "c", "x"], ["b", "d", "y"]] * 2


def views(values):
    return pa.array(values, pa.list_view(pa.string_view()))


def nested(roles):
    return pa.ListArray.from_arrays([0, 1, 2], pa.StructArray.from_arrays([roles], ["role"]))


@pytest.mark.parametrize(
    "values",
    [
        pa.array(["x", None], pa.string_view()),
        pa.array([b"x", None], pa.binary_view()),
        views([["x"], ["y", "z"]]),
        pa.array([None, [1, 2]], pa.large_list_view(pa.int8())),
        pa.StructArray.from_arrays([views([["x"], None])], ["v"]),
        nested(ROLES),
        nested(ROLES.cast(pa.dictionary(pa.uint8(), pa.large_string(), ordered=True))),
        pa.MapArray.from_arrays([0, 1, 2], TEXTS, ROLES),
        pa.FixedSizeListArray.from_arrays(ROLES, 1),
        pa.RunEndEncodedArray.from_arrays([2], [7]),
    ],
    ids=lambda array: str(array.type),
)
def test_categories_and_views_at_any_depth(tmp_path, values):
    wanted = values.to_pylist() * 2
    batches = [table(values).to_batches()[0], table(values).to_batches()[0]]
    records = import_records(pa.Table.from_batches(batches), tmp_path / "pool")
    assert stored(records) == (wanted, wanted)
    assert records.table([1, 0]).slice(1)["c"].to_pylist() == wanted[:1]


def test_categories_of_many_row_groups(tmp_path):
    """pyarrow brings nested categories of several groups into no batch."""
    words = [nested(pa.array([f"x{i}", f"y{i}"]).dictionary_encode()) for i in range(6)]
    whole = pa.concat_tables([table(one) for one in words])
    folder = tmp_path / "shards"
    folder.mkdir()
    with pq.ParquetWriter(folder / "a.parquet", whole.schema) as writer:
        for one in words:
            writer.write_table(table(one))
    assert stored(import_records(folder, tmp_path / "pool"))[0] == whole["c"].to_pylist()


@pytest.fixture
def json_type():
    return getattr(pa, "json_", None) or pytest.skip("this pyarrow has no type of JSON")


def test_columns_of_json_are_values(tmp_path, json_type):
    texts = pa.array(['{"a": [1, NaN]}', "7"])
    kind = json_type()
    calls = pa.ListArray.from_arrays([0, 1, 2], pa.StructArray.from_arrays([texts.cast(kind)], ["arguments"]))
    whole = table(calls).append_column("meta", pa.array([None, "[]"]).cast(kind))
    records = import_records(whole, tmp_path / "pool")
    assert [row["c"] for row in records.values()] == [[{"arguments": {"a": [1, None]}}], [{"arguments": 7}]]
    assert json.loads(records.raw(1))["meta"] == []
    assert records.value(0)["meta"] is None
    assert records.table([0, 1])["meta"].to_pylist() == [None, "[]"]
    chat = pa.array(['[{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]']).cast(kind)
    records = import_records(pa.table({"messages": chat}), tmp_path / "chats")
    assert records.row(0).turns == (("user", "q"), ("assistant", "a"))


def text_of(values):
    return pa.Array.from_buffers(pa.string(), len(values), pa.array(values).buffers())


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (pa.array([1, 2**60], pa.timestamp("ms")), "is timestamp[ms] and cannot be read: "),
        (pa.array([1, 2**30], pa.date32()), "is date32[day] and cannot be read: "),
        (text_of([b"x", b"\xff"]), "is string and cannot be read: 'utf-8' codec can't decode byte 0xff"),
    ],
    ids=lambda case: getattr(case, "type", ""),
)
def test_a_value_that_python_has_not_is_a_bad_row(tmp_path, values, said):
    path = write(tmp_path / "shards", table(values)) / "part-0.parquet"
    with pytest.raises(ValueError) as caught:
        import_records(path, tmp_path / "pool")
    assert str(caught.value).startswith(f"{path}, row 1: field 'c' {said}")
    assert len(import_records(path, tmp_path / "pool", skip_bad=True)) == 1


def test_rows_outside_their_file_are_not_touched(tmp_path):
    """Whatever reads them may crash."""
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    texts = "".join(f"text {i}" for i in range(100))
    datasets.Dataset.from_dict({"instruction": [texts] * 2, "output": ["x"] * 2}).save_to_disk(
        tmp_path / "set"
    )
    (path,) = (tmp_path / "set").glob("*.arrow")
    end = len(texts).to_bytes(4, "little")
    assert path.read_bytes().count(end) >= 1
    path.write_bytes(path.read_bytes().replace(end, (2**30).to_bytes(4, "little")))
    with pytest.raises(ValueError, match=r"set is damaged: .*; save or fetch it again$"):
        import_records(tmp_path / "set", tmp_path / "pool", skip_bad=True)


def test_a_column_that_is_there_twice(tmp_path):
    twice = pa.table([TEXTS, TEXTS, TEXTS], ["instruction", "output", "output"])
    with pytest.raises(
        ValueError, match=r"^Table: column 'output' is there twice; give each column its own name$"
    ):
        import_records(twice, tmp_path / "pool")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([2**70, 1], f"column 'c' has {2**70} in row 0, which no type of Arrow holds"),
        ([1, {"a": 1}, "x"], "column 'c' has 1 in row 0 and {'a': 1} in row 1, which"),
        ([{"a": 1}, None, {"a": "x"}], "column 'c' has {'a': 1} in row 0 and {'a': 'x'} in row 2, which"),
    ],
)
def test_mixed_columns_of_a_frame_name_their_rows(tmp_path, values, said):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(
        {"instruction": ["a"] * len(values), "output": "b", "c": pd.Series(values, dtype=object)}
    )
    with pytest.raises(ValueError) as caught:
        import_records(frame, tmp_path / "pool")
    assert str(caught.value).startswith(f"source: DataFrame: {said}")
    assert [
        row["c"] for row in import_records(frame.to_dict("records"), tmp_path / "pool").values()
    ] == values


def test_series_and_streams_without_types_are_refused_in_words(tmp_path):
    pd, datasets = pytest.importorskip("pandas"), pytest.importorskip("datasets")
    with pytest.raises(ValueError, match=r"^source: Series: .*; pass a table or a list of dicts$"):
        import_records(pd.Series(["a"]), tmp_path / "pool")

    def rows():
        yield from ({"instruction": "a", "output": "b", "c": value} for value in (None, 1))

    stream = datasets.IterableDataset.from_generator(rows)
    with pytest.raises(
        ValueError, match=r"(?s)^source: Dataset: .*; give the data set its types with features=$"
    ):
        import_records(stream, tmp_path / "pool")


def test_frames_of_polars(tmp_path):
    pl = pytest.importorskip("polars")
    roles = pl.Series([[{"role": "user"}], []], dtype=pl.List(pl.Struct({"role": pl.Categorical})))
    frame = pl.DataFrame({"instruction": ["a", "b"], "output": ["c", "d"], "c": roles})
    assert stored(import_records(frame, tmp_path / "pool"))[0] == [[{"role": "user"}], []]
    objects = pl.Series([object(), object()], dtype=pl.Object)
    with pytest.raises(
        TypeError, match=r"^source: DataFrame has a column of Python objects; pass the rows: "
    ):
        import_records(frame.with_columns(o=objects), tmp_path / "pool2")


@pytest.mark.parametrize(
    ("file", "harm"),
    [("state.json", "{"), ("state.json", "[]"), ("dataset_info.json", "null"), ("*.arrow", "")],
)
def test_a_damaged_data_set_of_save_to_disk(tmp_path, file, harm):
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    datasets.Dataset(table()).save_to_disk(tmp_path / "set")
    damaged = next((tmp_path / "set").glob(file))
    damaged.unlink()
    if harm:
        damaged.write_text(harm)
    with pytest.raises(
        ValueError, match=r"set is no whole data set of save_to_disk: .*; save or copy it again$"
    ) as told:
        import_records(tmp_path / "set", tmp_path / "pool")
    assert not any(raw in str(told.value) for raw in ("NoneType", "Errno", "indices"))


def test_nan_becomes_null_where_json_is_written(tmp_path):
    values = pa.array([float("nan"), np.inf, -np.inf, 0.5])
    whole = pa.table({"instruction": ["a"] * 4, "output": ["b"] * 4, "c": values, "d": [[x] for x in values]})
    records = import_records(whole, tmp_path / "pool")
    assert [json.loads(raw, parse_constant=pytest.fail)["c"] for raw in records.raws()] == [
        None,
        None,
        None,
        0.5,
    ]
    assert json.loads(records.raw(1))["d"] == [None]
    assert np.isnan(records.table([0])["c"].to_pylist()[0])
