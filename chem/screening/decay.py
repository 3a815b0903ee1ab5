"""Estimates grow stale: a later lot would be worth more, since what proposes labels has learned.

For the choice of the next lot alone, the precision of an estimate counts as halved every
``half_life`` lots that the campaign spent since the host's own last one:

    s_eff^2 = s^2 * 2^(age / half_life).

A host left alone drifts back to what the classical level and the campaign's shift say of it, its
distribution widens, and some draw brings it into the top k again. Rankings and probabilities that
are reported use s itself.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from chem.screening.evidence import Evidence

MOST_HALVINGS = 60.0


def decayed(evidence: Evidence, age_lots: np.ndarray, half_life_lots: float) -> Evidence:
    """Return evidence as it counts for the choice of the next lot.

    Args:
        evidence: as it is.
        age_lots: (n,) lots of the campaign since each host's last one.
        half_life_lots: lots in which a precision halves; infinity leaves all as it is.
    """
    halvings = np.minimum(np.asarray(age_lots, dtype=float) / half_life_lots, MOST_HALVINGS)
    return replace(evidence, standard_error=evidence.standard_error * 2.0 ** (0.5 * halvings))
