"""Fixtures for the tests of chem; helper modules are loaded by path (importlib mode)."""

import importlib.util
from pathlib import Path

import pytest


def _load(name):
    spec = importlib.util.spec_from_file_location(
        f"chem_tests_{name}", Path(__file__).with_name(f"{name}.py")
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def twin():
    """The slow plain-numpy energy."""
    return _load("numpy_twin")


@pytest.fixture(scope="session")
def systems():
    """Small made-up hosts and guests."""
    return _load("systems")
