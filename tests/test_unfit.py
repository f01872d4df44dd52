"""One exception for all that people say and that cannot be taken."""

import ast
from pathlib import Path

import pytest

import tracing
from tracing.unfit import Unfit


def test_it_names_the_part_and_is_its_sentence() -> None:
    with pytest.raises(ValueError, match="Say why") as caught:
        raise Unfit("reason", "Say why.")
    assert isinstance(caught.value, Unfit)
    assert (caught.value.field, caught.value.sentence) == ("reason", "Say why.")


def test_there_is_no_second_one() -> None:
    files = Path(tracing.__file__).parent.rglob("*.py")
    made = [
        path.name
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and node.name == "Unfit"
    ]
    assert made == ["unfit.py"]
