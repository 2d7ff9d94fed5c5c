"""Values of a JSON object from anybody, each checked before it is used."""

import re
from typing import Any

from data.io.safe_json import is_number, is_string_map, refused_error, show_value

MAX_TEXT = 2000  # characters of a text; a param may be a long list
MAX_LIST = 10_000


class Fields:
    """Values of a JSON object by name, each checked to be of the type that is asked for.

    Attributes:
        values: The object.
        place: Where it stands, for messages.
    """

    def __init__(self, values: object, place: str) -> None:
        if not isinstance(values, dict):
            raise refused_error("An entry must be an object", show_value(values), place)
        self.values, self.place = values, place

    def _refuse(self, name: str, rule: str) -> Exception:
        return refused_error(
            f"{name} must be {rule}", show_value(self.values.get(name)), self.place
        )

    def object(self, name: str) -> dict[str, Any]:
        """Return an object; raise RefusedError for anything else."""
        if not isinstance(value := self.values.get(name), dict):
            raise self._refuse(name, "an object")
        return value

    def list(self, name: str) -> list[Any]:
        """Return a list; raise RefusedError for anything else."""
        value = self.values.get(name)
        if not isinstance(value, list) or len(value) > MAX_LIST:
            raise self._refuse(name, f"a list of at most {MAX_LIST:,}")
        return value

    def texts(self, name: str) -> dict[str, str]:
        """Return an object of printable texts; raise RefusedError for anything else."""
        value: Any = self.values.get(name)
        if not is_string_map(value) or any(map(is_unprintable, [*value, *value.values()])):
            raise self._refuse(name, f"printable texts of at most {MAX_TEXT:,} characters")
        return dict(value)

    def text(self, name: str) -> str:
        """Return a printable text that is not empty; raise RefusedError for anything else."""
        if (
            not isinstance(value := self.values.get(name), str)
            or not value
            or is_unprintable(value)
        ):
            raise self._refuse(name, f"a printable text of at most {MAX_TEXT:,} characters")
        return value

    def match(self, name: str, pattern: re.Pattern[str], rule: str) -> str:
        """Return a text of this form; raise RefusedError for anything else."""
        if not isinstance(value := self.values.get(name), str) or not pattern.fullmatch(value):
            raise self._refuse(name, rule)
        return value

    def number(
        self,
        name: str,
        low: float,
        high: float,
        *,
        whole: bool = False,
        default: float | None = None,
    ) -> float:
        """Return a number from *low* to *high*; raise RefusedError for anything else."""
        value: Any = self.values.get(name, default)
        if not is_number(value, low, high, whole=whole):
            kind = "a whole number" if whole else "a number"
            raise self._refuse(name, f"{kind} from {low:g} to {high:g}")
        return float(value)


def is_unprintable(text: str) -> bool:
    """Return whether a text is too long or has a control character."""
    return len(text) > MAX_TEXT or not text.isprintable()
