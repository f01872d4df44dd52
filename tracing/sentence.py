"""An error that is one plain sentence for the person at the terminal.

Raised where something outside the program is wrong (a setting, a port, a folder, the database);
`tracing.commandline` prints it and exits with 2, so nobody is shown a traceback for a typing mistake.
"""


class Sentence(Exception):
    """What is wrong and what to do about it, in one sentence."""
