"""A model of settings that never changes, and whose errors name fields and rules but never a value."""

import re
from typing import Any, NoReturn, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from validation.redact import MASK


class CheckedModel(BaseModel):
    """Fields that are checked strictly: no unknown names, and numbers only from numbers or plain digits."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @model_validator(mode="wrap")
    @classmethod
    def _forget_inputs(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Hide the values in `ValidationError.errors()`. In error texts, the model's own setting hides them."""
        try:
            return handler(data)
        except ValidationError as error:
            number = PydanticCustomError("not_a_number", "must be a number")
            lines = [
                InitErrorDetails(
                    type=number if line["type"] == number.type else str(line["type"]),
                    loc=line["loc"],
                    input=MASK,
                    ctx=line.get("ctx", {}),
                )
                for line in error.errors(include_url=False, include_input=False)
            ]
            raise ValidationError.from_exception_data(error.title, lines, hide_input=True) from None

    @field_validator("*", mode="before")
    @classmethod
    def _plain_number(cls, value: object, info: ValidationInfo) -> object:
        """Accept a number, or a text of plain digits. `True` is not 1, and " 7" is not 7."""
        if cls.model_fields[str(info.field_name)].annotation not in (int, float):
            return value
        digits = isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?", value)
        if isinstance(value, bool) or not (digits or isinstance(value, int | float)):
            raise PydanticCustomError("not_a_number", "must be a number")
        return value

    def __reduce__(self) -> NoReturn:
        """Raise, because a pickle would contain the secrets in plain text."""
        raise TypeError("settings hold secrets and can't be pickled")
