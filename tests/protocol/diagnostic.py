"""Reads CBOR diagnostic notation (RFC 8949, 8) as the public test files use it, far enough to check each item.

What the profile has no type for reads as OUTSIDE, or as a container that holds it. Arrays read as lists, maps as Pairs.
"""


class Outside:
    """Floats, tags, simple values, indefinite lengths, and nesting that no test of this profile goes into."""

    def __repr__(self):
        return "OUTSIDE"


OUTSIDE = Outside()
MAX_LEVELS = 24
_WORDS = {"true": True, "false": False, "null": None}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "/": "/", '"': '"', "\\": "\\"}


class Pairs:
    """A map as it is written: its pairs in order, whatever the keys are."""

    def __init__(self, pairs):
        self.pairs = pairs

    def get(self, name, default=None):
        for key, value in self.pairs:
            if key == name:
                return value
        return default


def parse(text):
    """The value of a whole document."""
    reader = _Reader(text)
    value = reader.value(0)
    reader.skip_space()
    assert reader.at == len(text), text[reader.at : reader.at + 40]
    return value


def levels(value):
    """How many arrays and maps are one in the other."""
    if isinstance(value, Pairs):
        return 1 + max([0] + [max(levels(key), levels(item)) for key, item in value.pairs])
    if isinstance(value, list):
        return 1 + max([0] + [levels(item) for item in value])
    return 0


class _Reader:
    def __init__(self, text):
        self.text = text
        self.at = 0

    def skip_space(self):
        """White space, commas (which the files put and omit freely) and comments."""
        text = self.text
        while self.at < len(text):
            if text[self.at] == "#":
                self.at = text.index("\n", self.at)
            elif text[self.at] in " \t\r\n,":
                self.at += 1
            else:
                return

    def peek(self):
        self.skip_space()
        return self.text[self.at]

    def take(self, expected):
        assert self.peek() == expected, self.text[self.at : self.at + 40]
        self.at += 1

    def value(self, level):
        first = self.peek()
        if first in "[{(":
            return self.container(first, level)
        if first == '"':
            return self.string()
        if self.text[self.at : self.at + 2] == "h'":
            start = self.at + 2
            self.at = self.text.index("'", start) + 1
            return bytes.fromhex(self.text[start : self.at - 1].replace(" ", ""))
        return self.word(level)

    def word(self, level):
        """A number, a name, or the tag or function in front of a parenthesis."""
        start = self.at
        while self.at < len(self.text) and self.text[self.at] not in " \t\r\n,:]})(#":
            self.at += 1
        word = self.text[start : self.at]
        if self.at < len(self.text) and self.text[self.at] == "(":
            self.container("(", level)
            return OUTSIDE
        if word in _WORDS:
            return _WORDS[word]
        digits = word[1:] if word[0] == "-" else word
        if digits[:2] == "0x":
            number = int(digits[2:], 16)
            return -number if word[0] == "-" else number
        return int(word) if digits.isdigit() else OUTSIDE

    def container(self, opening, level):
        if level == MAX_LEVELS:
            return self.skip_container()
        self.take(opening)
        outside = opening == "(" or self.peek() == "_"
        if self.peek() == "_":
            self.at += 1
        items = []
        closing = {"[": "]", "{": "}", "(": ")"}[opening]
        while self.peek() != closing:
            item = self.value(level + 1)
            if opening == "{":
                self.take(":")
                item = (item, self.value(level + 1))
            items.append(item)
        self.take(closing)
        if outside:
            return OUTSIDE
        return Pairs(items) if opening == "{" else items

    def skip_container(self):
        """Past the bracket that closes the one here, however deep; recursion would not get there."""
        depth = 0
        while True:
            if self.text[self.at] in "[{(":
                depth += 1
            elif self.text[self.at] in "]})":
                depth -= 1
            self.at += 1
            if depth == 0:
                return OUTSIDE

    def string(self):
        self.take('"')
        parts = []
        while True:
            start = self.at
            while self.text[self.at] not in '"\\':
                self.at += 1
            parts.append(self.text[start : self.at])
            self.at += 1
            if self.text[self.at - 1] == '"':
                return "".join(parts)
            parts.append(self.escape())

    def escape(self):
        letter = self.text[self.at]
        self.at += 1
        if letter != "u":
            return _ESCAPES[letter]
        code = self.code_unit()
        if 0xD800 <= code < 0xDC00:
            self.at += 2
            code = 0x10000 + ((code - 0xD800) << 10) + self.code_unit() - 0xDC00
        return chr(code)

    def code_unit(self):
        self.at += 4
        return int(self.text[self.at - 4 : self.at], 16)
