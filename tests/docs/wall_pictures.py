"""The pictures of the looks: one library as a wall of posters, with `look = "plain"` and with `look = "rich"`.

Before them, covers in every shape of poster.
"""

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Browser

from plexsync.cli.commands.demo_stage import wall_of
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_server import StashSim
from plexsync.simulator.wall import Wall
from tests.journey.world import KEY, TOKEN, World
from tests.patience import until
from tests.web.conftest import dashboard as opened_dashboard
from validation.looks import LOOKS

SCENES = 60
PEOPLE = ("Ann Vale", "Ben Okoro", "Carla Ruiz", "Dan Weiss", "Eve Lind")
TITLES = ("Harbour", "Winter", "Paper", "Low Tide", "Orange", "Echo", "Glass", "Night Shift", "Signal", "Letters")
PLACES = ("North", "Road", "Garden", "House", "Season", "Mile")
# Name, what Stash says of it, its colours.
STUDIOS = (
    ("Northlight", "Films from the far north, made with little light and less money.", (24, 54, 92), (130, 180, 220)),
    ("Blue Door", "A small studio behind a blue door, known for interviews.", (20, 70, 140), (90, 160, 240)),
    ("Field & Sons", "Three generations of nature films.", (40, 84, 40), (150, 190, 90)),
    ("Lantern", "Documentaries that take their time.", (110, 60, 16), (240, 170, 70)),
    ("Paper Moon", "Animation, cut and folded by hand.", (84, 36, 96), (220, 150, 220)),
)
SERIES = (
    ("The Long Way Home", "Ten people walk home, each from another country.", (120, 30, 30), (240, 140, 90)),
    ("Seven Harbours", "One harbour for each sea.", (10, 84, 96), (120, 210, 200)),
    ("Letters from the House", "What was found in the walls.", (70, 60, 40), (210, 190, 140)),
)
Colour = tuple[int, int, int]


def shapes_picture(browser: Browser, folder: Path) -> Iterator[tuple[str, str]]:
    """Take the picture of the shapes into this folder; yields its file and what it shows."""
    with PlexSim(token=TOKEN) as plex, wall_of(plex) as wall:
        shoot(browser, f"{wall.url}/now/shapes", folder / "wall-shapes.png")
        yield "wall-shapes.png", "A wide, a square and a high cover in every `poster_shape`."


def wall_pictures(browser: Browser, folder: Path) -> Iterator[tuple[str, str]]:
    """Take the pictures into this folder; yields each file and what it shows."""
    yield from shapes_picture(browser, folder)
    with tempfile.TemporaryDirectory(prefix="plexsync-walls-") as place, StashSim(api_key=KEY) as stash:
        with PlexSim(token=TOKEN) as plex, Wall(plex) as wall:
            data = Path(place) / "data"
            data.mkdir(mode=0o700)
            world = World(stash, plex, data, unset=("poster",))
            world.section = plex.add_section("Movies", locations=("/media/scenes",))
            furnish(world)
            for look, words in (("plain", "as Plex makes them"), ("rich", "dressed from Stash")):
                world.settings["look"] = look
                world.run("sync", "--all", "--wait")
                name = f"wall-{look}.png"
                shoot(browser, f"{wall.url}/wall", folder / name)
                yield name, f'Collections with `look = "{look}"`: {words}.'
            key = plex.collection_keys(world.section)[SERIES[0][0]]
            shoot(browser, f"{wall.url}/now/{key}", folder / "wall-collection.png")
            yield (
                "wall-collection.png",
                'A collection with `look = "rich"`: poster, background, summary, and items in order.',
            )
            world.plex.hand_edit(key, summary="My own words about it.", locked=True)
            ((id,),) = world.rows(f"select id from collection where item = '{key}'")
            for name, path, words in (
                ("wall-dressed", "/collections", "The collections that PlexSync dresses, and how they stand."),
                ("wall-parts", f"/collections/{id}", "A collection part by part: one was edited in Plex."),
            ):
                with opened_dashboard(world, **LOOKS["rich"]) as dash:
                    shoot(browser, f"{dash.url}{path}", folder / f"{name}.png")
                yield f"{name}.png", words


def furnish(world: World) -> None:
    """A library whose studios and groups have pictures and texts in Stash. Plex knows the files only."""
    for number in range(SCENES):
        title = f"{TITLES[number % len(TITLES)]} {PLACES[number // len(TITLES)]}"
        path = f"/media/scenes/{number:03} {title.lower()}.mp4"
        world.plex.add_movie(world.section, files=[(path, 1000 + number, 60_000)], title=path.rpartition("/")[2][:-4])
        studio = STUDIOS[number % len(STUDIOS)]
        group = SERIES[number // 5 % len(SERIES)][0] if number % 2 else None
        world.stash.add_scene(
            title=title,
            details=f"{title}, as told by those who were there.",
            date=f"20{10 + number % 15}-{1 + number % 12:02}-{1 + number % 28:02}",
            studio=studio[0],
            performers=[PEOPLE[number % len(PEOPLE)], PEOPLE[(number + 2) % len(PEOPLE)]],
            groups=[(group, SCENES - number)] if group else [],
            cover=drawn(title, studio[2], studio[3], (800, 450)),
            files=[(path, 1000 + number, 60.0)],
        )
    for name, details, dark, light in STUDIOS:
        world.stash.edit_object("studio", name, details=details, image=drawn(name, dark, light, (600, 600), plate=True))
    for name, synopsis, dark, light in SERIES:
        front, back = drawn(name, dark, light, (600, 900), plate=True), drawn("", light, dark, (1280, 720))
        world.stash.edit_object("group", name, synopsis=synopsis, front_image=front, back_image=back)


def drawn(words: str, dark: Colour, light: Colour, size: tuple[int, int], *, plate: bool = False) -> bytes:
    """A picture with these words, from one colour to another; with a plate behind the words for what is a logo."""
    width, height = size
    shade = Image.linear_gradient("L").resize(size)
    picture = Image.composite(Image.new("RGB", size, light), Image.new("RGB", size, dark), shade)
    pen = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size=min(width, height) // 9)
    lines = "\n".join(words.split(" "))
    if plate:
        pen.rectangle((width * 0.06, height * 0.3, width * 0.94, height * 0.7), fill=dark, outline=light, width=6)
    pen.multiline_text((width / 2, height / 2), lines, font=font, fill=(255, 255, 255), anchor="mm", align="center")
    made = io.BytesIO()
    picture.save(made, "JPEG", quality=85)
    return made.getvalue()


def shoot(browser: Browser, url: str, file: Path) -> None:
    """Take the picture of a page once all its pictures are there."""
    page = browser.new_page(viewport={"width": 1280, "height": 560}, color_scheme="dark")
    page.goto(url)
    until(lambda: page.evaluate("[...document.images].every(image => image.complete)"))
    taken = Image.open(io.BytesIO(page.screenshot(full_page=True)))
    page.close()
    taken.convert("RGB").quantize(colors=160, dither=Image.Dither.NONE).save(file, optimize=True)
