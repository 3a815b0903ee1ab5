"""Foreign code in a process of its own: what it does there costs a label and no more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from chem.guests import load_guest
from chem.hosts import load_host
from chem.references.isolated import Binding, IsolatedReference, isolated
from chem.references.registry import make_reference
from data.errors import ReferenceLevelError

CODE = """
import os, signal, time
from pathlib import Path
import numpy as np
from ase.calculators.lj import LennardJones

class Moody(LennardJones):
    "What it does depends on where the guest is, along the host's a."

    def calculate(self, atoms=None, *others, **options):
        print("a word of the calculator on standard output")
        if len(atoms) > 1 and atoms[-1].symbol == "Ar":
            self.behave((np.linalg.solve(np.array(LATTICE).T, atoms[-1].position) % 1.0)[0])
        super().calculate(atoms, *others, **options)

    def behave(self, where):
        once = Path("crashed-once")
        if 0.30 < where < 0.31:
            time.sleep(3600)
        if 0.40 < where < 0.41:
            os.kill(os.getpid(), signal.SIGSEGV)
        if 0.50 < where < 0.51 and not once.exists():
            once.touch()
            os._exit(3)
        if 0.60 < where < 0.61:
            raise RuntimeError("SCF did not converge")

def make():
    return Moody(epsilon=0.01, sigma=3.2, rc=8.0, smooth=True)

def breaks():
    raise OSError("no licence")
"""
HANG, SEGFAULT, ONCE, RAISE, FINE = 0.305, 0.405, 0.505, 0.605, 0.205


@pytest.fixture(scope="module")
def module_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("moody")
    lattice = load_host("SOD").lattice_angstrom.tolist()
    (folder / "moody.py").write_text(f"LATTICE = {lattice}\n{CODE}")
    return folder


@pytest.fixture
def moody(module_folder: Path, monkeypatch: pytest.MonkeyPatch) -> IsolatedReference:
    monkeypatch.chdir(module_folder)
    (module_folder / "crashed-once").unlink(missing_ok=True)
    return bound("ase:moody:make", 2.0)


def bound(text: str, limit_s: float) -> IsolatedReference:
    host, guest = load_host("SOD"), load_guest("Ar")
    inner = make_reference(text, host, guest)
    found = isolated(inner, Binding(text, host, guest), limit_s)
    assert isinstance(found, IsolatedReference)
    return found


def places(*along_a: float) -> tuple[np.ndarray, np.ndarray]:
    fractional = np.array([[x, 0.47, 0.13] for x in along_a])
    return fractional, np.tile([1.0, 0.0, 0.0, 0.0], (len(along_a), 1))


def test_it_gives_the_labels_of_the_reference_itself(moody: IsolatedReference) -> None:
    host, guest = load_host("SOD"), load_guest("Ar")
    inner = make_reference("ase:moody:make", host, guest)
    asked = places(FINE, 0.7, 0.81)
    ours = moody.interaction_energies(*asked, forces=True)
    theirs = inner.interaction_energies(*asked, forces=True)
    assert moody.key == inner.key
    for a, b in zip(ours, theirs, strict=True):
        assert a.energy_kj_per_mol == pytest.approx(b.energy_kj_per_mol, rel=1e-12)
        assert a.force_kj_per_mol_angstrom is not None
        np.testing.assert_allclose(
            a.force_kj_per_mol_angstrom, b.force_kj_per_mol_angstrom, rtol=1e-9
        )


def test_each_misbehaviour_is_one_label_with_its_reason(
    moody: IsolatedReference, capfd: pytest.CaptureFixture[str]
) -> None:
    found = moody.interaction_energies(*places(FINE, HANG, SEGFAULT, ONCE, RAISE, FINE))
    fine, hung, dead, once, raised, again = found
    assert (fine.status, again.status) == ("ok", "ok")
    assert fine.energy_kj_per_mol == pytest.approx(again.energy_kj_per_mol, rel=1e-12)
    assert hung.status == "failed"
    assert "did not come back within 2 s" in hung.reason
    assert dead.status == "failed"
    assert "SIGSEGV, twice" in dead.reason
    assert once.status == "retried"
    assert "ended with status 3; second attempt in a fresh process" in once.reason
    assert np.isfinite(once.energy_kj_per_mol)
    assert raised.status == "failed"
    assert "SCF did not converge" in raised.reason
    assert capfd.readouterr().out == ""


def test_another_host_has_a_process_of_its_own(moody: IsolatedReference) -> None:
    other = moody.for_host(load_host("CALF-20"), load_guest("Ar"))
    assert other.level_key == moody.level_key
    assert other.interaction_energies(*places(FINE))[0].status == "ok"


def test_a_reference_that_cannot_be_made_says_why(
    module_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(module_folder)
    made = bound("ase:moody:breaks", 5.0)
    label = made.interaction_energies(*places(FINE))[0]
    assert label.status == "failed"
    assert "no licence" in label.reason
    (module_folder / "gone.py").write_text("def make(): ...\n")
    made = bound("ase:gone:make", 5.0)
    (module_folder / "gone.py").unlink()
    sys.modules.pop("gone")
    with pytest.raises(ReferenceLevelError, match="gone"):
        made.interaction_energies(*places(FINE))


def test_it_ends_with_the_process_that_asked(module_folder: Path) -> None:
    code = (
        "import sys; sys.path[:] = " + repr([*sys.path, str(Path.cwd())]) + "\n"
        "from tests_isolated_driver import go; go()"
    )
    (module_folder / "tests_isolated_driver.py").write_text(
        "import time\n"
        "from chem.guests import load_guest\n"
        "from chem.hosts import load_host\n"
        "from chem.references.isolated import Binding, isolated\n"
        "from chem.references.registry import make_reference\n"
        "def go():\n"
        "    host, guest = load_host('SOD'), load_guest('Ar')\n"
        "    inner = make_reference('ase:moody:make', host, guest)\n"
        "    made = isolated(inner, Binding('ase:moody:make', host, guest), 600.0)\n"
        "    made.interaction_energies([[0.205, 0.47, 0.13]], [[1.0, 0, 0, 0]])\n"
        "    print(made._child._process.pid, flush=True)\n"
        "    made.interaction_energies([[0.305, 0.47, 0.13]], [[1.0, 0, 0, 0]])\n"
    )
    code = code.replace("sys.path[:] = [", f"sys.path[:] = [{str(module_folder)!r}, ")
    driver = subprocess.Popen(
        [sys.executable, "-c", code], cwd=module_folder, stdout=subprocess.PIPE, text=True
    )
    assert driver.stdout is not None
    child = psutil.Process(int(driver.stdout.readline()))
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    driver.stdout.close()
    until = time.monotonic() + 60.0
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < until
        time.sleep(0.1)


def test_levels_of_our_own_stay_in_this_process() -> None:
    host, guest = load_host("SOD"), load_guest("Ar")
    ours = make_reference("forcefield:UFF", host, guest)
    assert isolated(ours, Binding("forcefield:UFF", host, guest), 1.0) is ours
