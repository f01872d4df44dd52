"""What a person said and cannot be taken: one exception for rules, routes, channels, calendars and words on problems (pure)."""


class Unfit(ValueError):
    """The sentence says why, for whoever typed it; `field` names which part of it."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field
        self.sentence = sentence
