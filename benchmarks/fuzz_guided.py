"""Coverage-guided fuzzing of the readers by atheris; stops at the first finding.

    pip install atheris==3.0.0
    python benchmarks/fuzz_guided.py cif -max_total_time=120
    python benchmarks/fuzz_guided.py "force field .yaml" -max_total_time=120 -rss_limit_mb=3000

The first argument is a kind of file (and its suffix, where a kind has several forms), the others
are libFuzzer's. It starts from the valid file of tests/dirty/valid.py and follows the branches of
the packages chem and flows; outcomes are judged as in benchmarks/fuzz.py.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from pathlib import Path

import atheris

DIRTY = Path(__file__).resolve().parent.parent / "tests" / "dirty"
sys.path.insert(0, str(DIRTY))
sys.path.insert(0, str(DIRTY.parent.parent))

with atheris.instrument_imports(include=["chem", "flows", "pymatgen.io.cif"]):
    import judge
    import valid

    judge.warm_up()


def main() -> None:
    """Fuzz one reader."""
    warnings.simplefilter("ignore")
    sources = {
        name: (kind, suffix, text)
        for kind, suffix, text in reversed(valid.sources())
        for name in (kind, f"{kind} {suffix}")
    }
    if len(sys.argv) < 2 or sys.argv[1] not in sources:
        raise SystemExit(f"Give a kind of file first: {', '.join(sorted(sources))}.")
    kind, suffix, text = sources[sys.argv[1]]
    with tempfile.TemporaryDirectory() as folder:
        start = Path(folder) / "start"
        start.mkdir()
        (start / "valid").write_text(text)
        path = Path(folder) / f"dirty{suffix}"

        def read(content: bytes) -> None:
            path.write_bytes(content)
            found = judge.judge(kind, path)
            if not found.good:
                raise RuntimeError(f"{found.result}: {found.text}")

        atheris.Setup([sys.argv[0], *sys.argv[2:], str(start)], read)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
