"""Collections of hosts that come as packages, named like ``core-mof:2019-asr:100``."""

from chem.collections.catalogue import COLLECTIONS, Collection, is_collection
from chem.collections.expand import expand_collection, record_of

__all__ = ["COLLECTIONS", "Collection", "expand_collection", "is_collection", "record_of"]
