"""Compiled kernels are dropped as soon as any source of the package changes."""

import os

import pytest

from chem.kernel_cache import KEPT_STATES, VARIABLE, use_own_folder


@pytest.fixture
def package(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    (tmp_path / "sub").mkdir()
    (tmp_path / "one.py").write_text("a = 1\n")
    (tmp_path / "sub" / "two.py").write_text("b = 2\n")
    return tmp_path


def test_a_change_anywhere_means_another_folder(package, monkeypatch):
    first = use_own_folder(package)
    assert os.environ[VARIABLE] == str(first)
    (first / "kernel.nbi").write_text("compiled")
    monkeypatch.delenv(VARIABLE)
    assert use_own_folder(package) == first
    (package / "sub" / "two.py").write_text("b = 3\n")
    monkeypatch.delenv(VARIABLE)
    assert use_own_folder(package) != first
    assert (first / "kernel.nbi").exists()  # the way back is warm


def test_old_states_go(package, monkeypatch):
    folders = []
    for number in range(KEPT_STATES + 2):
        (package / "one.py").write_text(f"a = {number}\n")
        monkeypatch.delenv(VARIABLE, raising=False)
        folders.append(use_own_folder(package))
        os.utime(folders[-1], (number, number))
    kept = [folder for folder in folders if folder.exists()]
    assert len(kept) == KEPT_STATES
    assert folders[-1] in kept


def test_the_users_choice_and_a_closed_folder_win(package, monkeypatch):
    monkeypatch.setenv(VARIABLE, "elsewhere")
    assert use_own_folder(package) is None
    assert os.environ[VARIABLE] == "elsewhere"
    monkeypatch.delenv(VARIABLE)
    (package / "__pycache__").write_text("a file in the way")
    assert use_own_folder(package) is None
    assert VARIABLE not in os.environ
