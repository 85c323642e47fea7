"""The whole model: composition, errors for every k, paths, classes, draws, bad input.  Statement C23."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_array
from sklearn import config_context
from sklearn.decomposition import FactorAnalysis, KernelPCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import NotFittedError
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from linvae import (
    LDA,
    MMLR,
    PCA,
    PPCA,
    ClassGaussian,
    ClassMixture,
    LinearGenerativeModel,
    Moments,
    StandardNormal,
    VariationalMMLR,
)
from linvae.metrics import outside_span


def rows(n=80, d=12, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 1


def test_the_model_is_its_decoder_after_its_encoder():
    X = rows()
    model = LinearGenerativeModel(PCA(3), MMLR(), conditional="none").fit(X)
    encoder = PCA(3).fit(X)
    decoder = MMLR().fit(encoder.transform(X), X)
    assert_allclose(model.transform(X), encoder.transform(X))
    assert_allclose(model.reconstruct(X), decoder.predict(encoder.transform(X)), atol=1e-10)
    assert model.get_feature_names_out().shape == (3,)


def test_class_moments_are_enough_to_fit():
    X = rows()
    a, b = (LinearGenerativeModel(PCA(3), MMLR(), conditional="none") for _ in range(2))
    a.fit(X)
    b.fit_moments(Moments.by_class(X, np.arange(80) % 4))
    assert_allclose(a.reconstruct(X), b.reconstruct(X), atol=1e-10)


def test_the_default_encoder_keeps_eight_codes_or_as_many_as_there_are_pixels():
    assert LinearGenerativeModel(conditional="none").fit(rows()).transform(rows()).shape == (80, 8)
    assert LinearGenerativeModel(conditional="none").fit(rows(d=3)).transform(rows(d=3)).shape == (80, 3)


@pytest.mark.parametrize("decoder", [None, MMLR(alpha=5.0)])
@pytest.mark.parametrize("encoder", [PCA(6), TruncatedSVD(6, random_state=0)])
def test_errors_for_every_k_are_those_of_k_fits(encoder, decoder):
    X, new = rows(), rows(seed=1)
    model = LinearGenerativeModel(encoder, decoder or MMLR(), conditional="none").fit(X)
    errors = model.reconstruction_error(new)
    assert errors.shape == (7,)
    assert errors[0] == pytest.approx(np.mean(np.sum((new - X.mean(axis=0)) ** 2, axis=1)), rel=1e-12)
    for k in range(1, 7):
        refit = (decoder or MMLR()).fit(model.transform(X)[:, :k], X)
        slow = np.mean(np.sum((new - refit.predict(model.transform(new)[:, :k])) ** 2, axis=1))
        assert errors[k] == pytest.approx(slow, rel=1e-9)
    assert_allclose(model.reconstruction_error(new, n_components=[2, 5]), errors[[2, 5]])


def test_the_training_error_of_pca_is_the_sum_of_the_discarded_eigenvalues():
    X = rows()
    variances = PCA().fit(X).explained_variance_
    errors = LinearGenerativeModel(PCA(), MMLR(), conditional="none").fit(X).reconstruction_error(X)
    assert_allclose(errors, np.append(variances[::-1].cumsum()[::-1], 0), atol=1e-11 * errors[0])


def test_any_transformer_may_stand_as_the_encoder():
    X = rows()
    model = LinearGenerativeModel(KernelPCA(4, kernel="rbf", gamma=0.01), MMLR(), conditional="none").fit(X)
    assert model.reconstruct(X).shape == X.shape
    assert model.reconstruction_error(X)[-1] < model.reconstruction_error(X)[0]


def test_a_path_starts_and_ends_where_told_and_is_straight():
    model = LinearGenerativeModel(PCA(2), MMLR(), conditional="none").fit(rows())
    a, b = np.array([1.0, 2.0]), np.array([-3.0, 0.0])
    path = model.interpolate(a, b, n_steps=5)
    assert path.shape == (5, 12)
    assert_allclose(path[[0, -1]], model.inverse_transform([a, b]))
    assert_allclose(np.diff(path, n=2, axis=0), 0, atol=1e-12)  # a cross-fade: equal steps in every pixel


def test_float32_images_come_back_as_float32():
    X = rows().astype(np.float32)
    model = LinearGenerativeModel(PCA(2), MMLR(), conditional="none").fit(X)
    assert model.reconstruct(X).dtype == model.interpolate(*model.transform(X[:2])).dtype == np.float32


def test_an_encoder_fitted_on_rows_gets_the_labels():
    X, y = rows(), np.arange(80) % 3
    model = LinearGenerativeModel(LinearDiscriminantAnalysis(), MMLR(), conditional="none").fit(X, y)
    assert model.transform(X).shape == (80, 2)


def test_errors_of_float32_images_are_computed_in_float64():
    X = (rows() + 1e4).astype(np.float32)
    assert LinearGenerativeModel(PCA(12), MMLR(), conditional="none").fit(X).reconstruction_error(X)[-1] < 1e-9


def test_parts_that_take_no_moments_are_named():
    with pytest.raises(TypeError, match="TruncatedSVD is fitted on rows"):
        LinearGenerativeModel(TruncatedSVD(2), MMLR(), conditional="none").fit_moments({0: Moments.of(rows())})
    with pytest.raises(TypeError, match="Ridge has no fit_moments"):
        LinearGenerativeModel(PCA(2), Ridge(), conditional="none").fit(rows())


def test_an_unfitted_model_says_so():
    with pytest.raises(NotFittedError):
        LinearGenerativeModel(PCA(2), MMLR(), conditional="none").interpolate([0, 0], [1, 1])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda m: m.set_params(conditional="class").fit(rows(), [0] * 80),
            "conditional='class'; choose one of",
        ),
        (lambda m: m.set_params(encoder=PCA(13)).fit(rows()), "span only 12 directions"),
        (lambda m: m.inverse_transform(np.zeros((1, 3))), "Z has 3 codes a row"),
        (lambda m: m.transform(rows(d=5)), "5 features"),
        (lambda m: m.interpolate([0, 0], [1, 1], n_steps=1), "n_steps=1; a path"),
        (lambda m: m.interpolate([0, 0], [1, 1], n_steps=2.5), "n_steps=2.5"),
        (lambda m: m.interpolate([0, 0], [1], n_steps=2), "Z has 1 codes a row"),
        (lambda m: m.reconstruction_error(rows(), n_components=[1.0]), r"k=1\.0 but there"),
        (lambda m: m.interpolate([0, 0, 0], [1, 1, 1]), "Z has 3 codes a row but"),
        (lambda m: m.reconstruction_error(rows(), n_components=[3]), "k=3 but there are 2 codes"),
        (lambda m: m.reconstruct([[np.nan] * 12]), "NaN"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call(LinearGenerativeModel(PCA(2), MMLR(), conditional="none").fit(rows()))


def labelled(n=300, d=12, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.choice([1, 4, 7], n, p=[0.5, 0.3, 0.2])
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 4 * rng.normal(size=(8, d))[y], y


def test_each_class_has_its_own_decoder_on_one_code():
    X, y = labelled()
    model = LinearGenerativeModel(PCA(4), MMLR()).fit(X, y)
    Z = PCA(4).fit(X).transform(X)
    assert_allclose(model.transform(X), Z, atol=1e-10)
    for label in (1, 4, 7):
        alone = MMLR().fit(Z[y == label], X[y == label])
        assert_allclose(model.reconstruct(X[y == label], label), alone.predict(Z[y == label]), atol=1e-9)
    assert_allclose(model.reconstruct(X, y)[y == 4], model.reconstruct(X[y == 4], 4), atol=1e-12)


@pytest.mark.statement("C23")
def test_a_class_decoder_leaves_the_span_by_the_classs_own_residual():
    X, y = labelled()
    model = LinearGenerativeModel(PCA(4), MMLR()).fit(X, y)
    V = model.encoder_.components_.T
    for label in (1, 4, 7):
        X_l = X[y == label] - X[y == label].mean(axis=0)
        Z_l = X_l @ V
        R_l = X_l - Z_l @ V.T
        predicted = V.T + np.linalg.solve(Z_l.T @ Z_l, Z_l.T @ R_l)
        assert_allclose(model.decoders_[label].coef_.T, predicted, atol=1e-9)
        assert outside_span(predicted, V.T, np.zeros(12)) > 1e-3  # with no randomness at all
    Z = model.transform(X)
    R = X - model.encoder_.mean_ - Z @ V.T
    assert_allclose(Z.T @ R, 0, atol=1e-8)  # over all classes together there is nothing to gain


def test_an_encoder_for_each_class_is_one_linear_model_a_class():
    X, y = labelled()
    model = LinearGenerativeModel(PCA(3), MMLR(), conditional="both").fit(X, y)
    alone = LinearGenerativeModel(PCA(3), MMLR(), conditional="none").fit(X[y == 7])
    assert_allclose(model.reconstruct(X[y == 7], 7), alone.reconstruct(X[y == 7]), atol=1e-9)
    assert_allclose(model.transform(X, y)[y == 7], alone.transform(X[y == 7]), atol=1e-9)


@pytest.mark.parametrize("conditional", ["decoder", "both"])
@pytest.mark.parametrize("standardize", [False, True])
def test_errors_by_class_are_those_of_the_reconstructions(conditional, standardize):
    (X, y), (new, new_y) = labelled(), labelled(seed=1)
    model = LinearGenerativeModel(PCA(4), MMLR(), conditional=conditional, standardize=standardize).fit(X, y)
    errors = model.reconstruction_error(new, new_y)
    slow = np.mean(np.sum((new - model.reconstruct(new, new_y)) ** 2, axis=1))
    assert errors[4] == pytest.approx(slow, rel=1e-9)


def test_standardised_pixels_are_scikit_learns_pipeline():
    X, y = labelled()
    X[:, 3] = 0.1  # a constant pixel keeps its unit
    model = LinearGenerativeModel(PCA(4), MMLR(), standardize=True).fit(X, y)
    scaler = StandardScaler().fit(X)
    plain = LinearGenerativeModel(PCA(4), MMLR()).fit(scaler.transform(X), y)
    expected = scaler.inverse_transform(plain.reconstruct(scaler.transform(X), y))
    assert_allclose(model.reconstruct(X, y), expected, atol=1e-9)
    by_moments = LinearGenerativeModel(PCA(4), MMLR(), standardize=True).fit_moments(Moments.by_class(X, y))
    assert_allclose(by_moments.reconstruct(X, y), expected, atol=1e-8)


def test_standardised_pixels_have_variance_one_by_the_divisor_n():
    # Reconstructions cannot see the divisor: it rescales all pixels alike. The codes' variances can.
    X, y = labelled(n=20)
    model = LinearGenerativeModel(PCA(12), MMLR(), conditional="none", standardize=True).fit(X)
    assert_allclose(model.pixel_scale_, X.std(axis=0), rtol=1e-12)  # 1/38 off with n - 1
    assert model.transform(X).var(axis=0).sum() == pytest.approx(12, rel=1e-10)
    by_moments = LinearGenerativeModel(PCA(3), MMLR(), standardize=True).fit_moments(Moments.by_class(X, y))
    assert_allclose(by_moments.pixel_scale_, X.std(axis=0), rtol=1e-12)


@pytest.mark.parametrize(
    "encoder",
    [PCA(3), PPCA(3), LDA(2), FactorAnalysis(3), make_pipeline(Nystroem(gamma=0.01, n_components=20), TruncatedSVD(3))],
    ids=["PCA", "PPCA", "LDA", "FactorAnalysis", "Nystroem"],
)
@pytest.mark.parametrize("latent", [StandardNormal(), ClassGaussian(), ClassMixture(2, random_state=0)])
def test_every_encoder_goes_with_every_law_of_the_code(encoder, latent):
    X, y = labelled()
    model = LinearGenerativeModel(encoder, latent=latent).fit(X, y)
    drawn, labels = model.sample(50, random_state=0)
    assert drawn.shape == (50, 12)
    assert set(labels) <= {1, 4, 7}
    again, _ = model.sample(50, random_state=0)
    assert_allclose(drawn, again)


def test_labels_are_drawn_by_their_frequencies_or_as_told():
    X, y = labelled()
    model = LinearGenerativeModel(PCA(3)).fit(X, y)
    _, labels = model.sample(10_000, random_state=0)
    for label in (1, 4, 7):
        share = (y == label).mean()
        assert abs((labels == label).mean() - share) < 5 * np.sqrt(share / 10_000)  # 5 standard errors
    assert model.sample(3, 7)[1].tolist() == [7, 7, 7]
    assert model.sample(3, [7, 1, 4])[1].tolist() == [7, 1, 4]


@pytest.mark.parametrize("latent", [StandardNormal(), ClassGaussian(), ClassMixture(2, random_state=0)])
def test_a_model_without_classes_draws_without_labels(latent):
    X, _ = labelled()
    drawn, labels = LinearGenerativeModel(PCA(3), latent=latent, conditional="none").fit(X).sample(30, random_state=0)
    assert drawn.shape == (30, 12)
    assert labels is None


@pytest.mark.parametrize("coefficients", ["mean", "fresh", 1, 5000])
def test_draws_have_the_mean_and_spread_of_their_law(coefficients):
    X, y = labelled()
    model = LinearGenerativeModel(PCA(3)).fit(X, y)
    drawn, _ = model.set_params(coefficients=coefficients).sample(4000, 4, noise=True, random_state=0)
    decoder, law = model.decoders_[4], model.latent_
    mean = decoder.coef_ @ law.means_[4] + decoder.intercept_
    variance = np.diag(decoder.coef_ @ law.covariances_[4] @ decoder.coef_.T) + decoder.noise_variance_
    slack = 0.1 if coefficients == 1 else 0.02  # one draw of B is shared by all images: its error does not average out
    off = 5 * np.sqrt(variance / 4000) + slack * np.sqrt(variance)
    assert (np.abs(drawn.mean(axis=0) - mean) < off).all()
    assert_allclose(drawn.var(axis=0), variance, rtol=0.25)


def test_clipping_keeps_images_in_range():
    X, y = labelled()
    model = LinearGenerativeModel(PCA(3), clip=(0, 1)).fit(X, y)
    drawn, _ = model.sample(100, random_state=0)
    assert drawn.min() == 0
    assert drawn.max() == 1
    assert model.reconstruct(X, y).min() >= 0


def test_the_talks_model_is_put_together_as_told():
    model = LinearGenerativeModel.from_talk(3)
    X, y = labelled()
    model.fit(X, y)
    decoder = model.decoders_[4]
    assert (decoder.family, decoder.noise, decoder.noise_variance, decoder.prior_variance) == (
        "mean-field",
        "fixed",
        1,
        1,
    )
    assert isinstance(model.latent_, StandardNormal)
    assert model.standardize
    assert model.coefficients == 5000
    drawn, _ = model.sample(500, 4, random_state=0)
    averaged = model.inverse_transform(model.latent_.sample(500, 4, np.random.RandomState(0)), 4)
    assert np.abs(drawn - averaged).max() < 0.2 * X.std()  # 5,000 draws leave 1/70 of one draw's spread


def test_great_circle_paths_are_decoded_by_the_class_told():
    X, y = labelled()
    model = LinearGenerativeModel(PCA(3)).fit(X, y)
    a, b = model.transform(X[:2])
    assert_allclose(model.interpolate(a, b, 5, y=7, path="great-circle")[0], model.inverse_transform([a], 7)[0])


L, Y = labelled()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: m.fit(L), "requires y to be passed"),
        (lambda m: m.fit(L, Y).reconstruct(L), r"the decoder depends on the class here; give y, one of \[1, 4, 7\]"),
        (lambda m: m.fit(L, Y).reconstruct(L, 3), "label 3 was not seen in fit; the classes are"),
        (lambda m: m.fit(L, Y).sample(5, "four"), "label 'four' was not seen"),
        (lambda m: m.fit(L, Y).sample(5, [1, 4]), r"y has shape \(2,\); give one label, or 5"),
        (lambda m: m.fit(L, Y).sample(0), "n_samples=0"),
        (lambda m: m.fit(L, Y).set_params(coefficients="median").sample(5), "coefficients='median'"),
        (lambda m: m.fit(L, Y).interpolate([0] * 3, [1] * 3, y=1, path="curved"), "path='curved'"),
        (lambda m: m.set_params(conditional="both").fit(L, Y).transform(L), "the code depends on the class"),
        (lambda m: m.set_params(clip=(1, 0)).fit(L, Y), r"clip=\(1, 0\)"),
        (lambda m: m.set_params(coefficients=0).fit(L, Y), "coefficients=0"),
        (lambda m: m.set_params(decoder=MMLR()).fit(L[:20], [1] * 17 + [4] * 3), "class 4 has 3 rows and a code of 3"),
        (lambda m: m.set_params(conditional="both").fit(L[:20], [1] * 17 + [4] * 3), "class 4: n_components=3"),
        (
            lambda m: m.set_params(decoder=MMLR()).fit(L, Y).sample(5, noise=True),
            "MMLR has no posterior of its coef",
        ),
        (lambda m: m.set_params(decoder=MMLR(), coefficients=9).fit(L, Y).sample(5), "or a VariationalMMLR"),
        (lambda m: m.fit(L, L[:, 0]), "Unknown label type"),
        (lambda m: m.set_params(clip=1).fit(L, Y), "clip=1; give None or a pair"),
    ],
)
def test_bad_labels_and_choices_are_named(call, words):
    with pytest.raises(ValueError, match=words):
        call(LinearGenerativeModel(PCA(3)))


def test_a_law_that_needs_rows_is_named_where_there_are_none():
    with pytest.raises(TypeError, match="ClassMixture is fitted on rows, not on moments"):
        LinearGenerativeModel(PCA(3), latent=ClassMixture()).fit_moments(Moments.by_class(L, Y))


def test_float32_images_are_answered_by_float32_draws_and_codes():
    model = LinearGenerativeModel(PCA(3), clip=(np.float64(0), 1)).fit(L.astype(np.float32), Y)
    assert model.sample(5, random_state=0)[0].dtype == np.float32
    assert model.reconstruct(L.astype(np.float32), Y).dtype == np.float32


def test_a_pipeline_hands_labels_on_to_a_code_for_each_class():
    model = LinearGenerativeModel(PCA(3), conditional="both")
    assert_allclose(model.fit_transform(L, Y), model.transform(L, Y))


def test_codes_of_different_lengths_are_named():
    X = np.vstack([L[Y == 1], np.c_[L[Y == 4][:, :5], np.zeros((np.sum(Y == 4), 7))]])
    with pytest.raises(ValueError, match=r"codes of different lengths, {1: 12, 4: 5}"):
        LinearGenerativeModel(PCA(), conditional="both").fit(X, [1] * np.sum(Y == 1) + [4] * np.sum(Y == 4))


def test_a_pixel_that_is_constant_but_for_rounding_keeps_its_unit():
    X, y = labelled()
    X[:, 3] = 0.3
    X[::2, 3] = 0.1 + 0.2  # the next number to 0.3
    model = LinearGenerativeModel(PCA(4), standardize=True).fit(X, y)
    assert model.pixel_scale_[3] == 1 == StandardScaler().fit(X).scale_[3]
    drawn, _ = model.sample(200, random_state=0)
    assert_allclose(drawn[:, 3], 0.3, atol=1e-12)
    assert_allclose(model.reconstruct(X, y)[:, 3], 0.3, atol=1e-12)
    offset = X + 1e6  # now rounding of 1e-10 is all that varies in this pixel; the others vary as before
    moved = LinearGenerativeModel(PCA(4), standardize=True).fit(offset, y)
    assert_allclose(moved.pixel_scale_, model.pixel_scale_, rtol=1e-9)


@pytest.mark.parametrize("own", [False, True])
def test_every_method_works_where_scikit_learn_is_set_to_give_frames(own):
    pandas = pytest.importorskip("pandas")
    X, y = labelled()
    expected = LinearGenerativeModel(PCA(3), MMLR()).fit(X, y)

    def check(model):
        assert_allclose(model.reconstruction_error(X, y), expected.reconstruction_error(X, y))
        assert_allclose(model.reconstruct(X, y), expected.reconstruct(X, y))
        assert_allclose(model.sample(5, 4, random_state=0)[0], expected.sample(5, 4, random_state=0)[0])
        assert model.interpolate(*np.zeros((2, 3)), y=4).shape == (10, 12)

    if own:
        check(LinearGenerativeModel(PCA(3).set_output(transform="pandas"), MMLR()).fit(X, y))
        LinearGenerativeModel(FactorAnalysis(3).set_output(transform="pandas")).fit(X, y).reconstruction_error(X, y)
    else:
        with config_context(transform_output="pandas"):
            model = LinearGenerativeModel(PCA(3), MMLR()).fit(pandas.DataFrame(X), y)
            assert isinstance(model.transform(pandas.DataFrame(X)), pandas.DataFrame)
            check(LinearGenerativeModel(PCA(3), MMLR()).fit(X, y))
            LinearGenerativeModel(FactorAnalysis(3), latent=ClassMixture(2)).fit(X, y).reconstruction_error(X, y)
            LinearGenerativeModel(PCA(3), conditional="both").fit(X, y).reconstruction_error(X, y)


def test_a_generator_is_a_seed_that_moves_on():
    model = LinearGenerativeModel(PCA(3)).fit(L, Y)
    rng = np.random.default_rng(0)
    first, second = model.sample(5, 4, random_state=rng)[0], model.sample(5, 4, random_state=rng)[0]
    assert_allclose(model.sample(5, 4, random_state=np.random.default_rng(0))[0], first)
    assert np.abs(first - second).max() > 0.1


def test_a_parameter_of_a_default_part_is_named():
    with pytest.raises(ValueError, match=r"encoder__n_components cannot be set: encoder is None.*encoder=PCA"):
        LinearGenerativeModel().set_params(encoder__n_components=3)
    model = LinearGenerativeModel().set_params(encoder=PCA(2), encoder__n_components=3)
    assert model.encoder.n_components == 3


def test_frames_with_nullable_columns_are_taken_and_missing_values_named():
    pandas = pytest.importorskip("pandas")
    frame, labels = pandas.DataFrame(L).astype("Float64"), pandas.Series(Y, dtype="Int64")
    model = LinearGenerativeModel(PCA(3), MMLR()).fit(frame, labels)
    assert_allclose(model.reconstruct(frame, labels), LinearGenerativeModel(PCA(3), MMLR()).fit(L, Y).reconstruct(L, Y))
    text = LinearGenerativeModel(PCA(3), MMLR()).fit(L, pandas.Series(Y).astype("string"))
    assert text.classes_ == ["1", "4", "7"]
    labels[5] = pandas.NA
    with pytest.raises(ValueError, match="y holds missing values"):
        LinearGenerativeModel(PCA(3)).fit(L, labels)
    frame.iloc[3, 3] = pandas.NA
    with pytest.raises(ValueError, match="NaN"):
        LinearGenerativeModel(PCA(3)).fit(frame, Y)


@pytest.mark.parametrize(
    ("X", "y", "words"),
    [
        (np.ma.masked_less(L, 0), Y, "X is a MaskedArray, and its mask would be lost"),
        (L, np.ma.masked_equal(Y, 4), "y is a MaskedArray"),
        (L, csr_array(Y[:, None]), "y is a csr_array; give a plain array"),
        (
            L,
            Y.astype("datetime64[D]"),
            r"y has dtype datetime64\[D\]; labels are numbers or text, give y.astype\(str\)",
        ),
        (np.full((300, 2), 2**53 + 1), Y, r"X holds whole numbers beyond 2\^53"),
        (L, [None, *Y[1:]], "y holds missing values"),
    ],
)
def test_rows_and_labels_that_would_lose_something_are_refused(X, y, words):
    with pytest.raises(ValueError, match=words):
        LinearGenerativeModel(PCA(2)).fit(X, y)
    if not isinstance(y, list) and y is not Y:
        with pytest.raises(ValueError, match=words):
            LDA().fit(X, y)


@pytest.mark.parametrize("encoder", [PCA(2), PPCA(2), MMLR(), VariationalMMLR()])
def test_every_estimator_refuses_a_masked_array(encoder):
    masked = np.ma.masked_less(L, 0)
    with pytest.raises(ValueError, match="MaskedArray"):
        encoder.fit(masked, L)
    fitted = encoder.fit(L, L)
    with pytest.raises(ValueError, match="MaskedArray"):
        (fitted.transform if hasattr(fitted, "transform") else fitted.predict)(masked)
