"""The explorers as they are used: by mouse, by keyboard, by screen reader, on a telephone and at night."""

import numpy as np
import pytest
from browsing import NAMES, SCENES

from skreg import L1, L2, explore
from skreg.inspection.geometry import OPENING_ANGLE, OPENING_CURVATURES, contour_hessian, touching_point

every_page = pytest.mark.parametrize("name", NAMES)
every_scene = pytest.mark.parametrize(
    ("name", "scene"), [(name, scene) for name in NAMES for scene in SCENES[name]]
)


def go_to(page, name, scene):
    for click in SCENES[name][scene]:
        page.click(click)


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


# ---------------------------------------------------------------------------------- what each page shows


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


# ------------------------------------------------------------------------------- by keyboard and by ear


@every_scene
def test_every_slider_moves_by_keyboard_and_changes_what_is_said(opened, name, scene):
    with opened(name) as page:
        go_to(page, name, scene)
        sliders = page.locator("input[type=range]:visible")
        assert sliders.count() >= 1
        for i in range(sliders.count()):
            slider = sliders.nth(i)
            output = page.locator(f"output[for={slider.get_attribute('id')}]")
            value, words, picture = slider.input_value(), output.inner_text(), page.inner_html(".scene")
            slider.focus()
            page.keyboard.press(
                "ArrowLeft" if float(value) == float(slider.get_attribute("max")) else "ArrowRight"
            )
            assert slider.input_value() != value
            assert output.inner_text() != words
            assert slider.get_attribute("aria-valuetext") == output.inner_text()
            assert page.inner_html(".scene") != picture


@every_scene
def test_the_tab_key_comes_to_everything_and_shows_where_it_is(opened, name, scene):
    with opened(name) as page:
        go_to(page, name, scene)
        page.evaluate("document.activeElement.blur()")
        stops = ("button", "input:not([type=radio])", "input[type=radio]:checked", "[tabindex]")
        wanted = sum(page.locator(f"{stop}:visible").count() for stop in stops)
        seen = set()
        for _ in range(wanted + 2):  # past the end of the page, and on from its beginning
            page.keyboard.press("Tab")
            where, shown = page.evaluate(
                """() => {
                    const element = document.activeElement;
                    const style = getComputedStyle(element);
                    const ring = element.querySelector(".ring");
                    const shown = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2
                        || ring !== null && getComputedStyle(ring).stroke !== "rgba(0, 0, 0, 0)";
                    return [element === document.body ? null : element.id || element.name, shown];
                }"""
            )
            if where is not None:
                assert shown, where
                seen.add(where)
        assert len(seen) == wanted, seen


@pytest.mark.parametrize("key", ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"])
def test_arrow_keys_move_a_point_and_shift_makes_them_finer(opened, key):
    across = {"ArrowLeft": -1, "ArrowRight": 1}.get(key, 0)
    up = {"ArrowUp": 1, "ArrowDown": -1}.get(key, 0)
    with opened("penalty") as page:
        page.focus("#center")
        page.keyboard.press(key)
        page.keyboard.press(f"Shift+{key}")
        center = [float(page.input_value(f"#center{j}")) for j in (1, 2)]
        assert center == pytest.approx([2.3 + 0.055 * across, 1.1 + 0.055 * up], abs=1e-9)
        spoken = page.get_attribute("#center", "aria-valuetext")
        assert spoken == f"w 1 {center[0]:.2f}, w 2 {center[1]:.2f}"


@every_scene
def test_every_control_has_a_name_and_every_picture_words(opened, name, scene):
    with opened(name) as page:
        go_to(page, name, scene)
        unnamed = page.evaluate(
            """() => [...document.querySelectorAll("input, button, svg, [role]")].filter(element => {
                if (element.closest("[aria-hidden=true], [role=status]")) return false;
                const by = element.getAttribute("aria-labelledby");
                const words = element.getAttribute("aria-label")
                    || (by && document.getElementById(by).textContent)
                    || [...(element.labels || [])].map(label => label.textContent).join("")
                    || (element.tagName === "BUTTON" && element.textContent);
                return !(words && words.trim());
            }).map(element => element.outerHTML)"""
        )
        assert not unnamed
        for point in page.locator(".handle:visible").all():
            assert point.get_attribute("role") == "slider"
            low, now, high = (
                float(point.get_attribute(f"aria-value{what}")) for what in ("min", "now", "max")
            )
            assert low <= now <= high
            assert point.get_attribute("aria-valuetext")
        assert page.get_attribute("html", "lang") == "en"
        assert page.locator("h1").count() == 1
        assert page.title() == page.inner_text("h1")
        ids = page.evaluate("[...document.querySelectorAll('[id]')].map(element => element.id)")
        assert len(ids) == len(set(ids))


def test_the_result_is_said_once_it_has_come_to_rest(opened):
    with opened("penalty") as page:
        page.click("#diamond")
        status = page.locator("[role=status][aria-live=polite]")
        status.filter(has_text="Zeros: w₂").wait_for(state="attached")
        assert "1.200, 0.000" in status.inner_text()


# ----------------------------------------------------------------------------------------- how it looks


@every_scene
def test_nothing_is_wider_than_the_page(opened, name, scene):
    with opened(name) as page:
        go_to(page, name, scene)
        for width in (320, 360, 720, 1600):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            spilt = page.evaluate(
                """() => [...document.querySelectorAll("main *:not(svg *):not(.unseen)")].filter(element => {
                    const box = element.getBoundingClientRect();
                    return box.width > 0 && (box.left < 0 || box.right > innerWidth + 0.5);
                }).map(element => element.outerHTML.slice(0, 100))"""
            )
            assert not spilt, width


@every_page
def test_the_height_for_a_frame_is_that_of_the_tallest_scene(opened, name):
    heights = []
    for scene in SCENES[name]:
        with opened(name) as page:
            go_to(page, name, scene)
            heights.append(page.evaluate("document.querySelector('main').getBoundingClientRect().height"))
    assert explore(name).height - 60 <= max(heights) <= explore(name).height


def luminance(color):
    color = np.asarray(color) / 255.0
    linear = np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


COLORS = """() => {
    const rgba = css => {
        const canvas = document.createElement("canvas").getContext("2d");
        canvas.fillStyle = css;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const style = getComputedStyle(document.documentElement);
    const named = name => rgba(style.getPropertyValue(name));
    const page = rgba(getComputedStyle(document.body).backgroundColor);
    const text = [];
    for (const element of document.querySelectorAll("main *")) {
        const own = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
        if (!own || !element.checkVisibility()) continue;
        const css = getComputedStyle(element);
        const button = element.closest("button");
        const under = button ? rgba(getComputedStyle(button).backgroundColor) : page;
        const color = rgba(element.closest("svg") ? css.fill : css.color);
        text.push([element.textContent, color, under[3] ? under : page]);
    }
    const shaded = [
        ["--answer-text", "--penalty", 0.18], ["--quiet", "--penalty", 0.18],
        ["--answer-text", "--answer", 0.13], ["--quiet", "--answer", 0.13],
        ["--data-text", "--answer", 0.14], ["--ink", "--penalty", 0.45], ["--ink", "--answer", 0.45],
    ].map(([text, over, share]) => [named(text), named(over), share]);
    return { page, text, shaded, lines: ["--data", "--penalty", "--answer", "--quiet"].map(named) };
}"""


@every_scene
def test_text_and_lines_have_contrast_by_day_and_by_night(opened, name, scene):
    # WCAG 2.2, AA: 4.5 for text, on whatever shade it stands, and 3 for the lines of the pictures.
    with opened(name) as page:
        go_to(page, name, scene)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            check_contrast(page.evaluate(COLORS), scheme)


def check_contrast(colors, scheme):
    page_color = np.array(colors["page"][:3])
    assert (luminance(page_color) < 0.05) == (scheme == "dark")
    assert len(colors["text"]) > 20
    for words, color, under in colors["text"]:
        assert contrast(color[:3], under[:3]) >= 4.5, words
    for text, over, share in colors["shaded"]:
        shade = share * np.array(over[:3]) + (1.0 - share) * page_color
        assert contrast(text[:3], shade) >= 4.5, (text, over, share)
    for line in colors["lines"]:
        assert contrast(line[:3], page_color) >= 3.0


@every_page
def test_what_is_clicked_is_large_enough_for_a_finger(opened, name):
    with opened(name, width=360) as page:
        for selector in (
            "button:visible",
            "input[type=range]:visible",
            "input[type=number]:visible",
            ".choice:visible",
        ):
            for box in (each.bounding_box() for each in page.locator(selector).all()):
                assert box["height"] >= 24 and box["width"] >= 24


@every_page
def test_nothing_moves_by_itself(opened, name):
    with opened(name) as page:
        page.locator("input[type=range]:visible").first.focus()
        page.keyboard.press("ArrowRight")
        assert page.evaluate("document.getAnimations().length") == 0
