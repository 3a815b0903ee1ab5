"""Look up every pinned package among the known vulnerabilities, and say what was found.

    python .ci/audit.py requirements.lock ENVIRONMENT

pip-audit goes into an environment of its own: it must not choose versions for ours. The exit
status is 1 where a vulnerability is known. Where no database answers, or none knows a package,
that is said, and is no failure.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PIP_AUDIT = "pip-audit==2.10.1"
TIMEOUT_S = 10
LONGEST_S = 600


def main(lock: str, environment: Path) -> int:
    """Audit a lock file."""
    try:
        found = looked_up(lock, environment)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        print(f"audit: nothing was looked up: {' '.join(str(error).split())[-300:]}")
        return 0
    skipped = [package for package in found if "skip_reason" in package]
    print(f"audit: {len(found) - len(skipped)} of {len(found)} pinned packages looked up", end="")
    print(f"; the first left out: {skipped[0]['skip_reason']}" if skipped else "")
    known = [(package, v) for package in found for v in package.get("vulns", [])]
    for package, vulnerability in known:
        fixed = ", ".join(vulnerability["fix_versions"]) or "no version yet"
        names = ", ".join([vulnerability["id"], *vulnerability.get("aliases", [])])
        print(f"audit: {package['name']} {package['version']}: {names}; mended in {fixed}")
    return 1 if known else 0


def looked_up(lock: str, environment: Path) -> list[dict]:
    """Return what pip-audit says of each package."""
    tool = environment / "bin" / "pip-audit"
    if not tool.exists():
        run([sys.executable, "-m", "venv", str(environment)])
        run([str(environment / "bin" / "pip"), "install", "--quiet", PIP_AUDIT])
    options = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json"]
    done = run(
        [str(tool), "--requirement", lock, "--timeout", str(TIMEOUT_S), *options], check=False
    )
    if not done.stdout.strip():
        raise ValueError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "silence")
    return json.loads(done.stdout)["dependencies"]


def run(command: list[str], check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command and keep what it says."""
    return subprocess.run(command, check=check, capture_output=True, text=True, timeout=LONGEST_S)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
