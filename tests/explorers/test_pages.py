"""What each explorer shows, and what it shows when it is used."""

import numpy as np
import pytest

from skreg import L1, L2
from skreg.inspection.geometry import OPENING_ANGLE, OPENING_CURVATURES, contour_hessian, touching_point


def numbers(text):
    """The numbers of a text such as (−1.2, 0)."""
    return [float(part) for part in text.strip("()").replace("−", "-").split(", ")]


def touched(page):
    return numbers(page.inner_text("#touching"))


def drag(page, start, by):
    x, y = start
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + by[0] / 2, y + by[1] / 2)
    page.mouse.move(x + by[0], y + by[1])
    page.mouse.up()


def middle(page, selector):
    box = page.locator(selector).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_the_opening_scene_is_the_circle_touched_at_1_157_and_0_320(opened):
    with opened("penalty") as page:
        assert page.inner_text("#touching") == "(1.157, 0.320)"
        assert page.inner_text("#zeros") == "none"
        assert page.inner_text("output[for=radius]") == "1.20"
        assert page.inner_text("output[for=l1_ratio]") == "0.00"
        touch = touching_point(contour_hessian(OPENING_ANGLE, OPENING_CURVATURES), [2.3, 1.1], L2(1.0), 1.2)
        assert float(page.inner_text("#multiplier")) == pytest.approx(touch.multiplier, abs=5e-4)


def test_the_diamond_is_touched_at_its_corner(opened):
    with opened("penalty") as page:
        page.click("#diamond")
        assert page.inner_text("#touching") == "(1.200, 0)"
        assert page.inner_text("#zeros") == "w₂"
        assert "exactly zero" in page.inner_text("#verdict")
        page.click("#reset")
        assert page.inner_text("#touching") == "(1.157, 0.320)"


def test_the_least_squares_solution_is_dragged_by_mouse(opened):
    with opened("penalty") as page:
        page.click("#diamond")
        drag(page, middle(page, "#center .dot"), (-40, -90))
        center = [float(page.input_value(f"#center{j}")) for j in (1, 2)]
        unit = page.locator("#picture").bounding_box()["width"] / 6.2
        assert center == pytest.approx([2.3 - 40 / unit, 1.1 + 90 / unit], abs=0.01)
        hessian = contour_hessian(OPENING_ANGLE, OPENING_CURVATURES)
        assert touched(page) == pytest.approx(touching_point(hessian, center, L1(1.0), 1.2).coef, abs=1.1e-3)


def test_the_ball_is_dragged_by_any_point_of_its_edge(opened):
    with opened("penalty") as page:
        page.click("#diamond")
        unit = page.locator("#picture").bounding_box()["width"] / 6.2
        box = page.locator("#picture").bounding_box()
        edge = box["x"] + (2.6 - 0.6) * unit, box["y"] + (3.2 - 0.6) * unit  # (−0.6, 0.6) of a diamond of 1.2
        drag(page, edge, (-0.3 * unit, 0.0))
        assert float(page.inner_text("output[for=radius]")) == pytest.approx(1.5, abs=0.02)
        assert np.abs(touched(page)).sum() == pytest.approx(1.5, abs=0.02)


def test_it_is_dragged_by_a_finger_too(opened):
    with opened("penalty", width=360) as page:
        page.locator("#center").scroll_into_view_if_needed()
        x, y = middle(page, "#center .dot")
        touch = page.context.new_cdp_session(page)
        for kind, points in (
            ("touchStart", [{"x": x, "y": y}]),
            ("touchMove", [{"x": x, "y": y + 30}]),
            ("touchMove", [{"x": x, "y": y + 60}]),
            ("touchEnd", []),
        ):
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        unit = page.locator("#picture").bounding_box()["width"] / 6.2
        assert float(page.input_value("#center1")) == pytest.approx(2.3, abs=0.01)
        assert float(page.input_value("#center2")) == pytest.approx(1.1 - 60 / unit, abs=0.01)


def test_on_a_telephone_the_picture_stays_in_sight_of_what_changes_it(opened):
    with opened("penalty", width=360, height=740) as page:
        for control in ("#l1_ratio", "#stretch", "#reset", "#l1_ratio"):
            page.focus(control)
            picture, focused = (page.locator(each).bounding_box() for each in ("#picture", control))
            assert picture["y"] >= 0
            assert picture["y"] + picture["height"] <= focused["y"]
            assert focused["y"] + focused["height"] <= 740


