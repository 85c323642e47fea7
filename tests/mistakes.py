"""For every check of a chapter: the right answer, and wrong ones, computed from the data as a student would.

Each function gives the right answer first and then, by what the check says to them, the answers of known mistakes.
"""

import numpy as np
from scipy.special import log_expit

from linvae import (
    MMLR,
    PCA,
    PPCA,
    CrossMoments,
    LinearGenerativeModel,
    LocalDenoiser,
    Moments,
    PixelLink,
    VariationalMMLR,
)
from linvae.book import results
from linvae.datasets import load_fashion_mnist, load_mnist
from linvae.denoisers import denoising_error
from linvae.features import load_features
from linvae.latent import ClassGaussian
from linvae.metrics import precision, recall
from linvae.stream import Blocks, read_moments
from linvae.transport import wasserstein1

CHECKS, SLOW = {}, {}


def of(check, slow=False):
    return lambda function: (SLOW if slow else CHECKS).setdefault(check, function)


def images(part="train"):
    return load_mnist(part)[0].astype(float)


def error(drawn, X):
    return np.mean(np.sum((drawn - X) ** 2, axis=1))


# ---------------------------------------------------------------- Part I


@of("why-warmup")
def numbers_of_the_summary():
    d, pairs = 784, 784 * 785 // 2
    return 1 + d + pairs, {
        "keeps each pair twice": 1 + d + d * d,
        "A pixel with itself is a pair, too": 1 + d + d * (d - 1) // 2,
        "the scatter alone": pairs,
        "The count is a number, too": d + pairs,
    }


@of("why-pieces")
def error_of_seven_pieces():
    X, new = images(), images("test")
    pieces = np.array_split(X, 7)
    pca = PCA(16).fit_moments({"all": sum(map(Moments.of, pieces), Moments.zero(784))})
    drawn = pca.inverse_transform(pca.transform(new))
    first = PCA(16).fit(pieces[0])
    return error(drawn, new), {
        "the error of one pixel": np.mean((drawn - new) ** 2),
        "on the training images": error(pca.inverse_transform(pca.transform(X)), X),
        "the first piece alone": error(first.inverse_transform(first.transform(new)), new),
    }


@of("autoencoder-shapes")
def how_long_the_codes_are():
    return 8000 * 16, {
        "Those are the reconstructions": 8000 * 784,
        "That includes the decoder": 8000 * 16 + 784 * 16,
        "That is the decoder": 784 * 16,
        "That is one code": 16,
    }


@of("autoencoder-grid")
def error_of_a_grid():
    moments = Moments.of(images())
    strips = np.kron(np.eye(4), np.ones(7) / 7)
    A = np.kron(strips, strips)
    cross = CrossMoments.from_affine(moments, A, np.zeros(16))
    decoder = MMLR().fit_moments(cross)
    grid = cross.mean_squared_distance(decoder.coef_, decoder.intercept_)
    second = moments.covariance + np.outer(moments.mean, moments.mean)  # about the origin
    rest = np.eye(784) - second @ A.T @ np.linalg.solve(A @ second @ A.T, A)
    return grid, {
        "the floor, PCA's": np.linalg.eigvalsh(moments.covariance)[:-16].sum(),
        "the error of one pixel": grid / 784,
        "paints each cell with its mean": cross.mean_squared_distance(49 * A.T, np.zeros(784)),
        "has no intercept": np.trace(rest @ second),
    }


@of("naive-warmup")
def numbers_of_the_decoder():
    return 784 * 17, {
        "the slopes, B": 784 * 16,
        "An intercept belongs to a pixel": 784 * 16 + 16,
        "one code's slopes and a few": 784 + 16,
    }


@of("naive-code")
def error_without_the_mean():
    X = images()
    vectors = np.linalg.eigh(X.T @ X)[1]
    v, mean, pca = vectors[:, -1], X.mean(axis=0), PCA(1).fit(X)
    drawn = np.outer(X @ v, v)
    return error(drawn, X), {
        "with the mean taken off": error(pca.inverse_transform(pca.transform(X)), X),
        "taken off before v was applied": error(mean + np.outer((X - mean) @ v, v), X),
        "Averaged over the pixels too": np.mean((drawn - X) ** 2),
        "eigenvectors are the columns": error(np.outer(X @ vectors[-1], vectors[-1]), X),
        "the smallest comes first": error(np.outer(X @ vectors[:, 0], vectors[:, 0]), X),  # the same: nothing is drawn
    }


