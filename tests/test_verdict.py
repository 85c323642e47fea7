"""The verdict rests on the kept results of the big table: what it calls close, and what it says of the talk's claim."""

import numpy as np
import pytest

from linvae.book import results

ERROR = 0.5 / np.sqrt(4000)  # of a share of 4,000 images, at one half

TALK, MIX = "the talk's recipe", "class PCA + class mixture"
CONV = "convolutional autoencoder + class mixture"
LINKED = f"{MIX} + link"
AUTO, FLOW, CVAE = "autoencoder + class mixture", "flow matching", "CVAE + class Gaussian"
AUTO_LINKED, CONV_LINKED, FLOW_LINKED, CVAE_LINKED = (f"{family} + link" for family in (AUTO, CONV, FLOW, CVAE))
SHOWN = ["VAE", "VAE + class mixture", CVAE, AUTO, CONV, FLOW, CVAE_LINKED, AUTO_LINKED, CONV_LINKED, FLOW_LINKED]
SIGNS = {"frechet": -1, "recall": 1, "tstr_forest": 1, "forest_cut": -1}
NETWORKS = [name for name in results.finalists("mnist") if any(word in name for word in ("VAE", "auto", "flow"))]


def trained(data, family, score):
    """Return a score of each training of a finalist."""
    return np.array(results.trainings(data, family).get(score) or results.finalists(data)[family][score])


def as_close_as(data, family, rival):
    """Return whether a family is as close to real images by W1 as a rival, as D2 has it."""
    mine, its = (trained(data, name, "w1") for name in (family, rival))
    spreads = [np.std(w1, ddof=1) if w1.size > 1 else 0.0 for w1 in (mine, its)]
    return mine.mean() <= its.mean() + 2 * np.hypot(*spreads)


@pytest.mark.statement("D2")
@pytest.mark.parametrize("data", results.DATA)
def test_real_images_are_at_the_floor_and_pass_the_forest_and_ten_class_medians_do_neither(data):
    floor, controls = results.floor(data), results.controls(data)
    real, medians = controls["real"], controls["class medians"]
    error = np.sqrt(np.var(real["w1"], ddof=1) / len(real["w1"]) + floor.sd**2 / floor.n)
    assert abs(np.mean(real["w1"]) - floor.mean) < 3 * error  # of a difference of two means
    assert np.min(medians["w1"]) - floor.mean > 10 * floor.sd
    for view in ("forest_accuracy", "forest_cut"):
        assert real[view] < 0.5 + 3 * ERROR
    assert medians["forest_accuracy"] > 0.9


@pytest.mark.statement("D2")
@pytest.mark.parametrize("data", results.DATA)
def test_by_the_definition_of_close_the_talks_recipe_is_as_close_as_no_network_and_the_linear_mixture_as_a_vae(data):
    assert not any(as_close_as(data, TALK, network) for network in NETWORKS)
    assert as_close_as(data, MIX, "VAE")
    assert as_close_as(data, CONV, MIX)


@pytest.mark.statement("L17")
def test_no_finalist_passes_the_forest_in_gray_or_in_black_and_white():
    for final in results.jobs("final"):
        assert min(final["forest_accuracy"], final["forest_cut"]) > 0.5 + 3 * ERROR


@pytest.mark.statement("L17")
@pytest.mark.parametrize("data", results.DATA)
def test_the_talks_recipe_is_behind_every_network_by_frechet_recall_and_tstr_and_not_by_precision(data):
    talk = results.finalists(data)[TALK]
    for network in NETWORKS:
        assert talk["frechet"] > 1.2 * trained(data, network, "frechet").max()
        assert talk["recall"] < trained(data, network, "recall").min()
        if "tstr" in results.finalists(data)[network]:
            assert talk["tstr"] < trained(data, network, "tstr").min()
        assert talk["forest_cut"] > results.finalists(data)[network]["forest_cut"]
    assert talk["precision"] > np.median([trained(data, network, "precision").mean() for network in NETWORKS])


@pytest.mark.parametrize("data", results.DATA)
def test_the_linear_mixture_is_ahead_of_a_plain_vae_and_behind_a_convolutional_autoencoder_with_a_mixture(data):
    for score, sign in (("w1", 1), ("frechet", 1), ("recall", -1)):
        mix, vae, conv = (sign * trained(data, family, score) for family in (MIX, "VAE", CONV))
        assert conv.max() < mix.min()
        assert score == "recall" or mix.max() < vae.min()
    seconds = [results.finalists(data)[family]["fit_seconds"] for family in (MIX, CONV)]
    assert seconds[1] > 10 * seconds[0]


