"""What several tests compare alike."""

import numpy as np


def assert_same_moments(found, expected):
    """Sums in another order: a handful of roundings of 1e-16, relative to the largest entry."""
    assert list(found) == list(expected)
    for label, moments in expected.items():
        assert found[label].n == moments.n
        np.testing.assert_allclose(found[label].mean, moments.mean, rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(found[label].scatter, moments.scatter, rtol=0, atol=1e-13 * moments.scatter.max())


def pooled_costs(variances):
    """Return the cost W_2^2 of N(0, I) with PCA's one decoder for every k from 0 on, by C51."""
    modes = np.r_[0, np.cumsum((np.sqrt(variances) - 1) ** 2)]
    return modes + np.sum(variances) - np.r_[0, np.cumsum(variances)]
