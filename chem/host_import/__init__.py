"""Checks a folder of CIF files before they are screened, and says why one is refused."""

from chem.host_import.examine import Examined, ImportSettings, examine
from chem.host_import.findings import Finding

__all__ = ["Examined", "Finding", "ImportSettings", "examine"]
