"""The README tells the truth: its settings are those that are read, its files and commands exist.

A stranger has nothing else; what it promises is compared with the code here.
"""

import re

from django.core.management import get_commands

from tests.product import ROOT

README = (ROOT / "README.md").read_text()


def test_every_setting_is_in_the_table_and_no_other() -> None:
    read = set(re.findall(r'"(THREADLINE_[A-Z_]+)"', (ROOT / "tracing" / "settings.py").read_text()))
    told = set(re.findall(r"^\| `(THREADLINE_[A-Z_]+)`", README, re.MULTILINE))
    assert told == read
    assert "| `DATABASE_URL` |" in README


def test_the_two_commands_stand_there_to_the_letter() -> None:
    begin = "python3 -m venv .uv && .uv/bin/pip install -q uv && .uv/bin/uv run "
    assert f"\n{begin}manage.py up --demo\n" in README
    assert f"\n{begin}pytest\n" in README
    assert f"{begin}pytest" in (ROOT / ".ci" / "run").read_text()


def test_every_file_it_names_exists() -> None:
    linked = re.findall(r"\]\(((?!http)[^)#]+)\)", README)
    named = re.findall(r"`(tracing/[\w/]+\.py)`", README)
    missing = [path for path in (*linked, *named) if not (ROOT / path).exists()]
    assert not missing
    assert len(linked) > 5


def test_the_picture_is_small_enough_to_load() -> None:
    assert 10_000 < (ROOT / "static" / "readme" / "flow.png").stat().st_size < 300_000


def test_every_command_it_names_exists() -> None:
    named = set(re.findall(r"`manage\.py (\w+)", README))
    assert named - set(get_commands()) == set()


def test_every_dependency_is_explained() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    listed = project.partition("\ndependencies = [")[2].partition("\n]")[0]
    names = re.findall(r'^\s+"([a-z-]+)', listed, re.MULTILINE)
    explained = README.partition("## Dependencies")[2].partition("\n## ")[0].lower()
    unexplained = [name for name in names if name.removesuffix("-exporter-otlp") not in explained]
    assert not [name for name in unexplained if name != "psycopg"]
    assert len(names) > 10