@of("collapse-warmup")
def slopes_along_three_and_four():
    v = np.array([3.0, 4.0]) / 5
    return v, {"a principal direction has length 1": 5 * v, "no sign": -v, "a row of the projector": v[0] * v}


@of("collapse-code")
def what_a_penalty_leaves():
    variances = PCA(16).fit(images()).explained_variance_
    left = 8000 * variances / (8000 * variances + 8000)
    D = np.sqrt(8000 * variances[-1])
    return left[-1], {
        "multiply it by the number of digits": variances[-1] / (variances[-1] + 8000),
        "That is the first direction": left[0],
        "the share that is taken away": 1 - left[-1],
        "that is D_j": D / (D + 8000),
    }


# ---------------------------------------------------------------- Part II


@of("ppca-code", slow=True)
def share_that_is_read():
    (X, y), (new, labels) = load_mnist("train"), load_mnist("test")
    models = [PPCA(16).fit(X[y == digit]) for digit in range(10)]
    read = np.argmax([model.score_samples(new) for model in models], axis=0)
    seen = np.argmax([model.score_samples(X) for model in models], axis=0)
    pcas = [PCA(16).fit(X[y == digit]) for digit in range(10)]
    errors = [np.sum((pca.inverse_transform(pca.transform(new)) - new) ** 2, axis=1) for pca in pcas]
    return np.mean(read == labels), {
        "the share of training images": np.mean(seen == y),
        "by the reconstruction error": np.mean(np.argmin(errors, axis=0) == labels),
        "the share read wrongly": np.mean(read != labels),
        "still read as a zero": np.mean(labels == 0),
    }


@of("codes-code")
def the_garment_that_suffers_most():
    X, y = load_fashion_mnist("train")
    Z = PCA(16).fit_transform(X).astype(float)
    parts = []
    for label in range(10):
        m, inverse = Z[y == label].mean(axis=0), np.linalg.inv(np.cov(Z[y == label].T, bias=True))
        parts.append([np.trace(inverse) / 16, m @ inverse @ m / 16])
    far = np.sum(parts, axis=1)
    return np.argmax(far), {"come second": np.argsort(far)[-2], "come last": np.argmin(far)}


@of("elbo-code")
def mean_of_a_chain():
    def log_joint(b):
        return 2 * log_expit(np.array([0.5, 1, 1.5]) * b).sum() - b**2 / 50

    rng = np.random.default_rng(1)
    place, chain, moves = 0.0, [], []
    old = log_joint(place)
    for step, u in zip(4 * rng.normal(size=50_000), np.log(rng.uniform(size=50_000)), strict=True):
        there = log_joint(place + step)
        if u < there - old:
            place, old = place + step, there
            moves.append(place)
        chain.append(place)
    grid = np.linspace(-10, 30, 4001)
    return np.mean(chain), {
        "a step refused is a step too": np.mean(moves),
        "That is the peak": grid[np.argmax([log_joint(b) for b in grid])],
        "never left its start": 0.0,
    }


@of("variational-code")
def error_of_each_prior():
    (X, y), (new, labels) = load_mnist("train"), load_mnist("test")
    pca, rng = PCA(16).fit(X), np.random.default_rng(7)
    X, new = X[y == 6][:60], new[labels == 6]
    Z = np.c_[pca.transform(X), rng.normal(size=(60, 4))]
    Z_new = np.c_[pca.transform(new), rng.normal(size=(203, 4))]
    drawn = {prior: VariationalMMLR(prior=prior).fit(Z, X).predict(Z_new) for prior in ("ard", "learned", "fixed")}
    return error(drawn["ard"], new), {
        'That is prior="learned"': error(drawn["learned"], new),
        'That is prior="fixed"': error(drawn["fixed"], new),
        "Sum over the pixels": np.mean((drawn["ard"] - new) ** 2),
    }


@of("randomness-code")
def draws_to_average():
    X, y = load_mnist("train")
    codes = PCA(16).fit(X).transform(X[y == 6])
    trace = np.trace(VariationalMMLR(noise="fixed", prior="fixed").fit(codes, X[y == 6]).coef_cov_)
    return 255**2 * trace, {
        "square 255 too": 255 * trace,
        "That is its root": 255 * np.sqrt(trace),
        "a pixel has one part in 784": 784 * 255**2 * trace,
    }


