"""The corpus' modules are imported by their bare names, as benchmarks/fuzz.py does."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
