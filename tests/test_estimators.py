"""scikit-learn's own conformance checks, on every estimator of the package, with no expected failure."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from linvae import MMLR, PCA, LinearGenerativeModel


@parametrize_with_checks([PCA(), MMLR(), MMLR(alpha=1.0), LinearGenerativeModel()])
def test_scikit_learns_checks_pass(estimator, check):
    check(estimator)
