"""Partial charges for hosts: kept, estimated, dropped or read from a file."""

from chem.charges.assign import METHODS, assign_charges

__all__ = ["METHODS", "assign_charges"]
