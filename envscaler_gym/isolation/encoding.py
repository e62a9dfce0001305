"""States and arguments as bytes: JSON, with tags for what JSON lacks.

What a worker sends is never trusted, so the encoding is data only, and JSON rather than something denser: keys are
always text, and the memory that a document will take can be bounded by counting its brackets and commas before it
is decoded. A value that JSON lacks is written as ``{"$": [tag, payload]}``; so is a dict that has the key ``"$"``
itself. Documents without tags, the usual case, are decoded without looking at each value.
"""

from __future__ import annotations

import base64
import collections
import datetime
import decimal
import enum
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from envscaler_gym.errors import shorten

__all__ = [
    "MAX_DEPTH",
    "DateTypes",
    "DecodingError",
    "NotDataError",
    "TooLargeError",
    "decode",
    "decode_trusted",
    "encode",
    "encode_calls",
    "encode_lossy",
]

MAX_DEPTH = 100
"""Deepest nesting of a decoded value; the functions that walk states recursively stay far from Python's own limit."""

_TAG = "$"
_MARK = b'"$":'
_ITEM_BYTES, _CONTAINER_BYTES = 80, 140  # what an entry and a container may take in CPython, generously
_COLLISIONS = 64  # keys of equal hash that a container may hold; honest ones share theirs with one or two others
_MAX_INT_DIGITS = 3500  # hexadecimal; Python refuses to print ints of more than 4,300 decimal digits
_SAFE = frozenset({str, bool, type(None)})
_FACTORIES: dict[str, Callable[[], Any] | None] = {
    "none": None, "list": list, "dict": dict, "set": set, "int": int, "float": float, "str": str, "bool": bool,
}  # fmt: skip
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder()


class NotDataError(Exception):
    """A value cannot be written as data."""


class DecodingError(Exception):
    """Bytes are not a value that :func:`encode` writes."""


class TooLargeError(Exception):
    """A value would take too much memory, or nests too deep."""


class DateTypes(NamedTuple):
    """The classes that dates are decoded to."""

    date: type[datetime.date] = datetime.date
    datetime: type[datetime.datetime] = datetime.datetime


def encode(value: Any) -> bytes:
    """Encode a value so that decoding returns an equal one of equal types.

    A list or dict that the value holds in two places is held in two places by the decoded value as well, also inside
    itself.

    Raises:
        NotDataError: It holds something that is not data, or nests too deep.
    """
    return _encode(value, _Tagger())


def encode_calls(calls: Sequence[tuple[str, dict[str, Any]]]) -> bytes:
    """Encode a list of tool names and arguments, as :func:`encode` would, and faster where arguments are flat.

    Raises:
        NotDataError: An argument is not data, or nests too deep.
    """
    pairs = [[name, arguments] for name, arguments in calls]
    for _, arguments in calls:
        for value in arguments.values():
            if type(value) not in _SAFE and (type(value) is not int or not -(1 << 63) <= value < 1 << 64):
                return encode(pairs)
    try:
        data = _ENCODER.encode(pairs)
    except (TypeError, UnicodeEncodeError):  # a key that is not text, or a lone surrogate
        return encode(pairs)
    return encode(pairs) if _MARK in data else data


def encode_lossy(value: Any) -> tuple[bytes, bool]:
    """Encode a value, and what is not data in it as its nearest relative.

    Enumeration members are written as their values, other mappings as dicts, and anything else as ``str(value)``.

    Returns:
        The bytes, and whether something was replaced.

    Raises:
        NotDataError: It holds a cycle or nests too deep.
    """
    tagger = _Tagger(lossy=True)
    return _encode(value, tagger), tagger.replaced


def _encode(value: Any, tagger: _Tagger) -> bytes:
    try:
        tagged = tagger.tag(value)
        try:
            return _ENCODER.encode(tagged)
        except UnicodeEncodeError:  # lone surrogates
            careful = _Tagger(lossy=tagger.lossy, text_is_safe=False)
            return _ENCODER.encode(careful.tag(value))
    except RecursionError:
        raise NotDataError("a value holds itself or nests too deep") from None


