"""The explorers by keyboard and by screen reader, on a telephone and at night."""

import numpy as np
import pytest
from browsing import NAMES, SCENES, go_to

from skreg import explore

every_page = pytest.mark.parametrize("name", NAMES)
every_scene = pytest.mark.parametrize(
    ("name", "scene"), [(name, scene) for name in NAMES for scene in SCENES[name]]
)


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
