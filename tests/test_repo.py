"""Rules about the repository itself, so that they are kept without anybody remembering them."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.product import ROOT

TOP = {"tracing", "timeline", "templates", "static", "tests"}
LONGEST_FILE = 450
LONGEST_DOCSTRING = 14
PACKAGES = ("tracing", "timeline")
MODULES = sorted(
    path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if "migrations" not in path.parts
)
TESTS = "\n".join(path.read_text() for path in sorted((ROOT / "tests").rglob("*.py")))
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def test_the_top_level_is_fixed() -> None:
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
    assert folders - {"__pycache__"} == TOP


def test_imports_run_one_way() -> None:
    ended = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout


def test_every_setting_is_in_the_readme() -> None:
    settings = set(re.findall(r'"(THREADLINE_[A-Z_]+)"', (ROOT / "tracing/settings.py").read_text()))
    described = set(re.findall(r"^\| `(\w+)`", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert settings | {"DATABASE_URL"} <= described
    assert {name for name in described if name.startswith("THREADLINE_")} <= settings


def test_only_settings_read_our_variables() -> None:
    readers = [
        relative(path)
        for path in MODULES
        if re.search(r'(environ(\.get\(|\[)|getenv\()\s*f?"THREADLINE_', path.read_text())
    ]
    assert set(readers) <= {"tracing/settings.py"}


@pytest.mark.parametrize("path", [path for path in MODULES if path.stat().st_size], ids=relative)
def test_a_module_says_what_it_does_and_stays_small(path: Path) -> None:
    text = path.read_text()
    told = ast.get_docstring(ast.parse(text))
    assert told, "no docstring"
    assert len(told.splitlines()) <= LONGEST_DOCSTRING
    assert len(text.splitlines()) <= LONGEST_FILE


# Modules that no test names, because a journey through the door before them is the better test.
THROUGH = {
    "tracing/apps.py": "test_up",
    "tracing/commandline.py": "test_settings",
    "tracing/committing.py": "test_storing",
    "tracing/copying.py": "test_storing",
    "tracing/exceptions.py": "test_flows",
    "tracing/flows.py": "test_storing",
    "tracing/headers.py": "test_up",
    "tracing/initdb.py": "test_postgres",
    "tracing/otlp/finishing.py": "test_otlp_decode",
    "tracing/otlp/grpc.py": "test_up",
    "tracing/otlp/http.py": "test_up",
    "tracing/otlp/identity.py": "test_otlp_decode",
    "tracing/otlp/jsonfields.py": "test_otlp_json",
    "tracing/otlp/protobuf.py": "test_otlp_decode",
    "tracing/otlp/receiving.py": "test_otlp_answers",
    "tracing/otlp/wire.py": "test_otlp_decode",
    "tracing/readiness.py": "test_up",
    "tracing/recounting.py": "test_erasing",
    "tracing/stored.py": "test_reapply",
    "tracing/summing.py": "test_storing",
    "tracing/trampoline.py": "test_supervisor",
    "tracing/urls.py": "test_up",
    "tracing/watch/expecting.py": "test_watch_judging",
    "tracing/watch/hastening.py": "test_watch_learning",
    "tracing/watch/holding.py": "test_problems",
    "tracing/watch/ledger.py": "test_problems",
    "tracing/watch/quieting.py": "test_problems",
    "tracing/watch/statements.py": "test_watch_tables",
}


def is_tested(path: Path) -> bool:
    """Named by a test: as a file of its own, or by an import."""
    parent, _, name = dotted(path).rpartition(".")
    imported = rf"(from {re.escape(parent)} import [^\n]*\b{name}\b|{re.escape(dotted(path))}\b)"
    grouped = rf"from {re.escape(parent)} import \([^)]*\b{name}\b"
    own = any(
        (ROOT / f"tests/test_{prefix}{name}.py").exists()
        for prefix in ("", "otlp_", "layout_", "watch_", "detect_", "snapshots_")
    )
    return own or bool(re.search(f"{imported}|{grouped}", TESTS))


def test_every_module_of_the_domain_has_its_test() -> None:
    """Of `timeline` the layout only: its pages are tested as pages, in a browser and out of one."""
    parts = ("tracing", "tracing/otlp", "tracing/watch", "tracing/snapshots", "timeline/layout")
    folders = [ROOT / part for part in parts]
    wanted = [path for path in MODULES if path.parent in folders and path.name != "__init__.py"]
    untested = {relative(path) for path in wanted if not is_tested(path)}
    assert sorted(untested - THROUGH.keys()) == []
    for module, test in THROUGH.items():
        assert (ROOT / module).exists(), module
        assert (ROOT / f"tests/{test}.py").exists(), test


def test_every_command_is_run_by_a_test() -> None:
    commands = [path for path in (ROOT / "tracing/management/commands").glob("*.py") if path.stat().st_size]
    assert [path.stem for path in commands if f'"{path.stem}"' not in TESTS] == []


@pytest.mark.parametrize("path", TEMPLATES, ids=relative)
def test_a_template_needs_nothing_the_policy_forbids(path: Path) -> None:
    text = re.sub(r"{%.*?%}|{{.*?}}", "", path.read_text(), flags=re.DOTALL)
    assert not re.search(r"<[^>]*\sstyle\s*=", text), "an inline style"
    assert not re.search(r"<[^>]*\son\w+\s*=", text), "an inline handler"
    assert not re.search(r"<script(?![^>]*\ssrc=)", text), "an inline script"
    assert not re.search(r"<style", text), "an inline style sheet"
    assert not re.search(r"""(src|href|action)=["']?(https?:)?//""", text), "something from elsewhere"