def test_contours_are_turned_and_stretched_by_their_points(opened):
    with opened("penalty") as page:
        drag(page, middle(page, "#turn .grip"), (30, 0))
        angle = float(page.inner_text("output[for=angle]").rstrip("°"))
        assert OPENING_ANGLE - 35 < angle < OPENING_ANGLE - 15
        before = page.inner_text("output[for=stretch]")
        page.focus("#squeeze")
        page.keyboard.press("ArrowUp")
        assert page.inner_text("output[for=stretch]") > before


def test_where_the_ball_holds_the_solution_the_penalty_does_nothing(opened):
    with opened("penalty") as page:
        page.fill("#center1", "0.5")
        page.fill("#center2", "-0.25")
        assert touched(page) == [0.5, -0.25]
        assert page.inner_text("#multiplier") == "0.000"
        assert "does nothing" in page.inner_text("#verdict")


def test_with_a_gaussian_prior_mode_median_and_mean_are_one_point(opened):
    with opened("prior") as page:
        assert len({page.inner_text(f"#{name}1") for name in ("mode", "median", "mean")}) == 3
        page.check("input[value=gaussian]")
        assert len({page.inner_text(f"#{name}1") for name in ("mode", "median", "mean")}) == 1
        page.check("input[value=net]")
        assert page.locator("#l1_ratio").is_visible()
        assert len({page.inner_text(f"#{name}1") for name in ("mode", "median", "mean")}) == 3


def test_noise_and_rows_move_the_mean_and_leave_the_mode(opened):
    with opened("prior") as page:
        mode, mean = page.inner_text("#mode1"), page.inner_text("#mean1")
        page.focus("#sigma")
        page.keyboard.press("End")
        assert page.inner_text("output[for=sigma]") == "5.0"
        assert page.inner_text("#mode1") == mode == "0.500"
        assert page.inner_text("#mean1") != mean


def test_of_two_coefficients_the_mode_has_a_zero_and_the_mean_has_not(opened):
    with opened("prior") as page:
        assert page.locator("#two").is_hidden()
        page.check("input[value='2']")
        assert page.locator("#one").is_hidden()
        assert page.inner_text("#mode2") == "0"
        assert float(page.inner_text("#mean2")) > 0.1
        drag(page, middle(page, "#center .dot"), (0, 60))
        assert float(page.input_value("#center2")) < 0


def test_a_narrower_prior_is_a_larger_alpha(opened):
    def scale():
        return float(page.inner_text("#prior").split(" = ")[1].split(")")[0])

    with opened("prior") as page:
        assert scale() == 0.8  # σ²/(nα) of the opening's 4/(10 · 0.5)
        page.focus("#alpha")
        page.keyboard.press("PageUp")
        assert scale() < 0.8
        page.keyboard.press("End")
        assert page.inner_text("#mode1") == "0"


def test_at_one_half_fifty_are_expected_and_a_hundred_with_inverted_scaling(opened):
    with opened("dropout") as page:
        assert page.inner_text("output[for=rate]") == "0.5"
        assert page.inner_text("#plain-expected") == "50.0 ± 5.0"
        assert page.inner_text("#inverted-expected") == "100.0 ± 10.0"
        assert page.inner_text("#test-expected") == "100.0"
        kept = page.locator("#units-picture .unit:not(.dropped)").count()
        assert page.inner_text("#plain-now") == f"{kept}.0"
        assert page.inner_text("#inverted-now") == f"{2 * kept}.0"


def test_each_click_draws_new_masks_and_counts_what_is_active(opened):
    with opened("dropout") as page:
        pictures = set()
        for _ in range(5):
            page.click("#draw")
            rows = page.locator("#counts tr td:nth-child(2)").all_inner_texts()
            counts = [int(row.split(" of ")[0]) for row in rows]
            assert counts[3] == sum(counts[:3])
            # Input and output are always there.
            assert page.locator("#network .unit:not(.dropped)").count() == counts[3] + 2
            pictures.add(page.locator("#network").inner_html())
        assert len(pictures) == 5
        assert page.inner_text("#drawn") == "6 networks"


def test_the_mean_of_many_thinned_networks_comes_near_the_whole_one(opened):
    with opened("dropout") as page:
        for _ in range(5):
            page.click("#many")
        one, mean = (float(page.inner_text(f"#distance-{what}")) for what in ("one", "mean"))
        assert mean < one / 2


def test_at_test_time_every_unit_is_there(opened):
    with opened("dropout") as page:
        page.check("input[value=whole]")
        assert page.locator("#network .dropped").count() == 0
        assert page.locator("#counts tr td:nth-child(2)").all_inner_texts()[3] == "48 of 48"
        page.check("input[value=thinned]")
        page.focus("#rate")
        page.keyboard.press("Home")
        assert page.locator("#network .dropped").count() == 0  # nor at rate 0
        assert page.inner_text("#distance-mean") == "0.000"
