"""What failed labels do to an estimate: weighting classes, and what they may still hide.

A label that was drawn and failed is unit nonresponse of survey sampling. Within a class of labels
that are alike in what was known beforehand, those that came back stand for those that did not:
their probabilities are multiplied by the class's response rate m/n. If failures are at random
within classes, that is a second phase of sampling, and the estimate is unbiased [1, ch. 15; 2].
If they are not, nothing in the data says by how much it is off; but the failed labels would have to
differ from those of their own class that came back. A multiple of the spread of those is added to
the error.

[1] Sarndal, Swensson, Wretman, Model Assisted Survey Sampling (1992). [2] Little, Rubin,
Statistical Analysis with Missing Data (2002), ch. 3. [3] Manski, Partial Identification of
Probability Distributions (2003): why no more can be known.
"""

from __future__ import annotations

import numpy as np

CLASS_LABELS = 12
"""Labels of a weighting class: about one fails where a tenth does."""
HIDDEN_SPREADS = 1.5
"""So many standard deviations the failed labels are taken to be off; by measured coverage."""


def weighting_classes(energy_kj_per_mol: np.ndarray, responded: np.ndarray) -> np.ndarray:
    """Return (n,) numbers of classes, each with labels that came back; one class of few labels.

    Args:
        energy_kj_per_mol: (n,) what was known of each label beforehand: its surrogate energy.
        responded: (n,) whether a label came back.
    """
    count = len(energy_kj_per_mol)
    number = max(1, count // CLASS_LABELS)
    place = np.empty(count, dtype=int)
    place[np.argsort(energy_kj_per_mol, kind="stable")] = np.arange(count)
    classes = place * number // max(1, count)
    back = np.bincount(classes, weights=responded, minlength=number)
    return classes if (back > 0).all() else np.zeros(count, dtype=int)


def response_rates(classes: np.ndarray, responded: np.ndarray) -> np.ndarray:
    """Return (n,) the share of each label's class that came back."""
    drawn = np.bincount(classes)
    return (np.bincount(classes, weights=responded) / np.maximum(drawn, 1))[classes]


def hidden_covariance(terms: np.ndarray, classes: np.ndarray, responded: np.ndarray) -> np.ndarray:
    """Return (k, k) how far off sums over all labels may be by failures that are not at random.

    The standard error is that of failed labels which all lie ``HIDDEN_SPREADS`` standard deviations
    of those that came back off the mean of their class, on the same side.

    Args:
        terms: (k, m) terms d/pi of the labels that came back.
        classes: (n,) class of every label.
        responded: (n,) whether it came back.
    """
    own = classes[responded]
    number = int(classes.max()) + 1
    back = np.bincount(own, minlength=number)
    failed = float(len(classes) - len(own))
    means = np.stack([np.bincount(own, weights=row, minlength=number) for row in terms])
    rest, free = terms - (means / np.maximum(back, 1))[:, own], len(own) - int((back > 0).sum())
    if free < 1:  # one came back: its whole term is all that is known of a spread
        rest, free = terms, len(own)
    return np.asarray((HIDDEN_SPREADS * failed) ** 2 * (rest @ rest.T) / free)
