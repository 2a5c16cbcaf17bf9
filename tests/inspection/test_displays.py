"""What holds of every Display, of few features and of many."""

import inspect
import io
import sys

import numpy as np
import pytest
import scenes

import skreg
from skreg import inspection

DISPLAYS = [getattr(inspection, name) for name in inspection.__all__]
both = pytest.mark.parametrize("many", [False, True], ids=["few", "many"])
every = pytest.mark.parametrize("name", scenes.SCENES)
# Those with several panels, and one of them.
KINDS = {
    "PenaltyGeometryDisplay": ("ball", "density"),
    "RegularizationPathDisplay": ("error", "coef"),
    "MAPAgreementDisplay": ("coef", "difference"),
    "StabilityDisplay": ("path", "probability"),
    "DropoutDisplay": ("networks", "uncertainty"),
    "ComparisonDisplay": ("score", "n_nonzero"),
}


def rendered(figure):
    """The picture's pixels, in a hundredth of its usual size."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=40, format="rgba")
    return buffer.getvalue()


def shown_texts(figure):
    import matplotlib.text

    return [t for t in figure.findobj(matplotlib.text.Text) if t.get_visible() and t.get_text().strip()]


def test_there_is_a_scene_of_every_display():
    assert set(scenes.SCENES) == set(inspection.__all__)


@every
@both
def test_a_display_makes_one_figure_of_few_words_that_are_within_it(name, many, figures):
    display = scenes.SCENES[name](many)
    figure = display.figure_
    assert figures.get_fignums() == [figure.number]
    axes = getattr(display, "axes_", [display.ax_])
    assert display.ax_ in axes and all(ax.figure is figure for ax in axes)
    figure.canvas.draw()
    texts = shown_texts(figure)
    assert len(texts) < 100
    assert all(len(text.get_text()) < 90 for text in texts)
    whole = figure.bbox.padded(2.0)
    # Ticks beyond the limits of an axis are not drawn.
    ticks = {
        t for ax in figure.axes for axis in (ax.xaxis, ax.yaxis) for t in axis.get_ticklabels(which="both")
    }
    for text in set(texts) - ticks:
        box = text.get_window_extent()
        assert whole.contains(*box.min) and whole.contains(*box.max), text.get_text()


@every
def test_plotting_on_axes_given_makes_no_figure_and_moves_no_other(name, figures):
    figure, axes = figures.subplots(2, 2, layout="constrained")
    other = axes[1, 1]
    before = other.get_subplotspec(), other.get_children().copy()
    panel = scenes.SCENES[name](ax=axes[0, 0])
    assert panel.figure_ is figure and figures.get_fignums() == [figure.number]
    assert (other.get_subplotspec(), other.get_children()) == before
    figures.sca(other)
    display = scenes.SCENES[name]
    display(ax=axes[0, 1])
    assert figures.gca() is other  # nor is the current axes another


@pytest.mark.parametrize("name", KINDS)
def test_panels_can_be_chosen_and_placed_one_by_one(name, figures):
    _, axes = figures.subplots(1, 2, layout="constrained")
    second = KINDS[name][1]
    display = scenes.SCENES[name](ax=axes, kind=KINDS[name])
    assert list(display.axes_) == list(axes)
    alone = scenes.SCENES[name](kind=second)
    assert len(alone.axes_) == 1
    with pytest.raises(ValueError, match="kind must be some of"):
        display.plot(kind="sideways")
    _, three = figures.subplots(1, 3)
    with pytest.raises(ValueError, match="one Axes or 2 of them, one a panel, got 3"):
        display.plot(ax=three, kind=KINDS[name])
    _, one = figures.subplots()
    display.plot(ax=one, kind=KINDS[name])
    with pytest.raises(ValueError, match="divided by another plot"):
        display.plot(ax=one, kind=KINDS[name])
    placed = figures.figure().add_axes((0.1, 0.1, 0.5, 0.5))
    display.plot(ax=placed, kind=KINDS[name])
    for panel in display.axes_:
        assert 0.09 < panel.get_position().x0 and panel.get_position().x1 < 0.61


@every
def test_plotting_again_draws_the_same(name):
    display = scenes.SCENES[name]()
    first = rendered(display.figure_)
    assert len(set(first)) > 10
    assert rendered(display.plot().figure_) == first


@pytest.mark.parametrize("display", DISPLAYS)
def test_a_constructor_takes_keywords_only_and_assigns_only(display):
    parameters = list(inspect.signature(display).parameters.values())
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters)
    given = {p.name: object() for p in parameters}
    made = display(**given)
    assert vars(made) == given  # nothing looked at, nothing else made


@pytest.mark.parametrize("display", DISPLAYS)
def test_without_matplotlib_the_error_names_the_extra_before_anything_is_computed(display, monkeypatch):
    for module in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    message = rf"{display.__name__}.* needs matplotlib: pip install 'skreg\[plot\]'"
    parameters = inspect.signature(display).parameters.values()
    with pytest.raises(ImportError, match=message):
        display(**{p.name: None for p in parameters}).plot()
    if hasattr(display, "from_estimator"):
        wanted = inspect.signature(display.from_estimator).parameters.values()
        nothing = {p.name: None for p in wanted if p.default is p.empty and p.kind is not p.VAR_KEYWORD}
        with pytest.raises(ImportError, match=message):
            display.from_estimator(**nothing)


@pytest.mark.parametrize("display", DISPLAYS)
def test_a_display_is_on_the_contents_page_and_can_be_made_of_what_skreg_has(display):
    assert getattr(skreg, display.__name__) is display
    assert hasattr(display, "from_estimator") or hasattr(display, "from_result")


@every
def test_rc_parameters_stay_as_they_were(name, figures):
    before = figures.rcParams.copy()
    scenes.SCENES[name]()
    assert figures.rcParams == before


def test_the_colours_are_apart_for_the_colour_blind_and_their_styles_in_grey():
    from skreg.inspection._style import series

    looks = [series(number) for number in range(6)]
    # Viénot, Brettel and Mollon (1999): what a dichromat without M or L cones sees, in linear RGB.
    deutan = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]])
    protan = np.array([[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]])
    rgb = np.array([[int(look["color"][i : i + 2], 16) / 255 for i in (1, 3, 5)] for look in looks])
    linear = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    for seen in (linear, linear @ deutan.T, linear @ protan.T):
        displayed = np.clip(seen, 0.0, 1.0) ** (1 / 2.2)
        apart = np.linalg.norm(displayed[:, None] - displayed[None], axis=-1)
        assert apart[np.triu_indices(6, 1)].min() > 0.1
    assert len({str(look["linestyle"]) for look in looks}) == len({look["marker"] for look in looks}) == 6
    every_look = [series(number) for number in range(36)]
    assert len({(look["color"], str(look["linestyle"])) for look in every_look}) == 36


@pytest.mark.parametrize("n", [1, 2, 7, 30])
def test_labels_are_moved_apart_and_no_further_than_needed(n):
    from skreg.inspection._style import spread

    rng = np.random.default_rng(n)
    for _ in range(50):
        ends = np.sort(rng.uniform(0.0, 1.0, n) ** 3)
        gap = 0.8 / n
        places = spread(ends, gap)
        assert np.all(np.diff(places) >= gap - 1e-12)
        assert places.min() >= 0.0 and places.max() <= 1.0
    far = np.linspace(0.1, 0.9, n)
    assert np.allclose(spread(far, 0.5 / (n + 1)), far)