SHARES = {"recall": 2000, "tstr_forest": 2000, "forest_cut": 4000}  # of images, of so many


def ahead(data, name, rival, score, sign):
    """Return whether a finalist or control beats another in each of their trainings, shares by two errors too."""
    controls = results.controls(data)
    mine, its = (
        np.atleast_1d(controls[each][score]) if each in controls else trained(data, each, score)
        for each in (name, rival)
    )
    error = 0.0
    if score in SHARES:
        error = np.sqrt(sum(side.mean() * (1 - side.mean()) for side in (mine, its)) / SHARES[score])
    return (sign * mine).min() > (sign * its).max() and abs(mine.mean() - its.mean()) > 2 * error


def test_a_vae_with_a_mixture_too_is_ahead_of_the_linear_mixture_on_digits_and_behind_it_on_clothes():
    also = "VAE + class mixture"
    for score, sign in {"frechet": -1, "recall": 1, "forest_cut": -1}.items():
        assert ahead("mnist", also, MIX, score, sign)
        assert ahead("fashion", MIX, also, score, sign)
    assert ahead("mnist", also, MIX, "w1", -1)
    assert ahead("fashion", MIX, also, "tstr_forest", 1)
    assert not ahead("mnist", also, MIX, "tstr_forest", 1)
    floor = results.floor("fashion")
    assert max(trained("fashion", name, "w1").max() for name in (also, MIX)) < floor.mean - 2 * floor.sd
    assert ahead("fashion", MIX, "VAE", "recall", 1)
    assert not ahead("mnist", MIX, "VAE", "recall", 1)


def ahead_of_the_linked_mixture(data, score, names=None):
    """Return which networks of the page, or which of some, are ahead of it by one judge."""
    final = results.finalists(data)
    judged = [name for name in names or SHOWN if score in final[name]]
    return {name for name in judged if ahead(data, name, LINKED, score, SIGNS[score])}


@pytest.mark.parametrize("data", results.DATA)
@pytest.mark.parametrize("score", ["frechet", "tstr_forest", "forest_cut"])
def test_by_frechet_distance_as_a_teacher_and_to_a_forest_no_network_is_ahead_of_the_linked_mixture(data, score):
    assert ahead_of_the_linked_mixture(data, score, NETWORKS) == set()


def test_without_a_link_all_networks_of_the_page_are_behind_it_by_frechet_distance_and_as_teachers():
    for data in results.DATA:
        for score in ("frechet", "tstr_forest"):
            for name in SHOWN[:6]:
                if score in results.finalists(data)[name]:
                    assert ahead(data, LINKED, name, score, SIGNS[score])


def test_level_with_it_are_some_with_a_link():
    levels = {
        ("mnist", "frechet"): {CONV_LINKED},
        ("fashion", "frechet"): {AUTO_LINKED},
        ("mnist", "tstr_forest"): {CVAE_LINKED, AUTO_LINKED, CONV_LINKED},
        ("fashion", "tstr_forest"): {CVAE_LINKED, AUTO_LINKED, CONV_LINKED},
        ("mnist", "forest_cut"): {CONV, AUTO_LINKED, CONV_LINKED},
        ("fashion", "forest_cut"): set(),
    }
    for (data, score), names in levels.items():
        judged = [name for name in SHOWN if score in results.finalists(data)[name]]
        assert {name for name in judged if not ahead(data, LINKED, name, score, SIGNS[score])} == names, (data, score)


def test_by_recall_the_networks_that_are_named_are_ahead_of_the_linked_mixture():
    assert ahead_of_the_linked_mixture("mnist", "recall") == {AUTO_LINKED, CONV_LINKED, FLOW_LINKED}
    assert ahead_of_the_linked_mixture("fashion", "recall") == {CVAE_LINKED, FLOW_LINKED}


@pytest.mark.parametrize("data", results.DATA)
def test_by_w1_the_linked_mixture_is_above_the_floor_and_most_networks_are_closer_and_its_dearest_rivals_are_dear(data):
    closer = [name for name in SHOWN if as_close_as(data, name, LINKED) and not as_close_as(data, LINKED, name)]
    assert len(closer) > len(SHOWN) / 2
    assert {AUTO, AUTO_LINKED, CONV, CONV_LINKED} <= set(closer)
    assert trained(data, LINKED, "w1").mean() > results.floor(data).mean + 1
    final = results.finalists(data)
    assert min(final[name]["fit_seconds"] for name in SHOWN) > 9 * final[LINKED]["fit_seconds"]
    assert final[CONV_LINKED]["fit_seconds"] > 40 * final[LINKED]["fit_seconds"]