@of("vae-warmup")
def price_of_a_code():
    s2, a = 1.0, 2.0
    return (s2 + a**2 - 1 - np.log(s2)) / 2, {
        "Take half of it": s2 + a**2 - 1 - np.log(s2),
        "subtract 1 in the bracket": (s2 + a**2 - np.log(s2)) / 2,
    }


@of("vae-code")
def nats_lost_by_turned_codes():
    model, R = PPCA(16).fit(images()), np.eye(16)
    R[np.ix_([0, 15], [0, 15])] = np.array([[1, -1], [1, 1]]) / np.sqrt(2)

    def precision_of(W):
        return W.T @ W / model.noise_variance_ + np.eye(16)

    def lost(P, variances):
        return (np.sum(np.diag(P) * variances) - 16 - np.log(variances).sum() - np.linalg.slogdet(P)[1]) / 2

    P, straight = precision_of(model.loadings_ @ R), precision_of(model.loadings_)
    return lost(P, 1 / np.diag(P)), {
        "its own posterior variance": lost(P, np.diag(np.linalg.inv(P))),
        "Take half of it": 2 * lost(P, 1 / np.diag(P)),
        "nothing is lost": lost(straight, 1 / np.diag(straight)),
    }


@of("posterior-collapse-warmup")
def rate_of_a_code():
    beta, noise, variance = 0.5, 2.0, 9.0
    return np.log(variance / (beta * noise)) / 2, {
        "takes the noise for the level": np.log(variance / noise) / 2,
        "half before its logarithm": np.log(variance / (beta * noise)),
    }


@of("posterior-collapse-code", slow=True)
def codes_that_would_be_on():
    X, y = load_fashion_mnist("train")
    classes = Moments.by_class(X, y).values()
    scatter = sum(moments.scatter for moments in classes)
    told = np.linalg.eigvalsh(scatter / len(X))
    each = [np.sum(np.linalg.eigvalsh(moments.covariance) > 1) for moments in classes]
    return np.sum(told > 1), {
        "a linear VAE that is not told": np.sum(np.linalg.eigvalsh(Moments.of(X).covariance) > 1),
        "divide it by the number of images": np.sum(np.linalg.eigvalsh(scatter) > 1),
        "each class a VAE of its own": np.sum(each),
    }


# ---------------------------------------------------------------- Part III


@of("interpolation-code")
def how_much_the_circle_enlarges():
    a, c = np.random.default_rng(9).normal(size=(2, 16))
    angle = np.arccos(a @ c / (np.linalg.norm(a) * np.linalg.norm(c)))
    return 1 / np.cos(angle / 2), {
        "for a right angle": np.sqrt(2),
        "the whole angle": 1 / np.cos(angle),
        "Turn the fraction around": np.cos(angle / 2),
    }


@of("interpolation-pairs")
def pairs_whose_middles_are_unlikely():
    (X, y), (new, labels) = load_mnist("train"), load_mnist("test")
    pca = PCA(16).fit(X)
    density, Z = ClassGaussian().fit(pca.transform(X).astype(float), y), pca.transform(new).astype(float)

    def claims(codes):
        return np.max([density.log_prob(codes, digit) for digit in range(10)], axis=0)

    # By the seed it is 6 to 9 pairs, so the check takes 4 more or fewer.
    rng, every = np.random.default_rng(0), claims(Z)
    unlikely, more, farther = np.quantile(every, 0.05), 0, 0
    for pair in zip(*np.triu_indices(10, 1), strict=True):
        rows = [rng.choice(np.flatnonzero(labels == digit), 200) for digit in pair]
        middles, ends = claims(np.mean(Z[rows], axis=0)), every[np.ravel(rows)]
        more += np.mean(middles < unlikely) > np.mean(ends < unlikely)
        farther += middles.mean() < ends.mean()
    return more, {"You have counted the others": 45 - more, "not mean densities": farther}


@of("wasserstein-code", slow=True)
def what_a_straight_feature_sees():
    X, y = load_mnist("train")
    zeros, ones = (X[y == digit][:300].astype(float) for digit in (0, 1))
    difference, full = zeros.mean(axis=0) - ones.mean(axis=0), wasserstein1(zeros, ones)
    bound = np.abs(difference).sum()
    return 100 * bound / full, {
        "All weights 1": 100 * abs(difference.sum()) / full,
        "the Euclidean length": 100 * np.linalg.norm(difference) / full,
        "In per cent": bound / full,
        "Divide by the distance": bound,
    }


