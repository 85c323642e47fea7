"""scikit-learn's own conformance checks, on every estimator of the package, with no expected failure."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from linvae import (
    LDA,
    MMLR,
    PCA,
    PPCA,
    EmpiricalDenoiser,
    GaussianDenoiser,
    LinearGenerativeModel,
    LinearVAE,
    MixturePPCA,
    PixelLink,
    VariationalMMLR,
    WassersteinGenerator,
)


@parametrize_with_checks(
    [
        PCA(),
        PCA(0.9),
        PPCA(),
        PPCA(1),
        LDA(),
        MMLR(),
        MMLR(alpha=1.0),
        VariationalMMLR(),
        VariationalMMLR(family="mean-field", noise="per-pixel", prior="ard", tol=1e-4),
        LinearVAE(),
        LinearVAE(3, noise="fixed", noise_variance=0.1, beta=2.0),
        LinearGenerativeModel(),
        GaussianDenoiser(),
        EmpiricalDenoiser(),
        LinearGenerativeModel(decoder=MMLR(), conditional="none"),
        MixturePPCA(1),
        MixturePPCA(2, 1),
        PixelLink(MixturePPCA(1), n_draws=100),
        WassersteinGenerator(n_steps=5),
        WassersteinGenerator(1, "sliced", n_steps=5, init="random"),
    ]
)
def test_scikit_learns_checks_pass(estimator, check):
    check(estimator)
