"""The settings of pictures, and the earlier name of one: it is read on, with its values in the words of the present name."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from validation import values
from validation.checked import CheckedModel

_SWITCH = TypeAdapter(bool)
# By the earlier name, that of a switch: the present name, and what it says for on and off.
EARLIER: Mapping[str, tuple[str, str, str]] = {"poster_padding": ("poster_shape", "bars", "as_is")}


def present_names(settings: Mapping[str, object]) -> dict[str, object]:
    """The settings by their present names. If both names are there, the present one counts."""
    earlier = {name: value for name, value in settings.items() if name in EARLIER}
    renamed = {EARLIER[name][0]: _present_value(name, value) for name, value in earlier.items()}
    return renamed | {name: value for name, value in settings.items() if name not in earlier}


def _present_value(name: str, value: object) -> object:
    """The value in present words; as it is if it can't be read, so that the rule of the present name refuses it."""
    _, on, off = EARLIER[name]
    try:
        return on if _SWITCH.validate_python(value) else off
    except ValidationError:
        return value


def is_read(name: str, value: object) -> bool:
    """Whether an earlier name can have this value."""
    return _present_value(name, value) in EARLIER[name][1:]


def earlier_names(names: Iterable[str]) -> list[str]:
    """The earlier names of these settings."""
    return [earlier for earlier, (present, _, _) in EARLIER.items() if present in names]


def earlier_name_line(name: str) -> str:
    """What to write instead of an earlier name."""
    present, on, off = EARLIER[name]
    return f'{name} has a new name and is read as such: write {present} = "{on}" for true, or "{off}" for false'


class PictureSettings(CheckedModel):
    """The settings of posters and backgrounds. `PlexSyncConfig` has them with all others."""

    poster: Annotated[str, BeforeValidator(values.picture_sources)] = Field(default="cover")
    """Source of the poster: none, or any of cover (of the scene), gallery (the cover of a gallery of the scene), studio and
    group (their pictures), separated by commas, or a list: the first that exists is shown. Default cover."""

    background: Annotated[str, BeforeValidator(values.picture_sources)] = Field(default="none")
    """Source of the background, as for poster: none, or any of cover, gallery, studio and group. Default none."""

    poster_shape: Literal["as_is", "bars", "crop", "blur"] = Field(default="as_is")
    """What becomes of a picture that does not have the shape of a poster: as_is (Plex shows a part of it), bars, crop (cut
    to that shape) or blur (the whole picture on a blurred copy of itself). Default as_is."""

    poster_anchor: Literal["centre", "top", "left", "right"] = Field(default="centre")
    """The part of a picture that poster_shape crop keeps: centre, left or right (of a wide one, such as right for the front
    of a whole cover), or top (of a high one). Default centre."""

    poster_logo: Literal["off", "top_left", "top_right", "bottom_left", "bottom_right"] = Field(default="off")
    """Draw the logo of the studio over the poster, in this corner: off, top_left, top_right, bottom_left or bottom_right,
    default off."""


NAMES = tuple(PictureSettings.model_fields)