@of("floor-code")
def the_best_shrinkage():
    shrink = np.linspace(0, 1, 11)

    def mean_w1(d, ground):
        pairs = [np.random.default_rng(seed).normal(size=(2, 300, d)) for seed in (0, 1)]
        return np.mean([[wasserstein1(s * x, y, ground) for s in shrink] for x, y in pairs], axis=0)

    ten = mean_w1(10, "euclidean")
    return ten.min(), {
        "one would hope": ten[-1],
        "what part 3 predicts": ten[0],
        "a hundred dimensions": mean_w1(100, "euclidean").min(),
        "the city-block ground": mean_w1(10, "cityblock").min(),
        "where it is smallest": shrink[ten.argmin()],
    }


@of("scores-code", slow=True)
def means_without_covariances():
    (X, y), (new, _) = load_mnist("train"), load_mnist("test")
    model = LinearGenerativeModel.from_talk(16).set_params(clip=(0, 1))
    Z = model.fit(X, y).transform(X)
    labels = np.random.default_rng(0).choice(y, 2000)
    means = np.array([Z[y == digit].mean(axis=0) for digit in range(10)])
    normal = np.random.default_rng(1).normal(size=(2000, 16))
    fitted = ClassGaussian().fit(Z, y).sample(2000, labels, random_state=1)
    return wasserstein1(model.inverse_transform(means[labels] + normal, labels), new), {
        "codes around zero": wasserstein1(model.inverse_transform(normal, labels), new),
        "the means alone": wasserstein1(model.inverse_transform(means[labels], labels), new),
        "the fitted Gaussian": wasserstein1(model.inverse_transform(fitted, labels), new),
    }


@of("unexpected-warmup")
def the_picture_of_both_decoders():
    first = np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 2.0]])
    second = np.array([[5.0, 0.0], [6.0, 2.0], [7.0, 5.0]])
    return np.vstack([first, second]).mean(axis=0), {
        "the mean of the first class": first.mean(axis=0),
        "the mean of the second class": second.mean(axis=0),
        "Zero is the code": np.zeros(2),
    }


@of("unexpected-code", slow=True)
def the_fall_by_one_line():
    X, y = load_fashion_mnist("train")
    new = load_fashion_mnist("test")[0][:500].astype(float)
    model = LinearGenerativeModel.from_talk(64)
    before = model.fit(X, y).sample(500, random_state=0)[0].clip(0, 1)
    after = model.set_params(latent=ClassGaussian()).fit(X, y).sample(500, random_state=0)[0]
    old, mended, rough = (wasserstein1(drawn, new) for drawn in (before, after.clip(0, 1), after))
    return old - mended, {
        "The other way round": mended - old,
        "That is W1 after": mended,
        "Clip the draws after, too": old - rough,
    }


@of("judges-code", slow=True)
def recall_without_sevens():
    (X, y), (new, _) = load_mnist("train"), load_mnist("test")
    judge = load_features("mnist")
    rows = X[y != 7][:2000]
    seen, real = judge.transform(rows), judge.transform(new)
    return recall(seen, real), {
        "the recall of all digits": recall(judge.transform(X[:2000]), real),
        "precision, or recall with the two sets swapped": precision(seen, real),
        "recall on pixels": recall(rows, new),
    }


# ---------------------------------------------------------------- Part IV


@of("objective-code")
def the_timid_generator():
    X, y = load_mnist("train")
    ones, (z, z_real) = X[y == 1].astype(float), np.random.default_rng(0).normal(size=(2, 400, 16))
    pca = PCA(16).fit(ones)
    W = pca.components_ * np.sqrt(pca.explained_variance_)[:, None]
    true = pca.mean_ + z_real @ W

    def nearest(z, real, cut=(0, 1)):
        drawn = {s: np.clip(pca.mean_ + s * (z @ W), *cut) for s in (0.4, 0.6, 0.8, 1.0)}
        by_shrink = {s: wasserstein1(images, np.clip(real(s), *cut)) for s, images in drawn.items()}
        return min(by_shrink, key=by_shrink.get)

    return nearest(z, lambda s: true), {
        "with other codes on either side": nearest(z_real, lambda s: true),
        "against training ones": nearest(z, lambda s: ones[:400], cut=(-np.inf, np.inf)),
        "both sides are shrunk": nearest(z, lambda s: pca.mean_ + s * (z_real @ W)),
    }


