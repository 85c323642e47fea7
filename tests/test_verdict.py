"""The verdict rests on the kept results of the big table: what it calls close, and what it says of the talk's claim."""

import numpy as np
import pytest

from linvae.book import results

ERROR = 0.5 / np.sqrt(4000)  # of a share of 4,000 images, at one half

TALK, MIX = "the talk's recipe", "class PCA + class mixture"
CONV = "convolutional autoencoder + class mixture"
BENT = "class mixture of PPCAs + link"
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
    assert talk["precision"] > np.median([trained(data, network, "precision").mean() for network in NETWORKS])


@pytest.mark.parametrize("data", results.DATA)
def test_the_linear_mixture_is_ahead_of_a_plain_vae_and_behind_a_convolutional_autoencoder_with_a_mixture(data):
    for score, sign in (("w1", 1), ("frechet", 1), ("recall", -1)):
        mix, vae, conv = (sign * trained(data, family, score) for family in (MIX, "VAE", CONV))
        assert conv.max() < mix.min()
        assert score == "recall" or mix.max() < vae.min()
    seconds = [results.finalists(data)[family]["fit_seconds"] for family in (MIX, CONV)]
    assert seconds[1] > 10 * seconds[0]


@pytest.mark.parametrize("data", results.DATA)
def test_no_network_of_up_to_ten_times_its_seconds_beats_the_linked_mixture_by_frechet_distance_or_as_a_teacher(data):
    final = results.finalists(data)
    seconds = 10 * final[BENT]["fit_seconds"]
    rivals = [network for network in NETWORKS if final[network]["fit_seconds"] <= seconds]
    assert {"CVAE", "CVAE + class Gaussian", "autoencoder + class mixture"} <= set(rivals)
    for network in rivals:
        assert trained(data, BENT, "frechet").max() < trained(data, network, "frechet").min()
        if "tstr" in final[network]:
            assert trained(data, BENT, "tstr_forest").min() > trained(data, network, "tstr_forest").max()


def test_the_linked_mixture_is_ahead_of_networks_without_a_link_on_clothes_and_behind_the_best_on_digits():
    for network in NETWORKS:
        if not network.endswith(" + link"):
            assert trained("fashion", BENT, "frechet").max() < trained("fashion", network, "frechet").min()
    conv, bent = (trained("mnist", family, "frechet") for family in (CONV, BENT))
    assert conv.max() < bent.min()
    assert trained("mnist", CONV, "recall").min() > trained("mnist", BENT, "recall").max()
    assert trained("mnist", CONV, "tstr_forest").max() < trained("mnist", BENT, "tstr_forest").min()


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
