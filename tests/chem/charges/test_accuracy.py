"""The table of docs/charges.md is what the code gives."""

import re

import numpy as np
import pytest

from chem.charges.eeq import eeq_charges
from chem.charges.eqeq import eqeq_charges
from chem.hosts import load_host

ROW = re.compile(r"^\| (\S+) \| (\d\.\d+) \| (\d\.\d+) \|", re.MULTILINE)


def test_mean_deviations_from_the_bundled_charges(repository):
    pytest.importorskip("dftd4")
    text = (repository / "docs" / "charges.md").read_text(encoding="utf-8")
    rows = ROW.findall(text.split("<!-- accuracy: begin -->")[1].split("<!-- accuracy: end -->")[0])
    assert len(rows) >= 6
    for name, eqeq, eeq in rows:
        host = load_host(name)
        for charges, written in ((eqeq_charges(host), eqeq), (eeq_charges(host), eeq)):
            found = np.abs(charges - host.charges_e).mean()
            assert found == pytest.approx(float(written), abs=1.5e-3), name