@of("kernels-code", slow=True)
def error_of_the_lift():
    from sklearn.decomposition import PCA
    from sklearn.kernel_approximation import Nystroem
    from sklearn.linear_model import LinearRegression

    X = images()[:4000]
    features = Nystroem(gamma=0.01, n_components=500, random_state=0).fit_transform(X)
    codes = PCA(16, svd_solver="covariance_eigh").fit_transform(features)
    pca = PCA(16, svd_solver="covariance_eigh").fit(X)
    straight = error(pca.inverse_transform(pca.transform(X)), X)
    lifted, whole, bare = (
        error(LinearRegression(fit_intercept=intercept).fit(Z, X).predict(Z), X)
        for Z, intercept in ((codes, True), (features, True), (codes, False))
    )
    return lifted / straight, {
        "That is the inverse": straight / lifted,
        "all 500 features": whole / straight,
        "has no intercept": bare / straight,
    }


@of("bend-code", slow=True)
def w1_after_the_link():
    real, asked = (part[:1000] for part in load_mnist("test"))
    talk = LinearGenerativeModel.from_talk(16).set_params(clip=(0, 1))
    before, _ = talk.fit(*load_mnist()).sample(1000, asked, random_state=0)
    after = PixelLink(talk, random_state=0).fit(*load_mnist()).link(before, asked)
    return wasserstein1(after, real), {
        "W1 before the link": wasserstein1(before, real),
        "by the Euclidean ground": wasserstein1(after, real, "euclidean"),
    }


@of("denoisers-code", slow=True)
def how_far_to_look_at_boots():
    X, y = load_fashion_mnist("train")
    boots = X[y == 9]
    errors = [denoising_error(LocalDenoiser(h).fit(boots[:600]), boots[-30:], 0.5, random_state=0) for h in range(7)]
    best = np.argmin(errors)
    return best, {
        "the digits' answer": 2,
        "That is the largest error": np.argmax(errors),
        "the width of the patch": 2 * best + 1,
    }


# ---------------------------------------------------------------- Part V


@of("scale-store", slow=True)
def directions_with_shifts():
    X, y = load_mnist("train", dtype="uint8")
    shifts = [(0, 0), (0, -1), (0, 1), (-1, 0), (1, 0)]

    def directions(moments):
        share = PCA().fit_moments(moments).explained_variance_ratio_
        return int(np.searchsorted(np.cumsum(share), 0.95)) + 1

    def shifted(axis, shape):
        def block(i):
            return np.roll(X.reshape(shape), shifts[i], axis=axis).reshape(-1, 784), y

        return directions(read_moments(Blocks(len(shifts), block)))

    right = shifted((1, 2), (-1, 28, 28))
    return right, {
        "without the shifts": directions(Moments.by_class(X, y)),
        "counts from 0": right - 1,
        "images' own axes": shifted((0, 1), (-1, 28, 28)),
        "Reshape to": shifted((0, 1), (-1, 784)),
    }


@of("wide-pixels")
def lost_by_looking_at_pixels():
    X = images()
    C, best = Moments.of(X).covariance, PCA(16).fit(X)
    pixels = np.random.default_rng(0).choice(784, 64, replace=False)
    kept = np.trace(best.components_ @ C @ best.components_.T)

    def lost(codes):
        sketch = PCA(16).fit_sketch(CrossMoments.of(codes, X))
        V = sketch.components_
        return np.trace(V @ C @ V.T), sketch.explained_variance_.sum()

    (found, claimed), (by_chance, _) = (
        lost(codes) for codes in (X[:, pixels], X @ np.random.default_rng(0).standard_normal((784, 64)))
    )
    return 100 * (1 - found / kept), {
        "the loss with random codes": 100 * (1 - by_chance / kept),
        "the sketch's own variances": 100 * (1 - claimed / kept),
        "the share of all variance": 100 * (1 - found / np.trace(C)),
        "In per cent": 1 - found / kept,
    }


@of("verdict-code")
def judges_that_object():
    better = {"w1": -1, "frechet": -1, "recall": 1, "tstr": 1, "forest_cut": -1}
    mixture = results.finalists("mnist")["class PCA + class mixture"]
    medians = results.controls("mnist")["cluster medians"]
    worse = {name: sign * np.mean(mixture[name]) < sign * np.mean(medians[name]) for name, sign in better.items()}
    return sum(worse.values()), {
        "Counted the judges that do not object": 5 - sum(worse.values()),
        "take its mean": sum(objects for name, objects in worse.items() if name != "w1"),
    }