@pytest.mark.parametrize("data", results.DATA)
def test_its_draws_lean_on_the_training_images_about_as_those_of_a_linked_autoencoder_do(data):
    real = results.controls(data)["real"]["nearest_test_train"]
    mine, its = (results.finalists(data)[name]["nearest_train"] / real for name in (LINKED, AUTO_LINKED))
    assert 0.9 < mine < 1
    assert 0.9 < its < 1


@pytest.mark.parametrize("data", results.DATA)
def test_real_images_are_level_with_the_linked_mixture_as_teachers_and_ahead_by_three_judges_and_medians_by_none(data):
    better = {score for score, sign in SIGNS.items() if ahead(data, "real", LINKED, score, sign)}
    assert better == {"frechet", "recall", "forest_cut"}
    assert not ahead(data, LINKED, "real", "tstr_forest", 1)
    assert all(ahead(data, LINKED, "cluster medians", score, sign) for score, sign in SIGNS.items())


@pytest.mark.parametrize("data", results.DATA)
def test_the_link_helps_linear_models_and_networks_by_frechet_distance_and_as_teachers(data):
    for family in (MIX, "class PCA + class Gaussian", "class mixture of PPCAs", CVAE, AUTO, CONV):
        assert ahead(data, f"{family} + link", family, "frechet", -1) or (data, family) == ("mnist", CONV)
        assert trained(data, f"{family} + link", "frechet").mean() < trained(data, family, "frechet").mean()
        assert ahead(data, f"{family} + link", family, "tstr_forest", 1) or family not in (MIX, AUTO, CONV)


@pytest.mark.parametrize("data", results.DATA)
def test_the_linear_mixture_has_fewer_numbers_than_networks_and_with_a_link_the_claim_turns_round(data):
    final = results.finalists(data)
    for count in ("to_draw", "parameters"):
        sizes = {name: final[name][count] for name in final}
        plain = [sizes[name] for name in NETWORKS if not name.endswith(" + link")]
        assert sizes[MIX] < min(plain)
        assert sizes[LINKED] > 2 * max(plain)
        assert sizes[LINKED] / 2 < 10 * 784 * 200  # the link: a hundred cuts and levels for each pixel of each class
    for count, times in {"parameters": 3, "to_draw": 7}.items():
        assert final[LINKED][count] > times * final["VAE"][count]


@pytest.mark.parametrize("data", results.DATA)
def test_what_the_judges_are_blind_to(data):
    controls = results.controls(data)
    real, dimmed, noise = (controls[name] for name in ("real", "dimmed", "noise"))
    assert abs(dimmed["tstr_forest"] - real["tstr_forest"]) < 3 * np.sqrt(2 * 0.25 / 2000)  # of two shares of 2,000
    assert noise["recall"] > 0.75  # of pictures that nobody takes for real
    assert noise["w1"][0] > real["w1"][0] + 10
    assert np.mean(controls["cluster medians"]["w1"]) < results.floor(data).mean
    if data == "mnist":
        assert max(dimmed["forest_cut"], noise["forest_cut"]) < 0.55


@pytest.mark.parametrize("data", results.DATA)
def test_judges_disagree_on_the_flow_and_the_linear_mixture(data):
    flow, mix = "flow matching", MIX
    assert trained(data, mix, "w1").max() < trained(data, flow, "w1").min()
    assert trained(data, flow, "frechet").max() < trained(data, mix, "frechet").min() / 2
    assert trained(data, flow, "recall").min() > 1.5 * trained(data, mix, "recall").max()
    assert trained(data, mix, "tstr").min() > trained(data, flow, "tstr").max()  # read by a logistic classifier
    medians = results.controls(data)["cluster medians"]["recall"]
    assert abs(trained(data, mix, "recall").mean() - medians) < 0.1


def test_a_logistic_reader_learns_from_the_linear_mixture_what_it_learns_from_real_digits_and_a_forest_does_not():
    real = results.controls("mnist")["real"]
    assert trained("mnist", MIX, "tstr").min() > real["tstr"] - 0.01  # 0.007 is the standard error of a share of 2,000
    assert trained("mnist", MIX, "tstr_forest").max() < real["tstr_forest"] - 0.1


@pytest.mark.parametrize("data", results.DATA)
def test_thirty_gaussians_a_class_draw_nearer_to_training_images_than_one_does(data):
    final = results.finalists(data)
    for encoder in ("class PCA", "autoencoder", "convolutional autoencoder"):
        jobs = [final[f"{encoder} + class {kind}"] for kind in ("Gaussian", "mixture")]
        one, thirty = (job["nearest_test"] - job["nearest_train"] for job in jobs)
        assert thirty - one > 0.03  # twice 0.014, the standard error of a difference of two means of 2,000
