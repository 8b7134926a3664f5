"""What an earlier run was made of is compared with the present one in words."""

from pathlib import Path

import pytest

from qdit.common.identity import OtherRunError, check_same, differences

IDENTITY = {"model": "a", "recipe": {"seed": 0, "epochs": 3.0}}


def test_differences():
    assert differences(IDENTITY, IDENTITY) == []
    assert differences({"a": 1}, {"b": 2}) == ["a is None now and was 1", "b is 2 now and was None"]
    assert differences({"a": "x" * 100}, {"a": None})[0].endswith("...")
    assert len(differences({"a": "x" * 1000}, {"a": "y" * 1000})[0]) < 200


def test_parts_have_names():
    changed = IDENTITY | {"recipe": {"seed": 1, "epochs": 3.0}}
    assert differences(IDENTITY, changed) == ["recipe.seed is 1 now and was 0"]
    then, now = ({"of": [{"n": 1, "by": by}, {"n": 2}]} for by in "ab")
    assert differences(then, now) == ["of[0].by is 'b' now and was 'a'"]
    assert differences(then, {"of": []}) == [
        f"of[{i}] is None now and was {one}" for i, one in enumerate(then["of"])
    ]
    assert differences({"of": [1, 2]}, {"of": [1, 3]}) == ["of is [1, 3] now and was [1, 2]"]


def test_what_a_file_cannot_keep_is_no_difference():
    assert differences({"a": [1, 2], "path": "x"}, {"a": (1, 2), "path": Path("x"), "new": None}) == []


@pytest.mark.parametrize("then", [None, [], {}])
def test_what_is_no_identity_differs(then):
    with pytest.raises(OtherRunError, match=r"^here: model is 'a' now and was None; recipe is .*; go away$"):
        check_same("here", then, IDENTITY, "go away")


def test_long_values_are_cut_to_where_they_differ():
    then, now = ("A long prompt. " * 20 + end for end in ("Go on.", "Stop."))
    (line,) = differences({"prompt": then}, {"prompt": now})
    assert line == "prompt is ...g prompt. Stop.' now and was ...g prompt. Go on.'"
    assert differences({"of": [["a", 1]]}, {"of": [["a", 2]]}) == ["of[0] is ['a', 2] now and was ['a', 1]"]