class _Tagger:
    """Replaces what JSON lacks by tags, in a copy."""

    def __init__(self, *, lossy: bool = False, text_is_safe: bool = True) -> None:
        self.lossy = lossy
        self.replaced = False
        self.text_is_safe = text_is_safe
        self._numbers: dict[int, int] = {}  # of the lists and dicts met so far, by identity

    def tag(self, value: Any) -> Any:
        kind = type(value)
        if kind is str:
            return value if self.text_is_safe else self._text(value)
        if kind is bool or value is None:
            return value
        if kind is int:
            return value if -(1 << 63) <= value < 1 << 64 else self._big_int(value)
        if kind is float:
            return value if value - value == 0 else {_TAG: ["float", repr(value)]}
        if kind is dict or kind is list:
            if not self.lossy:
                number = self._numbers.get(id(value))
                if number is not None:
                    return {_TAG: ["again", number]}
                self._numbers[id(value)] = len(self._numbers)
            return self._dict(value) if kind is dict else self._items(value)
        return self._other(value, kind)

    def _big_int(self, value: int) -> Any:
        if value.bit_length() > 4 * _MAX_INT_DIGITS:
            raise NotDataError(f"an int of {value.bit_length()} bits is more than Python prints")
        return {_TAG: ["int", hex(value)]}

    def _dict(self, value: dict[Any, Any]) -> Any:
        if not self.text_is_safe or _TAG in value or not all(type(key) is str for key in value):
            return {_TAG: ["dict", self._pairs(value)]}
        tag = self.tag
        return {k: v if type(v) in _SAFE and self.text_is_safe else tag(v) for k, v in value.items()}

    def _items(self, values: Iterable[Any]) -> list[Any]:
        tag = self.tag
        return [v if type(v) in _SAFE and self.text_is_safe else tag(v) for v in values]

    def _pairs(self, value: Mapping[Any, Any]) -> list[Any]:
        return [[self.tag(k), self.tag(v)] for k, v in value.items()]

    def _text(self, value: str) -> Any:
        try:
            value.encode()
        except UnicodeEncodeError:
            return {_TAG: ["text", base64.b64encode(value.encode("utf-8", "surrogatepass")).decode()]}
        return value

    def _other(self, value: Any, kind: type[Any]) -> Any:
        if kind is tuple or kind is set or kind is frozenset:
            return {_TAG: [kind.__name__, self._items(value)]}
        if isinstance(value, datetime.datetime | datetime.time) and not isinstance(
            value.tzinfo, datetime.timezone | None
        ):
            if not self.lossy:
                raise NotDataError(f"{shorten(value)} has a time zone of rules, which is not data")
            self.replaced = True  # by its offset
        if isinstance(value, datetime.datetime):
            return {_TAG: ["datetime", [_naive(value).isoformat(), _offset(value), value.fold]]}
        if isinstance(value, datetime.date):
            return {_TAG: ["date", value.isoformat()]}
        if kind is datetime.time:
            return {_TAG: ["time", [_naive(value).isoformat(), _offset(value), value.fold]]}
        if kind is datetime.timedelta:
            return {_TAG: ["timedelta", [value.days, value.seconds, value.microseconds]]}
        if kind is bytes or kind is bytearray:
            return {_TAG: [kind.__name__, base64.b64encode(value).decode()]}
        if kind is decimal.Decimal or kind is uuid.UUID:
            return {_TAG: [kind.__name__, str(value)]}
        if kind is collections.defaultdict:
            for name, factory in _FACTORIES.items():
                if value.default_factory is factory:
                    return {_TAG: ["defaultdict", [name, self._pairs(value)]]}
        if kind is collections.OrderedDict or kind is collections.Counter:
            return {_TAG: [kind.__name__, self._pairs(value)]}
        if kind is collections.deque:
            return {_TAG: ["deque", [value.maxlen, self._items(value)]]}
        return self._replace(value)

    def _replace(self, value: Any) -> Any:
        if not self.lossy:
            raise NotDataError(f"{shorten(value)} is of type {type(value).__name__}, which is not data")
        self.replaced = True
        if isinstance(value, enum.Enum):
            return self.tag(value.value)
        if isinstance(value, str):
            return self.tag(str.__str__(value))
        if isinstance(value, int):
            return self.tag(int(value))
        if isinstance(value, float):
            return self.tag(float(value))
        if isinstance(value, Mapping):
            return self._dict(dict(value))
        if isinstance(value, list | tuple | set | frozenset):
            return self._items(value)
        try:
            return self._text(str(value))
        except Exception as error:
            return f"<{type(value).__name__} whose str raised {type(error).__name__}>"


def _naive(value: Any) -> Any:
    real = datetime.datetime if isinstance(value, datetime.datetime) else datetime.time
    parts = [getattr(value, name) for name in ("hour", "minute", "second", "microsecond")]
    return real(value.year, value.month, value.day, *parts) if real is datetime.datetime else real(*parts)


def _offset(value: Any) -> float | None:
    offset = value.utcoffset()
    return None if offset is None else offset.total_seconds()


def decode(data: bytes, budget: int, *, shared: bool = False) -> Any:
    """Decode what :func:`encode` or :func:`encode_lossy` wrote; other bytes are refused before they can do harm.

    Args:
        data: The bytes, trusted in nothing.
        budget: Memory in bytes that the value may take, roughly.
        shared: Whether it may hold lists and dicts in several places. Little data of that kind can stand for a value
            that is endless when it is written out, so it is only for values that are encoded again as they are.

    Raises:
        TooLargeError: It would take more than ``budget``, or nests deeper than :data:`MAX_DEPTH`.
        DecodingError: The bytes are malformed.
    """
    containers = data.count(b"{") + data.count(b"[")
    estimate = containers * _CONTAINER_BYTES + (data.count(b",") + containers) * _ITEM_BYTES + len(data)
    if estimate > budget:
        raise TooLargeError(f"would take about {estimate >> 20} MiB in memory, at most {budget >> 20} MiB are allowed")
    try:
        value = _DECODER.decode(data)
        if containers > MAX_DEPTH:
            _check_depth(value)
        return _Untagger(DateTypes(), shared).untag(value) if _MARK in data else value
    except TooLargeError:
        raise
    except RecursionError:
        raise TooLargeError(f"nests deeper than {MAX_DEPTH} levels") from None
    except Exception as error:  # whatever a decoder or a constructor says of bytes that no encoder wrote
        raise DecodingError(f"{type(error).__name__}: {shorten(str(error), 200)}") from None


