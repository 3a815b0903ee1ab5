import numpy as np
import pytest
from common.regressors import NAMES, predict
from leaderboard import CLASSICAL, OURS, OWN_RADIAL, verdict

pytest.importorskip("sklearn", reason="scikit-learn comes with the extra 'bench'")


@pytest.mark.parametrize("name", NAMES)
def test_every_peer_learns_a_smooth_function(name: str):
    """None is a straw man: on a smooth function each explains most of the variance."""
    rng = np.random.default_rng(0)
    known, asked = rng.normal(size=(150, 3)), rng.normal(size=(60, 3))

    def truth(x: np.ndarray) -> np.ndarray:
        return 4.0 * x[:, 0] + 2.0 * np.sin(x[:, 1])

    groups = np.arange(150) // 5
    found = predict(name, known, truth(known), np.ones(150), groups, asked, seed=0)
    assert np.mean((found - truth(asked)) ** 2) < 0.35 * truth(asked).var()


def test_the_verdict_names_where_the_surrogate_is_not_ahead():
    mean = {CLASSICAL: [9.0, 9.0], "ridge, radial": [2.0, 0.5], OWN_RADIAL[0]: [0.1, 0.1]}
    mean |= {OURS[0]: [1.0, 0.6], OURS[1]: [0.5, 0.4], "ridge, radial and learned": [0.9, 0.7]}
    one, two, three, four = verdict(mean, [50, 100]).rstrip(".").split(". ")
    assert one.endswith("radial descriptors: ahead at 50 labels, not at 100")
    assert two.endswith("radial descriptors: ahead at 50, 100 labels")
    assert three.endswith("descriptors too: ahead at 100 labels, not at 50")
    assert four.endswith("descriptors too: ahead at 50, 100 labels")
