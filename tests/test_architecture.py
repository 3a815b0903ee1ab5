"""The layers, read from the source: who may import whom, where torch may be, how long a file is."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Each package may import itself and the packages named here.
MAY_IMPORT = {
    "data": set(),
    "chem": {"data"},
    "ml": {"data"},
    "tasks": {"data", "chem", "ml"},
    "flows": {"data", "chem", "ml", "tasks"},
}
ORCHESTRATION = {"prefect", "prefect_dask", "dask", "distributed", "dask_jobqueue"}
TORCH = {"torch", "mace", "e3nn", "dac_sim"}
# Seconds each to import: never at the start of the command line.
HEAVY = {"torch", "prefect", "distributed", "pymatgen", "matplotlib", "numba", "pandas", "ase"}
LONGEST_FILE = 400
TEXT = {
    ".py",
    ".md",
    ".toml",
    ".yaml",
    ".yml",
    ".lock",
    ".cif",
    ".json",
    ".j2",
    ".html",
    ".css",
    "",
}
LEFT_BY_TOOLS = {"build", "dist", "runs", "__pycache__"}


def sources(*folders: str) -> list[Path]:
    """Python files of the given folders of the repository."""
    return sorted(
        path
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if "__pycache__" not in path.parts
    )


def repository_texts() -> list[Path]:
    """Every text file that belongs to the repository."""
    found = []
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        hidden = parts[0].startswith(".") and parts[0] not in (".ci", ".gitignore")
        leftover = LEFT_BY_TOOLS.intersection(parts) or any(p.endswith(".egg-info") for p in parts)
        if path.is_file() and path.suffix in TEXT and not hidden and not leftover:
            found.append(path)
    return found


def imported(node: ast.AST) -> Iterator[str]:
    """Top-level names of the modules one import statement asks for."""
    if isinstance(node, ast.Import):
        yield from (alias.name.partition(".")[0] for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports name their package in full"
        yield (node.module or "").partition(".")[0]


def imports(path: Path) -> set[str]:
    """Everything a file imports, also inside functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {name for node in ast.walk(tree) for name in imported(node)}


def imports_on_load(path: Path) -> set[str]:
    """What a file imports when it is loaded itself (type-checking blocks and functions aside)."""

    def visit(node: ast.AST) -> Iterator[str]:
        yield from imported(node)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            return
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        for child in ast.iter_child_nodes(node):
            yield from visit(child)

    return set(visit(ast.parse(path.read_text(encoding="utf-8"))))


def named(path: Path) -> str:
    """The path as a reader of a failure wants it."""
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_one_way(package: str) -> None:
    """flows -> tasks -> {chem, ml} -> data, and chem and ml know nothing of each other."""
    forbidden = set(MAY_IMPORT) - MAY_IMPORT[package] - {package} | {"tests", "benchmarks"}
    wrong = {named(p): bad for p in sources(package) if (bad := imports(p) & forbidden)}
    assert sources(package)
    assert not wrong


@pytest.mark.parametrize("package", ["data", "chem", "ml"])
def test_orchestration_stays_in_tasks_and_flows(package: str) -> None:
    wrong = {named(p): bad for p in sources(package) if (bad := imports(p) & ORCHESTRATION)}
    assert not wrong


def test_torch_in_chem_only_inside_the_mace_reference() -> None:
    users = {named(p) for p in sources("chem", "data") if imports(p) & TORCH}
    assert {
        name for name in users if not re.fullmatch(r"chem/references/mace\w*\.py", name)
    } == set()


def test_chem_loads_torch_only_when_asked() -> None:
    wrong = {named(p): bad for p in sources("chem", "data") if (bad := imports_on_load(p) & TORCH)}
    assert not wrong


def test_the_command_line_starts_without_heavy_imports() -> None:
    """`widomill --help` answers at once."""
    code = "import sys, flows.cli; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert HEAVY.intersection(done.stdout.split()) == set()


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    every = sources(*MAY_IMPORT, "tests", "benchmarks")
    lengths = {named(p): len(p.read_text(encoding="utf-8").splitlines()) for p in every}
    assert {name: n for name, n in lengths.items() if n > LONGEST_FILE} == {}


def test_no_path_of_somebodys_machine() -> None:
    pattern = re.compile(
        r"(?<![\w.])/(?:" + "|".join(["wor" + "k", "home", "root", "Users"]) + ")/"
    )
    found = {named(p) for p in repository_texts() if pattern.search(p.read_text(encoding="utf-8"))}
    assert found - {named(Path(__file__))} == set()


def test_lock_file_pins_everything_and_names_no_index() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in pins)
    assert "torch==2.13.0" in pins
