"""The README's commands, run as written, in its order, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECONDS = 280

# Commands of the README that this file does not run, and why.
NOT_RUN_HERE = {
    "make demo": "continuous integration runs it beside this suite (.ci/run)",
    "make test": "this suite itself",
}


def blocks() -> list[tuple[str, str, str]]:
    """Language, rest of the fence line and content of every fenced block."""
    return FENCE.findall((ROOT / "README.md").read_text(encoding="utf-8"))


def commands() -> list[str]:
    """Every command of the bash blocks; a line that ends in a backslash goes on."""
    text = "\n".join(content for language, _, content in blocks() if language == "bash")
    lines = text.replace("\\\n", " ").splitlines()
    return [" ".join(line.split()) for line in lines if line.strip() and line[0] != "#"]


def files() -> dict[str, str]:
    """Blocks that say which file they are (```yaml file=NAME)."""
    named = ((re.search(r"file=(\S+)", rest), content) for _, rest, content in blocks())
    return {match.group(1): content for match, content in named if match}


RUN = [command for command in commands() if command not in NOT_RUN_HERE]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_readme_commands_run_as_written(tmp_path: Path, command_path: str) -> None:
    """In the README's order and in one folder: later commands use what earlier ones leave."""
    (tmp_path / "data").symlink_to(ROOT / "data")
    for name, content in files().items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    assert len(RUN) >= 7
    for command in RUN:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=tmp_path,
            env=os.environ | {"PATH": command_path},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stderr[-3000:]}"
        assert done.stdout.strip(), command
        assert "Traceback" not in done.stderr, command


def test_what_is_not_run_is_in_the_readme() -> None:
    """An exception outlives the command it was made for only by mistake."""
    assert set(NOT_RUN_HERE) <= set(commands())


def test_no_command_hides_from_this_test() -> None:
    hidden = [
        line
        for language, _, content in blocks()
        if language != "bash"
        for line in content.splitlines()
        if re.match(r"\s*\$?\s*(widomill|make|pip|python)\s", line)
    ]
    assert hidden == []
