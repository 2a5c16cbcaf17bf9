"""The gallery tells the guide's story in its order."""

from pathlib import Path

STORY = [
    "plot_penalty_and_prior",
    "plot_descent_to_a_corner",
    "plot_bias_and_variance",
    "plot_large_and_small_weights",
    "plot_one_gradient_step",
    "plot_loss_landscape",
    "plot_correlated_features",
    "plot_min_and_one_standard_error",
    "plot_alpha_three_ways",
    "plot_map_agreement",
    "plot_posterior_forest",
    "plot_stability_paths",
    "plot_techniques_compared",
    "plot_decoupled_decay",
    "plot_thinned_networks",
    "plot_dropout_identities",
    "plot_monte_carlo_masks",
    "plot_dropout_memorising",
    "plot_dropout_boosting",
    "plot_bagging_variance",
]


class StoryKey:
    """Sort by the place in the story, and what has none after it by name."""

    def __init__(self, src_dir):
        self.src_dir = src_dir

    def __call__(self, filename):
        stem = Path(filename).stem
        return (STORY.index(stem) if stem in STORY else len(STORY), stem)