def decode_trusted(data: bytes, dates: DateTypes) -> Any:
    """Decode what :func:`encode` wrote, in a worker, which trusts its host and is limited by the kernel.

    Args:
        data: The bytes.
        dates: Classes for dates.
    """
    value = _DECODER.decode(data)
    return _Untagger(dates, shared=True).untag(value) if _MARK in data else value


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for parent in level
            for child in (parent.values() if type(parent) is dict else parent if type(parent) is list else ())
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return
    raise TooLargeError(f"nests deeper than {MAX_DEPTH} levels")


class _Untagger:
    """Puts values in the place of tags."""

    def __init__(self, dates: DateTypes, shared: bool) -> None:
        self.dates = dates
        self.shared = shared
        self._made: list[Any] = []  # lists and dicts in the order of the tagger's numbers

    def untag(self, value: Any) -> Any:
        if type(value) is list:
            made: list[Any] = []
            self._made.append(made)  # before what it holds, as the tagger numbers them
            made += self._items(value)
            return made
        if type(value) is not dict:
            return value
        if _TAG not in value:
            record: dict[str, Any] = {}
            self._made.append(record)
            record.update({k: v if type(v) in _SAFE else self.untag(v) for k, v in value.items()})
            return record
        if len(value) != 1:
            raise ValueError("a tag beside other keys")
        tag, payload = value[_TAG]
        return getattr(self, "_" + _TAGS[tag])(tag, payload)

    def _again(self, tag: str, payload: int) -> Any:  # noqa: ARG002 - as its siblings
        if not self.shared or payload < 0:
            raise ValueError("a reference that is not allowed")
        return self._made[payload]

    def _items(self, values: list[Any]) -> list[Any]:
        if type(values) is not list:
            raise TypeError("not a list")
        return [v if type(v) in _SAFE else self.untag(v) for v in values]

    def _pairs(self, pairs: list[Any]) -> list[tuple[Any, Any]]:
        result = [(self.untag(key), self.untag(value)) for key, value in pairs]
        _check_hashes([key for key, _ in result])
        return result

    def _number(self, tag: str, payload: str) -> float:
        if len(payload) > _MAX_INT_DIGITS + 3:
            raise ValueError("a number that is too long")
        return int(payload, 16) if tag == "int" else float(payload)

    def _string(self, tag: str, payload: str) -> Any:
        data = base64.b64decode(payload, validate=True)
        if tag == "text":
            return data.decode("utf-8", "surrogatepass")
        return data if tag == "bytes" else bytearray(data)

    def _sequence(self, tag: str, payload: Any) -> Any:
        if tag == "deque":
            return collections.deque(self._items(payload[1]), payload[0])
        items = self._items(payload)
        if tag == "tuple":
            return tuple(items)
        _check_hashes(items)
        return set(items) if tag == "set" else frozenset(items)

    def _mapping(self, tag: str, payload: Any) -> Any:
        if tag == "dict":
            record: dict[Any, Any] = {}
            self._made.append(record)
            record.update(self._pairs(payload))
            return record
        if tag == "defaultdict":
            return collections.defaultdict(_FACTORIES[payload[0]], self._pairs(payload[1]))
        made = dict(self._pairs(payload))
        return collections.OrderedDict(made) if tag == "OrderedDict" else Counter(made)

    def _moment(self, tag: str, payload: Any) -> Any:
        if tag == "date":
            return self.dates.date.fromisoformat(payload)
        if tag == "timedelta":
            return datetime.timedelta(*payload)
        text, offset, fold = payload
        zone = None if offset is None else datetime.timezone(datetime.timedelta(seconds=offset))
        made = (self.dates.datetime if tag == "datetime" else datetime.time).fromisoformat(text)
        return made.replace(tzinfo=zone, fold=fold)

    def _text(self, tag: str, payload: str) -> Any:
        return decimal.Decimal(payload) if tag == "Decimal" else uuid.UUID(payload)


_TAGS = {
    "again": "again", "int": "number", "float": "number", "text": "string", "bytes": "string", "bytearray": "string",
    "tuple": "sequence", "set": "sequence", "frozenset": "sequence", "deque": "sequence",
    "dict": "mapping", "defaultdict": "mapping", "OrderedDict": "mapping", "Counter": "mapping",
    "date": "moment", "datetime": "moment", "time": "moment", "timedelta": "moment",
    "Decimal": "text", "UUID": "text",
}  # fmt: skip


def _check_hashes(keys: list[Any]) -> None:
    """Refuse keys chosen so that their hashes collide, which would make a dict or set of them take hours to build."""
    if len(keys) > _COLLISIONS:
        _, most = Counter([hash(key) for key in keys]).most_common(1)[0]
        if most > _COLLISIONS:
            raise ValueError(f"{most} keys of equal hash")
