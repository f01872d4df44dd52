"""What cannot be copied or laid out just now and can in a moment.

`staging` and `copying` raise it, `tracing.unavailable` makes the pages' answer of it.
"""


class Later(Exception):
    """`sentence` says why, and when to try again."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence
