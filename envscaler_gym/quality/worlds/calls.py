"""Arguments for calls that are tried: most fit together and fit the state, some are odd in one place, some in all."""

from __future__ import annotations

import datetime
import random
import re
from collections.abc import Mapping, Sequence

from envscaler_gym.bundle import Bundle
from envscaler_gym.errors import shorten
from envscaler_gym.quality.worlds.memory import Memory, variants
from envscaler_gym.quality.worlds.tool_sources import tool_sources
from envscaler_gym.tools import InvalidArguments, Tool
from envscaler_gym.types import JSON

__all__ = ["CallMaker"]

_QUOTED = re.compile(r"""["'`]([^"'`\n]{1,40})["'`]""")
_DATE = re.compile(r"date|day\b|_on$|YYYY-MM-DD|deadline|birth", re.IGNORECASE)
_TIME = re.compile(r"time|_at$|ISO.?8601|timestamp|hour", re.IGNORECASE)
_WORDS = ("amber", "Note to self", "north side", "x", "river 12", "Maple & Sons")
_ODD_TEXTS = ("", " ", "none", "UNKNOWN-0", "0", "é漢🙂", "'; --", "a" * 500, "2024-02-30", "None", "a\a")
_ODD_NUMBERS = (0, -1, 1, 2, 10**9, -(10**6), 10**30, 10**90)
_PLAIN, _ODD_ONE = 0.65, 0.22  # shares of calls that fit, and that are odd in one place; the rest is odd in some


class CallMaker:
    """Makes arguments for the tools of a bundle.

    Args:
        bundle: The bundle.
        rng: Random source; all draws come from it.
    """

    def __init__(self, bundle: Bundle, rng: random.Random) -> None:
        self._tools = bundle.tools
        self._sources = tool_sources(bundle)
        self._rng = rng

    def arguments(self, name: str, memory: Memory) -> dict[str, JSON] | None:
        """Draw arguments that a tool's validation lets through; ``None`` where it lets none of several through.

        Args:
            name: The tool.
            memory: What the episode has seen.
        """
        tool, rng = self._tools[name], self._rng
        source = self._sources[name]
        for _ in range(8):
            draw = _Draw(tool, (source.texts, source.numbers), memory, rng)
            successes = memory.known.successes.get(name)
            drawn = draw.varied(rng.choice(successes)) if successes and rng.random() < 0.25 else draw.all()
            try:
                return tool.validate(drawn)
            except InvalidArguments:  # a schema says less than the validation: of large numbers, for one
                continue
        return None

    def complaint(self, name: str, memory: Memory) -> str:
        """Validate arguments that should not fit, and say what the validation does wrong; ``""`` if nothing."""
        tool, rng = self._tools[name], self._rng
        arguments = dict(self.arguments(name, memory) or {})
        odd: JSON = rng.choice([None, {}, [], [[]], "text", 1.5, -1, True, {"a": [None]}, 10**200, "\ud800"])
        place = rng.choice([*arguments, "no_such_parameter"])
        arguments[place] = odd
        try:
            tool.validate(arguments)
        except InvalidArguments:
            return ""
        except Exception as error:
            return f"validation raises {type(error).__name__} for {place}={shorten(odd)} instead of InvalidArguments"
        return ""


class _Draw:
    """One set of arguments in the making."""

    def __init__(
        self, tool: Tool, constants: tuple[Sequence[str], Sequence[float]], memory: Memory, rng: random.Random
    ) -> None:
        self._schema = tool.spec.parameters
        self._texts, self._numbers = constants
        self._memory = memory
        self._rng = rng
        self._view = memory.view(list(self._schema["properties"]), rng)
        mood = rng.random()
        self._odd_all = mood > _PLAIN + _ODD_ONE
        names = list(self._schema["properties"])
        self._odd = rng.choice(names) if names and _PLAIN < mood <= _PLAIN + _ODD_ONE else None

    def all(self) -> dict[str, JSON]:
        """Draw every argument."""
        return self._object(self._schema)

    def varied(self, known: Mapping[str, JSON]) -> dict[str, JSON]:
        """Return arguments that have succeeded once, mostly with one of them drawn anew."""
        drawn = dict(known)
        names = list(self._schema["properties"])
        if names and self._rng.random() < 0.75:
            name = self._rng.choice(names)
            drawn[name] = self._value(self._schema["properties"][name], name, odd=self._rng.random() < 0.3)
        return drawn

    def _object(self, schema: Mapping[str, JSON]) -> dict[str, JSON]:
        required = schema.get("required", ())
        share = self._rng.choice((0.0, 0.3, 0.6, 1.0))
        return {
            name: self._value(inner, name, odd=name == self._odd or (self._odd_all and self._rng.random() < 0.4))
            for name, inner in schema["properties"].items()
            if name in required or self._rng.random() < share
        }

    def _value(self, schema: Mapping[str, JSON], name: str, *, odd: bool) -> JSON:
        rng = self._rng
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            held = self._held(name)
            return held if held in schema["enum"] and rng.random() < 0.4 else rng.choice(schema["enum"])
        if "anyOf" in schema:
            options = [option for option in schema["anyOf"] if option.get("type") != "null"]
            if not options or (len(options) < len(schema["anyOf"]) and rng.random() < 0.07):
                return None
            return self._value(rng.choice(options), name, odd=odd)
        match schema.get("type"):
            case "array":
                return self._array(schema.get("items", {}), name, odd)
            case "object":
                return self._object(schema) if schema.get("properties") else self._open_object(schema, odd)
            case "boolean":
                return rng.random() < 0.5
            case "null":
                return None
            case "integer" | "number" as kind:
                return self._number(name, kind == "integer", odd)
            case "string":
                return self._text(schema, name, odd)
            case _:
                return self._anything(schema, name, odd)

    def _anything(self, schema: Mapping[str, JSON], name: str, odd: bool) -> JSON:
        held = self._held(name)
        if held is not None and not odd:
            return held
        match self._rng.randrange(8):
            case 0:
                return self._number(name, True, odd)
            case 1:
                return self._number(name, False, odd)
            case 2:
                return self._array({"type": "string"}, name, odd)
            case 3:
                return self._open_object(schema, odd)
            case 4:
                return self._rng.choice((None, True, False))
            case _:
                return self._text(schema, name, odd)

    def _array(self, items: Mapping[str, JSON], name: str, odd: bool) -> list[JSON]:
        rng = self._rng
        length = rng.choice((0, 0, 1, 2, 2, 3, 5)) if odd else rng.choice((1, 1, 2, 3))
        drawn = [self._value(items, name, odd=odd and rng.random() < 0.5) for _ in range(length)]
        return [*drawn, drawn[0]] if odd and drawn and rng.random() < 0.3 else drawn

    def _open_object(self, schema: Mapping[str, JSON], odd: bool) -> dict[str, JSON]:
        """Draw an object of no particular form: some fields of a record, as an update of it would have them."""
        rng = self._rng
        inner = schema.get("additionalProperties")
        fields = self._memory.record_like(self._view, rng)
        names = [*fields] if fields and not odd else [*fields, *self._texts, "no_such_field"]
        chosen = rng.sample(names, min(len(names), rng.choice((1, 1, 2, 3)))) if rng.random() < 0.95 else []
        if isinstance(inner, Mapping) and inner:
            return {field: self._value(inner, field, odd=odd) for field in chosen}
        return {field: self._like(fields.get(field), field, odd) for field in chosen}

    def _like(self, value: JSON, name: str, odd: bool) -> JSON:
        """Draw a value of the kind of another."""
        if isinstance(value, bool):
            return not value
        if isinstance(value, int | float):
            return self._number(name, isinstance(value, int), odd)
        if isinstance(value, str) and not odd:
            return self._text({}, name, odd)
        return value if not odd else self._anything({}, name, odd)

    def _held(self, name: str) -> JSON:
        """Return the value that a parameter's name refers to in the view; ``None`` where there is none."""
        for variant in variants(name):
            if variant in self._view:
                return self._view[variant]
        return None

    def _number(self, name: str, whole: bool, odd: bool) -> JSON:
        rng = self._rng
        if odd:
            near = [number + step for number in self._numbers for step in (-1, 0, 1)]
            drawn = rng.choice([*near, *_ODD_NUMBERS])
            return int(drawn) if whole else float(drawn) if abs(drawn) < 1e300 else 0.0
        held = self._held(name)
        known = [held] if _is_number(held) else [v for v in self._memory.candidates(name, rng) if _is_number(v)]
        known = known if known and rng.random() < 0.6 else [v for v in self._numbers if 0 < v < 1000]
        if known and rng.random() < 0.7:
            base = rng.choice(known)
            drawn = rng.choice((base, base, base, base + 1, base - 1, base * 2, base / 2))
            return int(drawn) if whole else round(float(drawn), 2)
        return rng.randint(1, 12) if whole else round(rng.uniform(0.5, 100), 2)

    def _text(self, schema: Mapping[str, JSON], name: str, odd: bool) -> str:
        rng, memory = self._rng, self._memory
        held = self._held(name)
        if odd:
            base = held if isinstance(held, str) else memory.string(rng) or "x"
            return rng.choice(
                (*_ODD_TEXTS, base + "x", base.lower(), base.upper(), base[:-1], f" {base} ", f"{base} {base}")
            )
        if isinstance(held, str) and rng.random() < 0.6:
            return held
        known = [value for value in memory.candidates(name, rng) if isinstance(value, str)]
        if known and rng.random() < 0.75:
            return rng.choice(known)
        hint = f"{name} {schema.get('description', '')}"
        if rng.random() < 0.6 and (moment := self._moment(hint, name)):
            return moment
        quoted = _QUOTED.findall(hint)
        if quoted and rng.random() < 0.5:
            return str(rng.choice(quoted))
        if self._texts and rng.random() < 0.3:
            return rng.choice(self._texts)
        if "email" in name and rng.random() < 0.8:
            return f"{rng.choice(('ada', 'kim', 'lee'))}{rng.randrange(99)}@example.org"
        if rng.random() < 0.4 and (found := memory.string(rng)):
            word = found.split(" ")[0]
            return rng.choice((found, word, found[: max(1, len(found) // 2)]))
        return rng.choice(_WORDS)

    def _moment(self, hint: str, name: str) -> str:
        """Draw a day or a time near the episode's clock, where a parameter seems to be one; otherwise ``""``."""
        rng = self._rng
        now = datetime.datetime.fromisoformat(self._memory.clock)
        moment = now + datetime.timedelta(days=rng.choice((-400, -30, -7, -1, 0, 1, 2, 7, 30, 400)))
        if _TIME.search(hint) and not name.endswith("date"):
            if "HH:MM" in hint or (re.search(r"_time$|hour", name) and rng.random() < 0.3):
                return moment.strftime("%H:%M")
            moment += datetime.timedelta(minutes=rng.choice((-600, -45, 0, 30, 120)))
            return moment.isoformat(timespec="seconds") + rng.choice(("", "", "Z", "+00:00"))
        return moment.date().isoformat() if _DATE.search(hint) else ""


def _is_number(value: JSON) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
